//! How long a caller waits on a way, and where, so that proofs grow too old on it where they must, and nowhere else.

use std::collections::BTreeMap;

use super::steps::dwell_s;
use super::uses::uses;
use super::walk::{Arrival, By, Gap, Walks};
use crate::flow::edge::Label;
use crate::flow::level::{Fact, Formula, Level};
use crate::flow::outcome::Outcome;
use crate::flow::state::{Kind, State};
use crate::flow::states::callback::Callback;

/// Seconds after the ringing in which a telephone is still said to be answered: less than a call waits for that.
const ANSWERED_LATE_S: u64 = 10;
/// Seconds after the time to key a code in which it still comes, for it is asked for first: less as well.
const KEYED_LATE_S: u64 = 40;
/// What is waited anyway for a code to run out of time.
const EXPIRED_S: u64 = 660;

/// Seconds to wait in each step, so that whatever is too old on the way is, and nothing else; `None`: there is no time
/// for it.
pub(super) fn pauses(walks: &Walks<'_>, way: &[&Arrival<'_>], gap: &Gap<'_>) -> Option<Vec<u64>> {
    let mut waits = vec![0; way.len()];
    let last = way.len().checked_sub(1)?;
    let on_the_way = (0..last).filter_map(|step| {
        let known = way.get(step)?.known;
        Some((step, turned_away(walks, way, step)?, known))
    });
    for (until, level, known) in on_the_way.chain([(last, gap.level, gap.known)]) {
        if known.meets(level) || !known.meets_but_for_age(level) {
            continue;
        }
        // As long as any of its demands takes to grow old.
        let within = level.demands(known.risk).filter_map(|(_, within)| within).max();
        let first = (0..until).rev().find(|step| proves_of(walks, way, *step, level));
        let steps = first.map_or(0, |proof| proof + 1)..until;
        let waited: u64 = waits.get(steps.clone())?.iter().sum();
        let mut left = (within.map_or(0, |within| within.as_secs()) + 1).saturating_sub(waited);
        for step in steps.rev() {
            let wait = waits.get_mut(step)?;
            let more = left.min(room_s(walks, way, step).saturating_sub(*wait));
            *wait += more;
            left = left.saturating_sub(more + waited_anyway_s(walks, way, step));
        }
        if left > 0 {
            return None;
        }
    }
    stays_fresh(walks, way, &waits).then_some(waits)
}

/// Whether with these waits nothing on the way is older than it may be there: who was let in because it was fresh has
/// not been turned away before because it was not.
fn stays_fresh(walks: &Walks<'_>, way: &[&Arrival<'_>], waits: &[u64]) -> bool {
    let mut ages_s: BTreeMap<Fact, u64> = BTreeMap::new();
    way.iter().zip(way.iter().skip(1)).zip(waits).enumerate().all(
        |(step, ((before, after), wait_s))| {
            if !walks.lets_in_at(before, after, &ages_s) {
                return false;
            }
            let passed_s = wait_s + waited_anyway_s(walks, way, step);
            for age_s in ages_s.values_mut() {
                *age_s += passed_s;
            }
            ages_s.retain(|fact, _| after.known.has(*fact));
            let new = proof_of(walks, way, step);
            after.known.facts().all(|(fact, most_s)| {
                let age_s = ages_s.entry(fact).or_default();
                if new == Some(fact) {
                    *age_s = 0;
                }
                most_s >= walks.oldest_s() || *age_s <= u64::from(most_s)
            })
        },
    )
}

/// Whether the way is turned away at this step: it never got into the state.
fn is_denied(way: &[&Arrival<'_>], step: usize) -> bool {
    let by = way.get(step + 1).map(|after| &after.by);
    matches!(by, Some(By::Edge(_, Label::StepUp | Label::Outcome(Outcome::Denied), _)))
}

/// The level that turns the way away at this step because a proof is too old: what the state requires, or else one under
/// which something is told there.
fn turned_away<'f>(walks: &Walks<'f>, way: &[&Arrival<'f>], step: usize) -> Option<&'f Level> {
    let By::Edge(from, ..) = &way.get(step + 1)?.by else { return None };
    let (flow, state) = walks.state(*from).filter(|_| is_denied(way, step))?;
    let known = way.get(step)?.known;
    let requires = state.requires.as_ref().and_then(|(name, _)| walks.level(flow, name));
    let told = uses(state).into_iter();
    let told = told.flat_map(|(told, _)| walks.levels_of(flow, known.labels, &told));
    let levels = requires.into_iter().chain(told.map(|(_, level)| level));
    let unmet: Vec<_> = levels.filter(|level| !known.meets(level)).collect();
    // What is lacking altogether turns away as well, however fresh the rest is.
    unmet.first().copied().filter(|_| unmet.iter().all(|level| known.meets_but_for_age(level)))
}

/// The state that is left at this step, and how it ends.
fn leaves<'f, 'w>(
    walks: &Walks<'f>,
    way: &'w [&Arrival<'f>],
    step: usize,
) -> Option<(&'f State, &'w Outcome)> {
    let By::Edge(from, Label::Outcome(outcome), _) = &way.get(step + 1)?.by else { return None };
    Some((walks.state(*from)?.1, outcome))
}

/// Whether something is proved at this step that the level asks to be fresh.
fn proves_of(walks: &Walks<'_>, way: &[&Arrival<'_>], step: usize, level: &Level) -> bool {
    let risk = way.last().map(|last| last.known.risk);
    let fresh = risk.into_iter().flat_map(|risk| level.demands(risk));
    let mut fresh = fresh.filter(|(_, within)| within.is_some());
    let fact = proof_of(walks, way, step);
    fact.is_some_and(|fact| fresh.any(|(formula, _)| names(formula, fact)))
}

/// What is proved at this step.
fn proof_of(walks: &Walks<'_>, way: &[&Arrival<'_>], step: usize) -> Option<Fact> {
    let (state, Outcome::Ok) = leaves(walks, way, step)? else { return None };
    match &state.kind {
        Kind::GatherOtp(_) => way.get(step)?.known.code_proves(),
        kind => kind.proves(),
    }
}

fn names(formula: &Formula, fact: Fact) -> bool {
    match formula {
        Formula::Fact(it) => *it == fact,
        Formula::Class(class) => fact.class() == Some(*class),
        Formula::All(parts) | Formula::Any(parts) => parts.iter().any(|part| names(part, fact)),
    }
}

/// Seconds that the caller may wait at this step, at most.
fn room_s(walks: &Walks<'_>, way: &[&Arrival<'_>], step: usize) -> u64 {
    // Whoever is not let in is not waited for.
    let Some(before) = way.get(step).filter(|_| !is_denied(way, step)) else { return 0 };
    let Some((_, state)) = walks.state(before.place) else { return 0 };
    let said_s = u64::from(before.known.said_s());
    match &state.kind {
        Kind::Callback(callback) => match leaves(walks, way, step) {
            Some((_, Outcome::Ok | Outcome::Failed)) => rung_s(callback) + keyed_s(callback),
            Some((_, Outcome::NoAnswer)) => rung_s(callback),
            _ => 0,
        },
        Kind::Transfer(_) | Kind::Voicemail(_) => u64::from(dwell_s(&state.kind)) + said_s,
        kind => kind.listen().map_or(0, |_| u64::from(dwell_s(kind)) + said_s),
    }
}

/// Seconds that pass at this step however long the caller waits.
fn waited_anyway_s(walks: &Walks<'_>, way: &[&Arrival<'_>], step: usize) -> u64 {
    let was_sent = way.get(step).is_some_and(|before| before.known.code.is_some());
    match leaves(walks, way, step) {
        Some((State { kind: Kind::GatherOtp(_), .. }, Outcome::Expired)) if was_sent => EXPIRED_S,
        _ => 0,
    }
}

/// Whether somebody is rung there, who is waited for.
pub(super) fn rings(state: &State) -> bool {
    matches!(state.kind, Kind::Callback(_))
}

/// Seconds until a telephone is answered, at most.
pub(super) fn rung_s(callback: &Callback) -> u64 {
    callback.ring.as_secs() + ANSWERED_LATE_S
}

/// Seconds until whoever answered it has keyed the code, at most.
pub(super) fn keyed_s(callback: &Callback) -> u64 {
    callback.timeout.as_secs() + KEYED_LATE_S
}
