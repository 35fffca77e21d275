//! `gather_pin`: the caller's PIN.

use super::super::event::Heard;
use super::super::listen::{Expect, Given, are_digits};
use super::super::machine::{Asks, Machine, Next};
use super::super::question::Against;
use super::super::spoken;
use super::secret::{self, Asked, Taken};
use crate::flow::level::Fact;
use crate::flow::states::gather_pin::GatherPin;

/// How long a PIN may be, unless the flow says otherwise.
const LENGTHS: std::ops::RangeInclusive<usize> = 4..=12;

pub(super) fn enter(m: &mut Machine<'_>, pin: &GatherPin) -> Asks<Next> {
    m.listen(&pin.listen, &expect(pin))
}

pub(super) fn resume(m: &mut Machine<'_>, pin: &GatherPin, heard: &Heard) -> Asks<Next> {
    let taken = match Given::of(heard) {
        Given::Silence => Taken::Silence,
        Given::Star => Taken::Star,
        Given::Keys(keys) => entry(pin, Some(keys)),
        Given::Said(said) if pin.speech => {
            entry(pin, spoken::digits(&said, pin.digits, &m.call.locale))
        }
        Given::Said(_) => Taken::Unusable,
    };
    let asked = Asked {
        listen: &pin.listen,
        expect: expect(pin),
        factor: Fact::Pin,
        against: Against::Pin,
        combined: pin.combined,
    };
    secret::take(m, taken, asked)
}

fn entry(pin: &GatherPin, digits: Option<String>) -> Taken {
    let fits = |entry: &String| {
        are_digits(entry, pin.digits) && (pin.digits.is_some() || LENGTHS.contains(&entry.len()))
    };
    digits.filter(fits).map_or(Taken::Unusable, Taken::Entry)
}

fn expect(pin: &GatherPin) -> Expect {
    Expect::keys(pin.digits, pin.speech)
}
