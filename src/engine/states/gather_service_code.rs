//! `gather_service_code`: a one-use code from the web.

use super::super::event::Heard;
use super::super::listen::{Expect, Given, are_digits};
use super::super::machine::{Asks, Machine, Next};
use super::super::question::Against;
use super::secret::{self, Asked, Taken};
use crate::flow::level::Fact;
use crate::flow::states::gather_service_code::GatherServiceCode;

pub(super) fn enter(m: &mut Machine<'_>, code: &GatherServiceCode) -> Asks<Next> {
    let expect = expect(m, code);
    m.listen(&code.listen, &expect)
}

pub(super) fn resume(m: &mut Machine<'_>, code: &GatherServiceCode, heard: &Heard) -> Asks<Next> {
    let expect = expect(m, code);
    let taken = match Given::of(heard) {
        Given::Silence => Taken::Silence,
        Given::Star => Taken::Star,
        Given::Keys(keys) if are_digits(&keys, expect.digits) => Taken::Entry(keys),
        Given::Keys(_) | Given::Said(_) => Taken::Unusable,
    };
    let against = Against::ServiceCode { purpose: code.purpose.clone() };
    let (listen, factor) = (&code.listen, Fact::ServiceCode);
    secret::take(m, taken, Asked { listen, expect, factor, against, combined: false })
}

fn expect(m: &Machine<'_>, code: &GatherServiceCode) -> Expect {
    Expect::keys(Some(code.digits.unwrap_or(m.setting.policy.service_code.digits)), false)
}
