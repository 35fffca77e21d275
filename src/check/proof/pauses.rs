//! How long a caller waits on a way, and where, so that a proof grows too old on it.

use super::steps::dwell_s;
use super::walk::{Arrival, Gap, Walks};
use crate::flow::state::{Kind, State};
use crate::flow::states::callback::Callback;

/// Seconds after the ringing in which a telephone is still said to be answered: less than a call waits for that.
const ANSWERED_LATE_S: u64 = 10;
/// Seconds after the time to key a code in which it still comes, for it is asked for first: less as well.
const KEYED_LATE_S: u64 = 40;

/// Seconds to wait in each step, so that a proof that may be too old is.
pub(super) fn pauses(walks: &Walks<'_>, way: &[&Arrival<'_>], gap: &Gap<'_>) -> Vec<u64> {
    let mut waits = vec![0; way.len()];
    if gap.known.meets(gap.level) || !gap.known.meets_but_for_age(gap.level) {
        return waits;
    }
    // As long as any of its demands takes to grow old, as far as there is time.
    let within = gap.level.demands(gap.known.risk).filter_map(|(_, within)| within).max();
    let mut left = within.map_or(0, |within| within.as_secs()) + 1;
    for (step, before) in way.iter().enumerate().rev().skip(1) {
        let Some((_, state)) = walks.state(before.place) else { continue };
        let most = match &state.kind {
            Kind::Callback(callback) => Some(rung_s(callback) + keyed_s(callback)),
            Kind::Transfer(_) | Kind::Voicemail(_) => Some(u64::from(dwell_s(&state.kind))),
            kind => kind.listen().map(|_| u64::from(dwell_s(kind))),
        };
        if let (Some(most), Some(wait)) = (most, waits.get_mut(step)) {
            *wait = left.min(most + u64::from(before.known.said_s()) * u64::from(!rings(state)));
            left -= *wait;
        }
    }
    waits
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
