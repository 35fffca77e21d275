//! What the engine had to refuse in a turn: the oracle that the checker is held to.

use callgate::engine::call::{Call, Position};
use callgate::engine::question::{Answer, Verdict};
use callgate::engine::turn::Remark;
use callgate::flow::FlowSet;
use callgate::flow::condition::Condition;
use callgate::flow::level::{Fact, Facts, Proof};
use callgate::flow::name::LevelName;
use callgate::flow::state::Kind;
use callgate::flow::template::Use;
use callgate::secret::Secret;

use super::world::{Came, World};

impl Came {
    /// What was proved when the state of this hop was entered: a claim that is taken up later in the turn
    /// has dropped it since.
    pub(super) fn facts_at(&self, number: usize, flows: &FlowSet) -> Facts {
        let claims = |number: usize| {
            let at = &self.entry.hops[number].at;
            let state = flows.get(at.flow.as_str()).and_then(|flow| flow.state(&at.state));
            state.is_some_and(|state| matches!(state.kind, Kind::Identify(_)))
        };
        let hops = self.entry.hops.len();
        match (&self.before, (number + 1..hops).any(claims)) {
            (_, false) => self.scene.call.facts.clone(),
            (Some(before), true) if !(0..=number).any(claims) => self.proved_since(before),
            (_, true) => Facts::default(),
        }
    }

    /// What had been proved before, and what this turn has added.
    fn proved_since(&self, before: &Call) -> Facts {
        let mut facts = before.facts.clone();
        let weak = self.entry.answers.contains(&Answer::Verdict(Verdict::RightByOneFactor));
        for fact in &self.entry.proved {
            let contact = match fact {
                Fact::SmsOtp | Fact::EmailOtp => {
                    before.code.as_ref().and_then(|code| code.contact.clone())
                }
                Fact::Callback => {
                    let to = before.ringing.as_ref().and_then(|ringing| ringing.to.clone());
                    to.map(|to| Secret::new(format!("phone:{}", to.as_e164())))
                }
                _ => None,
            };
            let proof = Proof { at: self.scene.now, contact, counts: !weak };
            facts.0.insert(*fact, before.on_trial.get(fact).cloned().unwrap_or(proof));
        }
        facts
    }
}

impl World {
    /// The states whose demands the engine had to refuse in a turn, and whatever it could not do.
    pub(super) fn refusals(&self, came: &Came) -> (Vec<Position>, Vec<Remark>) {
        let call = &came.scene.call;
        let level = |at: &Position, name: &LevelName| {
            let own = self.flows.get(&self.start).and_then(|flow| flow.levels.get(name));
            own.or_else(|| self.flows.get(at.flow.as_str())?.levels.get(name))
        };
        let unread = came.entry.remarks.contains(&Remark::Unread);
        let mut refused = Vec::new();
        for (number, hop) in came.entry.hops.iter().enumerate() {
            let facts = came.facts_at(number, &self.flows);
            let met = |at: &Position, name: &LevelName| {
                level(at, name)
                    .is_some_and(|level| level.is_met(&facts, came.scene.now, call.risk()))
            };
            let flow = self.flows.get(hop.at.flow.as_str()).unwrap();
            let state = flow.state(&hop.at.state).unwrap();
            let denied = hop.outcome.as_ref().is_some_and(|outcome| outcome.as_str() == "denied");
            // Who comes back from a step-up without the level is turned away, as it is written.
            let stepped = state.step_up.is_some()
                && state.requires.as_ref().is_some_and(|(name, _)| !met(&hop.at, name));
            let disclose = &self.flows.get(&self.start).unwrap().disclose;
            let early = |field| disclose.get(field).is_none_or(|name| !met(&hop.at, name));
            let sure = |condition: &Condition| match condition {
                Condition::Fact(fact) => Some(facts.has(*fact)),
                Condition::Level(name, _) => Some(met(&hop.at, name)),
                Condition::Risk(band) => Some(call.risk() == *band),
                Condition::RiskAtLeast(band) => Some(call.risk() >= *band),
                Condition::Attestation(wanted) => Some(call.caller.attestation == *wanted),
                _ => None,
            };
            let asked = match &state.kind {
                Kind::Branch(branch) => {
                    let mut looked_at = Vec::new();
                    for case in &branch.cases {
                        if look(&case.when, &sure, &mut looked_at) == Some(true) {
                            break;
                        }
                    }
                    looked_at.into_iter().any(|condition| match condition {
                        Condition::Field(field, ..) => early(field),
                        Condition::Variable(..) => unread,
                        _ => false,
                    })
                }
                _ => false,
            };
            let inside = state.requires.as_ref().is_none_or(|(name, _)| met(&hop.at, name));
            if (denied && !stepped) || (asked && inside) {
                refused.push(hop.at.clone());
            }
        }
        let mut faults = came.entry.remarks.clone();
        if faults.contains(&Remark::Withheld) {
            refused.extend(came.entry.hops.last().map(|hop| hop.at.clone()));
            faults.retain(|remark| *remark != Remark::Withheld);
        }
        faults.retain(|remark| !matches!(remark, Remark::TooManyTurns | Remark::Unread));
        (refused, faults)
    }
}

/// The parts of a condition that may be looked at, in order and no further than it takes, and whether it holds
/// as far as that is sure.
fn look<'c>(
    condition: &'c Condition,
    sure: &dyn Fn(&Condition) -> Option<bool>,
    looked_at: &mut Vec<&'c Condition>,
) -> Option<bool> {
    let (parts, decides) = match condition {
        Condition::Not(inner) => return look(inner, sure, looked_at).map(|holds| !holds),
        Condition::All(parts) => (parts, false),
        Condition::Any(parts) => (parts, true),
        part => {
            looked_at.push(part);
            return sure(part);
        }
    };
    let mut all = Some(!decides);
    for part in parts {
        match look(part, sure, looked_at) {
            Some(holds) if holds == decides => return Some(decides),
            Some(_) => {}
            None => all = None,
        }
    }
    all
}

/// The fields that a state says, sends or keeps.
pub(super) fn fields(state: &callgate::flow::state::State) -> Vec<String> {
    let mut uses: Vec<_> =
        state.prompts().into_iter().flat_map(callgate::flow::prompt::Prompt::uses).collect();
    if let Kind::Set(set) = &state.kind {
        for value in &set.values {
            if let callgate::flow::states::set::Assigned::Text(template) = &value.to {
                uses.extend(&template.uses);
            }
        }
    }
    let field = |used: &&Use| match used {
        Use::Field(field) => Some(field.to_string()),
        _ => None,
    };
    uses.iter().filter_map(field).collect()
}
