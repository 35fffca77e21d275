//! Runs a journal again: the machine is pure, so a call's entries give back every turn of it, with what each leg
//! was told.

use crate::engine::call::{Call, Role};
use crate::engine::event::Event;
use crate::engine::policy::Policy;
use crate::engine::question::Answer;
use crate::engine::reply::{Reply, Verb};
use crate::engine::turn::{Entry, Step, Turn};
use crate::engine::{Setting, step};
use crate::flow::FlowSet;
use crate::secret::Secret;

/// How long a spoken secret is assumed to be if no state says.
const SECRET_DIGITS: u32 = 6;

/// A turn that was run again.
#[derive(Debug)]
pub struct Ran<'e> {
    /// The call before it; `None`: it began with this turn.
    pub before: Option<Call>,
    /// What was written about it.
    pub entry: &'e Entry,
    /// The turn.
    pub turn: Turn,
}

/// Why a journal cannot be run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// There is nothing in it.
    #[error("there is no such call in the store, or it is forgotten")]
    Empty,
    /// It belongs to other flows or another policy.
    #[error(
        "turn {0} of the journal cannot be run again: it was another callgate's, or the policy has changed"
    )]
    Torn(u64),
}

/// Runs the entries again, oldest first.
pub fn run_again<'e>(
    flows: &FlowSet,
    edition: &str,
    policy: &Policy,
    entries: &'e [Entry],
) -> Result<Vec<Ran<'e>>, JournalError> {
    let setting = Setting { flows, edition, policy, fallback_number: None, unenforced: None };
    let mut call: Option<Call> = None;
    let mut ran = Vec::new();
    for entry in entries {
        let again = |event: &Event| match step(
            setting,
            call.as_ref(),
            event,
            &entry.moment,
            &entry.answers,
        ) {
            Some(Step::Turn(turn)) if turn.entry.hops == entry.hops => Some(turn),
            _ => None,
        };
        let turn = again(&audible(entry, call.as_ref()));
        let turn = turn.or_else(|| again(&cough(entry)?));
        let Some(turn) = turn else { return Err(JournalError::Torn(entry.number)) };
        let after = turn.call.clone();
        ran.push(Ran { before: call.replace(after), entry, turn: *turn });
    }
    if ran.is_empty() { Err(JournalError::Empty) } else { Ok(ran) }
}

/// The event, with a spoken secret that could be right: a journal keeps only its length, and whether it was
/// checked.
fn audible(entry: &Entry, call: Option<&Call>) -> Event {
    let mut event = entry.event.clone();
    let verified = entry.answers.iter().any(|answer| answer.verdict().is_some());
    if let (Event::Heard { leg, heard, .. }, Some(call)) = (&mut event, call)
        && verified
        && heard.digits.is_empty()
        && !heard.speech.is_empty()
    {
        let present = call.leg(*leg).map(|leg| &*leg.present);
        let digits = present.and_then(listened_for).unwrap_or(SECRET_DIGITS);
        heard.speech = Secret::new("0".repeat(usize::try_from(digits).unwrap_or_default()));
    }
    event
}

/// The event, with what was said in place of a secret as something that cannot be one: journals used to keep as
/// many zeros, which might be one, but it was never checked.
fn cough(entry: &Entry) -> Option<Event> {
    let mut event = entry.event.clone();
    let Event::Heard { heard, .. } = &mut event else { return None };
    let said = heard.speech.expose();
    let hidden = !said.is_empty() && said.bytes().all(|byte| byte == b'0');
    if !(hidden && heard.digits.is_empty()) {
        return None;
    }
    heard.speech = Secret::new("0");
    Some(event)
}

/// How many keys an answer listens for.
fn listened_for(reply: &Reply) -> Option<u32> {
    reply.verbs.iter().find_map(|verb| match verb {
        Verb::Gather(gather) => gather.digits,
        _ => None,
    })
}

impl Ran<'_> {
    /// The verdict on an entry, if one was asked for.
    pub fn verdict(&self) -> Option<crate::engine::question::Verdict> {
        self.entry.answers.iter().find_map(Answer::verdict)
    }

    /// The role of a leg, before the turn or after it.
    pub fn role(&self, leg: crate::engine::id::LegId) -> Option<Role> {
        let before = self.before.as_ref().and_then(|call| call.leg(leg));
        before.or_else(|| self.turn.call.leg(leg)).map(|leg| leg.role)
    }
}
