//! `gather_pin`: the caller's PIN.

use super::super::event::Heard;
use super::super::listen::{Expect, Given, GivesUp};
use super::super::machine::{Asks, Machine, Next};
use super::super::question::{Against, Verdict};
use super::super::spoken;
use crate::flow::level::Fact;
use crate::flow::outcome::Outcome;
use crate::flow::states::gather_pin::GatherPin;
use crate::secret::Secret;

/// How long a PIN may be where a flow does not say.
const LENGTHS: std::ops::RangeInclusive<usize> = 4..=12;

pub(super) fn enter(m: &mut Machine<'_>, pin: &GatherPin) -> Asks<Next> {
    m.listen(&pin.listen, &expect(pin))
}

pub(super) fn resume(m: &mut Machine<'_>, pin: &GatherPin, heard: &Heard) -> Asks<Next> {
    let expect = expect(pin);
    let entry = match Given::of(heard) {
        Given::Silence => return missed(m, pin, &expect, true),
        Given::Star => {
            let gives_up = gives_up(m);
            return m.repeat(&pin.listen, &expect, &gives_up);
        }
        Given::Keys(keys) => Some(keys),
        Given::Said(said) if pin.speech => spoken::digits(&said, pin.digits, &m.call.locale),
        Given::Said(_) => None,
    };
    let fits = |entry: &String| {
        let length = pin.digits.and_then(|digits| usize::try_from(digits).ok());
        length.map_or(LENGTHS.contains(&entry.len()), |length| length == entry.len())
            && entry.bytes().all(|b| b.is_ascii_digit())
    };
    let Some(entry) = entry.filter(fits) else { return missed(m, pin, &expect, false) };
    let used = m.call.entries.get(&Fact::Pin).copied().unwrap_or_default();
    let verdict = if used >= m.setting.policy.pin.per_call {
        // The call has had its entries: this one is not looked at, and sounds as if it were wrong.
        Verdict::Locked
    } else {
        m.verify(Fact::Pin, Secret::new(entry), Against::Pin, None)?
    };
    match verdict {
        Verdict::Right => Ok(Next::Take(Outcome::Ok)),
        Verdict::Wrong => missed(m, pin, &expect, false),
        Verdict::Locked => {
            m.call.visit.locked = true;
            missed(m, pin, &expect, false)
        }
    }
}

fn missed(m: &mut Machine<'_>, pin: &GatherPin, expect: &Expect, silent: bool) -> Asks<Next> {
    let gives_up = gives_up(m);
    m.missed(&pin.listen, expect, silent, &gives_up)
}

/// `locked` is taken only where `failed` would have been, after the same words.
fn gives_up(m: &Machine<'_>) -> GivesUp {
    GivesUp::with(if m.call.visit.locked { Outcome::Locked } else { Outcome::Failed })
}

fn expect(pin: &GatherPin) -> Expect {
    Expect::keys(pin.digits, pin.speech)
}
