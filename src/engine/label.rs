//! Labels: under which levels variables may be heard.
//!
//! What is made of guarded data carries the levels of that data along, through `set`, into sub-flows and
//! out of them. What is set once a branch has asked about guarded data carries its levels too, whatever
//! it is: which way the call took tells of the data. All of it goes when another account is claimed.

use std::collections::BTreeSet;

use super::Waived;
use super::call::{Position, Variable};
use super::machine::Machine;
use crate::flow::condition::Condition;
use crate::flow::name::{LevelName, VariableName};
use crate::flow::state::Kind;
use crate::flow::template::{Template, Use};
use crate::flow::value::Value;

impl Machine<'_> {
    /// Whether a caller may hear a variable now, or a branch go by it.
    pub(super) fn may_hear(&self, variable: &VariableName) -> bool {
        let waived = match self.waived() {
            Some(Waived::Variable(name)) => name == variable,
            Some(Waived::Requires) => {
                let passes = |level| self.is_required_here(level) || self.meets_carried(level);
                let variable = self.call.variables.get(variable);
                variable.is_some_and(|variable| variable.label.iter().all(passes))
            }
            Some(Waived::Field(_)) | None => false,
        };
        waived || self.meets_label_of(variable)
    }

    /// Whether the facts meet every level of a variable now.
    pub(super) fn meets_label_of(&self, variable: &VariableName) -> bool {
        let variable = self.call.variables.get(variable);
        variable.is_none_or(|variable| variable.label.iter().all(|level| self.meets_carried(level)))
    }

    /// Whether the facts meet a level that a variable carries. It may come from another flow than the one
    /// that tells of it: where the start flow has none of that name, those of all flows must be met.
    fn meets_carried(&self, level: &LevelName) -> bool {
        if self.start_flow().is_some_and(|flow| flow.levels.contains_key(level)) {
            return self.meets(level);
        }
        let (now, risk) = (self.moment.now, self.call.risk());
        let mut all = self.setting.flows.iter().filter_map(|flow| flow.levels.get(level));
        self.meets(level) && all.all(|level| level.is_met(&self.call.facts, now, risk))
    }

    /// A text as a variable's value, with the levels of what it is made of.
    pub(super) fn made_of(&self, template: &Template, text: String) -> Variable {
        let (mut label, mut derived) = (BTreeSet::new(), false);
        for used in &template.uses {
            match used {
                Use::Field(field) => {
                    derived = true;
                    let level = self.start_flow().and_then(|flow| flow.disclose.get(field));
                    label.extend(level.cloned());
                }
                Use::Variable(name) => {
                    if let Some(variable) = self.call.variables.get(name) {
                        derived |= variable.derived;
                        label.extend(variable.label.iter().cloned());
                    }
                }
                Use::Code => {}
            }
        }
        Variable { value: Value::Text(text), derived, label }
    }

    /// Gives a variable its value: beside its own levels it gets those of what was asked about on the
    /// way here.
    pub(super) fn assign(&mut self, name: VariableName, mut variable: Variable) {
        variable.label.extend(self.call.asked.iter().cloned());
        variable.derived |= !variable.label.is_empty();
        self.put_variable(name, variable);
    }

    /// Puts a value into a variable. A code whose message named another one there is void: it is good for what was
    /// read beside it, an amount say, and for nothing else (PSD2, RTS 5(1)).
    pub(super) fn put_variable(&mut self, name: VariableName, variable: Variable) {
        let before = self.call.variables.get(&name).map(|before| &before.value);
        if before != Some(&variable.value) && self.is_in_message(&name) {
            self.call.code = None;
        }
        self.call.variables.insert(name, variable);
    }

    /// Whether a code waits whose message fills in this variable of the flow that the call is in.
    fn is_in_message(&self, name: &VariableName) -> bool {
        let Some(code) = &self.call.code else { return false };
        let Position { flow, state } = &code.sender;
        let sender = self.setting.flows.get(flow.as_str()).and_then(|of| of.state(state));
        let message = match sender.map(|sender| &sender.kind) {
            Some(Kind::SendSmsOtp(sender)) => sender.message.as_ref(),
            Some(Kind::SendEmailOtp(sender)) => sender.message.as_ref(),
            _ => None,
        };
        let named = Use::Variable(name.clone());
        *flow == self.call.at.flow && message.is_some_and(|text| text.uses().any(|of| *of == named))
    }

    /// Remembers what a branch asks about, as far as it gets to know it.
    pub(super) fn ask_about<'c>(&mut self, conditions: impl Iterator<Item = &'c Condition>) {
        let mut asked: BTreeSet<LevelName> = BTreeSet::new();
        for condition in conditions {
            match condition {
                Condition::Field(field, ..) if self.may_use(field) => {
                    let level = self.start_flow().and_then(|flow| flow.disclose.get(field));
                    asked.extend(level.cloned());
                }
                Condition::Variable(name, ..) if self.may_hear(name) => {
                    let variable = self.call.variables.get(name);
                    asked.extend(variable.iter().flat_map(|v| v.label.iter().cloned()));
                }
                _ => {}
            }
        }
        self.call.asked.extend(asked);
    }
}
