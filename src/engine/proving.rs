//! Proving: an entry is verified, and what is right becomes a fact; at once or, if two proofs share one verdict,
//! with the second.

use super::account::{Claim, Whom};
use super::audit::Deed;
use super::effect::Effect;
use super::machine::{Asks, Machine};
use super::question::{Against, Answer, Question, Verdict, Verify};
use super::states::{contact, notice};
use crate::flow::level::{Fact, Proof};
use crate::flow::outcome::Outcome;
use crate::flow::state::Kind;
use crate::secret::Secret;

impl Machine<'_> {
    /// Verifies an entry, and proves the fact if it is right.
    pub(super) fn verify(
        &mut self,
        factor: Fact,
        entry: Secret,
        against: Against,
        contact: Option<Secret>,
    ) -> Asks<Verdict> {
        let key = self.key();
        // After a wrong entry that the caller has not been told of, the next one is checked against nobody: it
        // takes as much work, is wrong, and counts only for this call.
        let doubt = self.call.doubt;
        let whom = if doubt { Whom::Call(self.call.id) } else { self.call.whom() };
        let asked = Verify {
            key: key.clone(),
            whom: whom.clone(),
            claimed: self.call.claim.whom(self.call.id),
            factor,
            entry,
            against,
            caller: self.call.caller.number.clone(),
        };
        let answer = self.ask(Question::Verify(asked))?;
        let verdict = answer.verdict();
        if let Some(verdict) = verdict {
            self.note(Deed::Attempt { factor, verdict });
        }
        if let Answer::Alerted(_, alert) = answer
            && !doubt
        {
            notice::alert(self, alert, (factor, key.clone()))?;
        }
        // A claim that is no account proves nothing, whatever the answer is.
        let real = matches!(self.call.claim, Claim::Account(_)) && !doubt;
        let verdict = verdict.unwrap_or(Verdict::Wrong);
        let right = matches!(verdict, Verdict::Right | Verdict::RightByOneFactor);
        if !(real && right) {
            let entries = self.call.entries.entry(factor).or_default();
            *entries = entries.saturating_add(1);
            return Ok(if right { Verdict::Wrong } else { verdict });
        }
        let at = self.moment.now;
        let reached = contact.as_ref().and_then(contact::number_named);
        let proof = Proof { at, contact, counts: verdict == Verdict::Right };
        if self.state().is_some_and(|state| state.kind.is_combined()) {
            self.call.facts.0.remove(&factor);
            self.call.on_trial.insert(factor, proof);
        } else {
            self.prove(factor, proof);
        }
        self.effect(Effect::ClearAttempts { whom, factor, key, at, reached });
        Ok(Verdict::Right)
    }

    fn prove(&mut self, factor: Fact, proof: Proof) {
        self.call.facts.0.insert(factor, proof);
        self.proved.push(factor);
        self.note(Deed::Proved { factor });
    }

    /// The caller hears the verdict on all entries so far: what was proved and not yet told counts now, or never.
    pub(super) fn end_trial(&mut self, well: bool) {
        self.call.doubt = false;
        let proofs = std::mem::take(&mut self.call.on_trial);
        // What was proved again meanwhile is fresher than what was on trial.
        let older = |factor: &Fact| !self.call.facts.has(*factor);
        let proofs: Vec<_> = proofs.into_iter().filter(|(it, _)| well && older(it)).collect();
        for (factor, proof) in proofs {
            self.prove(factor, proof);
        }
    }

    /// Whether the caller has not yet heard of a successful proof: such a caller must not hear what happens only
    /// to real accounts, nor only to those for whom the first of two proofs was right.
    pub(super) fn is_stranger(&self) -> bool {
        let call = &self.call;
        call.facts.0.is_empty() || call.doubt || !call.on_trial.is_empty()
    }

    /// An entry was wrong, and the caller is not told yet.
    pub(super) fn doubt(&mut self, factor: Fact) {
        self.call.facts.0.remove(&factor);
        self.call.on_trial.remove(&factor);
        self.call.doubt = true;
    }
}

/// Whether the caller hears with this outcome the verdict on all entries so far.
pub(super) fn gives_verdict(kind: &Kind, outcome: &Outcome) -> bool {
    let own = *outcome == Outcome::Ok && !kind.is_combined();
    kind.is_proof() && (own || matches!(outcome, Outcome::Failed | Outcome::Locked))
}
