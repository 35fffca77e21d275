//! What `gather_pin`, `gather_passcode` and `gather_service_code` share: one entry is one attempt, and a lock
//! sounds like a wrong entry.

use super::super::listen::{Expect, GivesUp};
use super::super::machine::{Asks, Machine, Next};
use super::super::question::{Against, Verdict};
use crate::flow::level::Fact;
use crate::flow::outcome::Outcome;
use crate::flow::state::Listen;
use crate::secret::Secret;

/// What the caller gave for a secret.
#[derive(Debug)]
pub(super) enum Taken {
    /// Nothing.
    Silence,
    /// Only the star key: to hear it again.
    Star,
    /// An entry in its one canonical form.
    Entry(String),
    /// Something that is no entry at all.
    Unusable,
}

/// How a secret is asked for, and what it is checked against.
pub(super) struct Asked<'a> {
    pub(super) listen: &'a Listen,
    pub(super) expect: Expect,
    pub(super) factor: Fact,
    pub(super) against: Against,
    /// Whether its verdict is told together with another one.
    pub(super) combined: bool,
}

/// Verifies an entry, and asks again or gives up if it is wrong.
pub(super) fn take(m: &mut Machine<'_>, taken: Taken, asked: Asked<'_>) -> Asks<Next> {
    let Asked { listen, ref expect, factor, against, combined } = asked;
    let entry = match taken {
        Taken::Silence => return missed(m, listen, expect, true),
        Taken::Star => {
            let gives_up = gives_up(m);
            return m.repeat(listen, expect, &gives_up);
        }
        Taken::Entry(entry) => entry,
        Taken::Unusable => return missed(m, listen, expect, false),
    };
    let verdict = if used(m, factor) >= m.setting.policy.pin.per_call {
        // The call has had all its entries: this one is not checked, and sounds as if it were wrong.
        Verdict::Locked
    } else {
        m.verify(factor, Secret::new(entry), against, None)?
    };
    match verdict {
        Verdict::Right | Verdict::RightByOneFactor => return Ok(Next::Take(Outcome::Ok)),
        _ if combined => {
            m.doubt(factor);
            return Ok(Next::Take(Outcome::Ok));
        }
        Verdict::Locked => m.call.visit.locked = true,
        _ => {}
    }
    let gives_up = gives_up(m);
    m.failed(listen, expect, false, &gives_up)
}

/// The entries that the call has already had, of those that count for this factor. A PIN and a passcode are both
/// something known: guesses at one use up the guesses at the other.
fn used(m: &Machine<'_>, factor: Fact) -> u8 {
    let of = |factor| m.call.entries.get(&factor).copied().unwrap_or_default();
    match factor {
        Fact::Pin | Fact::Passcode => of(Fact::Pin).saturating_add(of(Fact::Passcode)),
        _ => of(factor),
    }
}

fn missed(m: &mut Machine<'_>, listen: &Listen, expect: &Expect, silent: bool) -> Asks<Next> {
    let gives_up = gives_up(m);
    m.missed(listen, expect, silent, &gives_up)
}

/// `locked` is taken only where `failed` would have been, after the same words.
fn gives_up(m: &Machine<'_>) -> GivesUp {
    GivesUp::with(if m.call.visit.locked { Outcome::Locked } else { Outcome::Failed })
}
