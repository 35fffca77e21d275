//! What a caller has proved, counted beside the engine: entry by entry, and whether it meets a level.

use std::collections::{BTreeMap, BTreeSet};

use callgate::flow::FlowSet;
use callgate::flow::level::{Class, Fact, Facts, Formula, Level};
use callgate::flow::outcome::Outcome;
use callgate::flow::risk::Risk;
use callgate::flow::state::Kind;
use jiff::{SignedDuration, Timestamp};

use super::watch::Earned;
use super::world::Came;

/// What a caller has proved of whoever is claimed, by our own count.
#[derive(Clone, Default)]
pub(super) struct Proved {
    counts: BTreeMap<Fact, Earned>,
    /// What counted at any moment of the last turn.
    pub(super) counted: BTreeMap<Fact, Earned>,
    /// The first of two proofs with one verdict, until that is given.
    on_trial: BTreeMap<Fact, Earned>,
    /// By which ways codes were drawn for whoever is claimed.
    sent: BTreeSet<Fact>,
    /// An entry was wrong, and the caller is to hear of it with the next.
    doubt: bool,
}

impl Proved {
    /// Counts a turn; whatever the engine takes for proved must be.
    pub(super) fn count(&mut self, came: &Came, flows: &FlowSet) -> Result<(), String> {
        let hops = &came.entry.hops;
        let at = came.before.as_ref().map(|before| &before.at);
        let state = at.and_then(|at| flows.get(at.flow.as_str())?.state(&at.state));
        let ended = hops.first().filter(|hop| Some(&hop.at) == at);
        let ended = ended.and_then(|hop| hop.outcome.as_ref());
        let combined = state.is_some_and(|state| state.kind.is_combined());
        for Earned { fact, .. } in &came.earned {
            if matches!(fact, Fact::SmsOtp | Fact::EmailOtp) && !self.sent.contains(fact) {
                return Err(format!("no code was drawn that proves {fact}"));
            }
        }
        let earned = came.earned.iter().map(|earned| (earned.fact, earned.clone()));
        match (combined, self.doubt) {
            (true, _) => self.on_trial.extend(earned),
            (false, false) => self.counts.extend(earned),
            (false, true) => {}
        }
        match ended {
            Some(Outcome::Ok) if combined => {
                // What was proved before of the same is not heard of again.
                self.counts.remove(&match state.map(|state| &state.kind) {
                    Some(Kind::GatherPasscode(_)) => Fact::Passcode,
                    _ => Fact::Pin,
                });
                self.doubt |= came.earned.is_empty();
            }
            Some(Outcome::Ok) if state.is_some_and(|state| proves(&state.kind)) => {
                let trial = std::mem::take(&mut self.on_trial).into_iter();
                // What was proved anew meanwhile is the fresher.
                for (fact, earned) in trial.filter(|_| !self.doubt) {
                    self.counts.entry(fact).or_insert(earned);
                }
                self.doubt = false;
            }
            Some(Outcome::Failed | Outcome::Locked) => self.end_trial(),
            _ => {}
        }
        self.counted.clone_from(&self.counts);
        for (number, hop) in hops.iter().enumerate() {
            let state = flows.get(hop.at.flow.as_str()).and_then(|flow| flow.state(&hop.at.state));
            let let_in = match &hop.outcome {
                Some(outcome) => *outcome != Outcome::Denied,
                // It waits; or the caller has gone to prove something first.
                None => number + 1 == hops.len(),
            };
            match state.map(|state| &state.kind) {
                Some(Kind::Identify(_)) if let_in => {
                    self.end_trial();
                    self.counts.clear();
                    self.sent.clear();
                }
                Some(Kind::SendSmsOtp(_)) => {
                    self.sent.insert(Fact::SmsOtp);
                }
                Some(Kind::SendEmailOtp(_)) => {
                    self.sent.insert(Fact::EmailOtp);
                }
                Some(Kind::Return(back)) if back.outcome.is_none() => self.end_trial(),
                _ => {}
            }
        }
        for (fact, proof) in &came.scene.call.facts.0 {
            let earned = self.counts.get(fact).filter(|earned| earned.at == proof.at);
            if !earned.is_some_and(|earned| earned.counts || !proof.counts) {
                return Err(format!("nobody has proved {fact}"));
            }
        }
        self.agree(came, flows)
    }

    /// Whether each level is met, now and as they were counted, by what the call has for facts.
    fn agree(&self, came: &Came, flows: &FlowSet) -> Result<(), String> {
        let (call, now) = (&came.scene.call, came.scene.now);
        let proofs = self.of(&call.facts);
        for (name, level) in flows.iter().flat_map(|flow| &flow.levels) {
            let taken = level.is_met(&call.facts, now, call.risk());
            if taken != meets(level, &proofs, now, call.risk()) {
                return Err(format!("`{name}` is taken for met: {taken}, by {:?}", call.facts));
            }
        }
        Ok(())
    }

    fn end_trial(&mut self) {
        self.on_trial.clear();
        self.doubt = false;
    }

    /// Those of these facts that we have counted as well.
    pub(super) fn of(&self, facts: &Facts) -> Vec<(Earned, Option<String>)> {
        let known = facts.0.iter().filter_map(|(fact, proof)| {
            let contact = proof.contact.as_ref().map(|it| it.expose().to_owned());
            Some((self.counted.get(fact)?.clone(), contact))
        });
        known.collect()
    }
}

fn proves(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::GatherPin(_)
            | Kind::GatherPasscode(_)
            | Kind::GatherOtp(_)
            | Kind::GatherServiceCode(_)
            | Kind::Callback(_)
    )
}

/// Whether proofs meet a level: some of them, no two by one telephone, hold all that it asks for.
pub(super) fn meets(
    level: &Level,
    proofs: &[(Earned, Option<String>)],
    now: Timestamp,
    risk: Risk,
) -> bool {
    fn holds(formula: &Formula, proofs: &[&Earned]) -> bool {
        let class = |class: Class, earned: &&&Earned| {
            let of = match earned.fact {
                Fact::Pin | Fact::Passcode => Some(Class::Knowledge),
                Fact::SmsOtp | Fact::Callback | Fact::ServiceCode => Some(Class::Possession),
                Fact::EmailOtp => None,
            };
            of == Some(class) && earned.counts
        };
        match formula {
            Formula::Fact(fact) => proofs.iter().any(|earned| earned.fact == *fact),
            Formula::Class(of) => proofs.iter().any(|earned| class(*of, &earned)),
            Formula::All(parts) => parts.iter().all(|part| holds(part, proofs)),
            Formula::Any(parts) => parts.iter().any(|part| holds(part, proofs)),
        }
    }
    (0..1_usize << proofs.len()).any(|set| {
        let some: Vec<_> =
            (0..proofs.len()).filter(|bit| set & 1 << bit != 0).map(|bit| &proofs[bit]).collect();
        let contacts: Vec<_> = some.iter().filter_map(|(_, contact)| contact.as_ref()).collect();
        let apart = (1..contacts.len()).all(|n| !contacts[..n].contains(&contacts[n]));
        let demands = |(formula, within): (&Formula, Option<std::time::Duration>)| {
            let fresh = |earned: &Earned| {
                let age = now.duration_since(earned.at);
                within.is_none_or(|within| age <= SignedDuration::try_from(within).unwrap())
            };
            let some = some.iter().map(|(earned, _)| earned).filter(|earned| fresh(earned));
            holds(formula, &some.collect::<Vec<_>>())
        };
        // What a band asks for is asked from there upwards.
        let added = level.at_risk.iter().filter(|(band, _)| **band <= risk);
        let added = added.map(|(_, more)| (&more.formula, more.within));
        apart && std::iter::once((&level.formula, level.within)).chain(added).all(demands)
    })
}
