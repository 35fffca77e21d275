//! `gather_pin`: the caller's PIN.

use super::super::event::Heard;
use super::super::listen::{Expect, Given};
use super::super::machine::{Asks, Machine, Next};
use super::super::question::Against;
use super::super::spoken;
use super::secret::{self, Taken};
use crate::flow::level::Fact;
use crate::flow::states::gather_pin::GatherPin;

/// How long a PIN may be where a flow does not say.
const LENGTHS: std::ops::RangeInclusive<usize> = 4..=12;

pub(super) fn enter(m: &mut Machine<'_>, pin: &GatherPin) -> Asks<Next> {
    m.listen(&pin.listen, &expect(pin))
}

pub(super) fn resume(m: &mut Machine<'_>, pin: &GatherPin, heard: &Heard) -> Asks<Next> {
    let taken = match Given::of(heard) {
        Given::Silence => Taken::Silence,
        Given::Star => Taken::Star,
        Given::Keys(keys) => Taken::Entry(keys),
        Given::Said(said) if pin.speech => {
            spoken::digits(&said, pin.digits, &m.call.locale).map_or(Taken::Unusable, Taken::Entry)
        }
        Given::Said(_) => Taken::Unusable,
    };
    let fits = |entry: &str| {
        let length = pin.digits.and_then(|digits| usize::try_from(digits).ok());
        length.map_or(LENGTHS.contains(&entry.len()), |length| length == entry.len())
            && entry.bytes().all(|b| b.is_ascii_digit())
    };
    let what = (Fact::Pin, Against::Pin);
    secret::take(m, &pin.listen, &expect(pin), taken, fits, what, pin.combined)
}

fn expect(pin: &GatherPin) -> Expect {
    Expect::keys(pin.digits, pin.speech)
}
