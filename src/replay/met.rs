//! Which levels a call met where: for each state that it passed through, those that were met when it was left.

use std::collections::BTreeMap;

use crate::engine::call::Call;
use crate::engine::turn::{Entry, Hop};
use crate::flow::FlowSet;
use crate::flow::level::{Fact, Facts, Proof};
use crate::flow::state::Kind;

/// The levels of the call's flow at each hop of its entries, as if nothing grew old; `proofs` say how its facts
/// were proved.
pub(super) fn met(
    flows: &FlowSet,
    call: &Call,
    entries: &[Entry],
    proofs: &BTreeMap<Fact, Proof>,
) -> Vec<Vec<String>> {
    let Some(flow) = flows.get(call.flow.as_str()) else { return Vec::new() };
    let levels = |facts: &Facts, entry: &Entry| -> Vec<String> {
        let now = entry.moment.now;
        let fresh = |(fact, proof): (&Fact, &Proof)| (*fact, Proof { at: now, ..proof.clone() });
        let facts = Facts(facts.0.iter().map(fresh).collect());
        let met = flow.levels.iter().filter(|(_, level)| level.is_met(&facts, now, call.risk()));
        met.map(|(name, _)| name.to_string()).collect()
    };
    let claims = |hop: &Hop| {
        let state = flows.get(hop.at.flow.as_str()).and_then(|flow| flow.state(&hop.at.state));
        state.is_some_and(|state| matches!(state.kind, Kind::Identify(_)))
    };
    let mut facts = Facts::default();
    let mut met = Vec::new();
    for entry in entries {
        // What a turn proves is proved in the state that waited, before that is left.
        let proved =
            entry.proved.iter().filter_map(|fact| Some((*fact, proofs.get(fact)?.clone())));
        facts.0.extend(proved);
        for hop in &entry.hops {
            // A new claim drops all that was proved before.
            if claims(hop) {
                facts.0.clear();
            }
            met.push(levels(&facts, entry));
        }
    }
    met
}
