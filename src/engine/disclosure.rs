//! Disclosure: what the facts of a call allow at this moment.
//!
//! The levels are those of the flow in which the call began, and then those of the flow that the state is in. A
//! replay may let one demand pass unmet, to show what it protects.

use std::collections::BTreeSet;

use super::Waived;
use super::audit::{Deed, Hearer};
use super::machine::Machine;
use crate::flow::level::{Fact, Proof};
use crate::flow::name::{FieldName, LevelName};
use crate::flow::prompt::Prompt;
use crate::flow::state::{Kind, State};
use crate::flow::template::Use;

/// What was put into texts and has levels, until the caller is told: names and levels.
pub(super) type Guarded = (BTreeSet<String>, BTreeSet<LevelName>);

impl Machine<'_> {
    /// Whether the facts meet a level now. A level that does not exist is never met.
    pub(super) fn meets(&self, level: &LevelName) -> bool {
        let own = self.start_flow().and_then(|flow| flow.levels.get(level));
        let level = own.or_else(|| self.flow()?.levels.get(level));
        level.is_some_and(|level| level.is_met(&self.call.facts, self.moment.now, self.call.risk()))
    }

    /// What is proved, and how many seconds ago.
    pub(super) fn proved(&self) -> Vec<(Fact, u64)> {
        let age_s = |proof: &Proof| self.moment.now.duration_since(proof.at).as_secs();
        let facts = self.call.facts.0.iter();
        facts.map(|(fact, proof)| (*fact, u64::try_from(age_s(proof)).unwrap_or(0))).collect()
    }

    /// Those of it that a web session with one factor has made: they are no possession.
    pub(super) fn by_one_factor(&self) -> Vec<Fact> {
        self.call.facts.by_one_factor().collect()
    }

    /// The levels that are met now.
    pub(super) fn levels_met(&self) -> Vec<LevelName> {
        let names = self.start_flow().into_iter().flat_map(|flow| flow.levels.keys());
        names.filter(|name| self.meets(name)).cloned().collect()
    }

    /// Whether a demand of this state is unmet, and is let pass.
    pub(super) fn waives(&self, state: &State) -> bool {
        self.waived().is_some_and(|waived| match waived {
            Waived::Field(field) => !self.has_level_of(field),
            Waived::Variable(variable) => !self.meets_label_of(variable),
            Waived::Requires => {
                state.requires.as_ref().is_some_and(|(level, _)| !self.meets(level))
            }
        })
    }

    /// The demand of the present state that is let pass.
    pub(super) fn waived(&self) -> Option<&Waived> {
        let unenforced = self.setting.unenforced.filter(|it| it.at == self.call.at)?;
        Some(&unenforced.demand)
    }

    /// Whether the facts allow an account field to be used now.
    pub(super) fn may_use(&self, field: &FieldName) -> bool {
        let waived = match self.waived() {
            Some(Waived::Field(name)) => name == field,
            Some(Waived::Requires) => {
                let level = self.start_flow().and_then(|flow| flow.disclose.get(field));
                level.is_some_and(|level| self.is_required_here(level))
            }
            Some(Waived::Variable(_)) | None => false,
        };
        waived || self.has_level_of(field)
    }

    /// Whether the present state requires this level: whoever is let pass without it also hears what is told at
    /// it, because that is the same demand.
    pub(super) fn is_required_here(&self, level: &LevelName) -> bool {
        let requires = self.state().and_then(|state| state.requires.as_ref());
        requires.is_some_and(|(required, _)| required == level)
    }

    fn has_level_of(&self, field: &FieldName) -> bool {
        let level = self.start_flow().and_then(|flow| flow.disclose.get(field));
        level.is_some_and(|level| self.meets(level))
    }

    /// Remembers that this was put into a text, if it has a level.
    pub(super) fn fill_in(&mut self, used: &Use) {
        let (name, levels) = match used {
            Use::Field(field) => {
                let level = self.start_flow().and_then(|flow| flow.disclose.get(field));
                (format!("account.{field}"), level.into_iter().cloned().collect())
            }
            Use::Variable(name) => {
                let variable = self.call.variables.get(name);
                let label = variable.filter(|variable| !variable.label.is_empty());
                let Some(variable) = label else { return };
                (name.to_string(), variable.label.clone())
            }
            Use::Code => return,
        };
        self.filled_in.0.insert(name);
        self.filled_in.1.extend(levels);
    }

    /// Notes for the audit that the texts are now told.
    pub(super) fn told(&mut self, to: Hearer) {
        let (of, levels) = std::mem::take(&mut self.filled_in);
        if of.is_empty() {
            return;
        }
        let at = &self.call.at;
        let state = if at.flow == self.call.flow {
            at.state.to_string()
        } else {
            format!("{}.{}", at.flow, at.state)
        };
        let levels = levels.iter().map(ToString::to_string).collect();
        self.note(Deed::Told { to, state, of: of.into_iter().collect(), levels });
    }

    /// Whether everything that a state says may be said now.
    pub(super) fn may_speak(&self, state: &State) -> bool {
        let sent = state.sent().flat_map(|template| &template.uses);
        let told = state.prompts().into_iter().flat_map(Prompt::uses).chain(sent);
        let heard = told.into_iter().all(|used| match used {
            Use::Field(field) => self.may_use(field),
            Use::Variable(variable) => self.may_hear(variable),
            Use::Code => true,
        });
        // What is set from a variable is not heard yet: the label goes with it.
        let set = match &state.kind {
            Kind::Set(set) => set.texts().flat_map(|text| &text.uses).all(|used| {
                matches!(used, Use::Variable(_) | Use::Code)
                    || matches!(used, Use::Field(field) if self.may_use(field))
            }),
            _ => true,
        };
        heard && set
    }
}
