//! `gather_service_code`: a one-use code from the web.

use super::super::event::Heard;
use super::super::listen::{Expect, Given};
use super::super::machine::{Asks, Machine, Next};
use super::super::question::Against;
use super::secret::{self, Taken};
use crate::flow::level::Fact;
use crate::flow::states::gather_service_code::GatherServiceCode;

pub(super) fn enter(m: &mut Machine<'_>, code: &GatherServiceCode) -> Asks<Next> {
    let expect = expect(m, code);
    m.listen(&code.listen, &expect)
}

pub(super) fn resume(m: &mut Machine<'_>, code: &GatherServiceCode, heard: &Heard) -> Asks<Next> {
    let taken = match Given::of(heard) {
        Given::Silence => Taken::Silence,
        Given::Star => Taken::Star,
        Given::Keys(keys) => Taken::Entry(keys),
        Given::Said(_) => Taken::Unusable,
    };
    let expect = expect(m, code);
    let length = expect.digits.and_then(|digits| usize::try_from(digits).ok());
    let fits =
        |entry: &str| Some(entry.len()) == length && entry.bytes().all(|b| b.is_ascii_digit());
    let against = Against::ServiceCode { purpose: code.purpose.clone() };
    secret::take(m, &code.listen, &expect, taken, fits, (Fact::ServiceCode, against), false)
}

fn expect(m: &Machine<'_>, code: &GatherServiceCode) -> Expect {
    Expect::keys(Some(code.digits.unwrap_or(m.setting.policy.service_code.digits)), false)
}
