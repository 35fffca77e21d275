//! Labels: under which levels variables may be heard.
//!
//! What is made of guarded data keeps the levels of that data, through `set`, into sub-flows and out of them.
//! Whatever is set after a branch has asked about guarded data gets its levels too, because the way the call took
//! tells something about the data. All of it is dropped when another account is claimed.

use std::collections::BTreeSet;

use super::Waived;
use super::call::Variable;
use super::machine::Machine;
use crate::flow::condition::Condition;
use crate::flow::name::{LevelName, VariableName};
use crate::flow::template::{Template, Use};
use crate::flow::value::Value;

impl Machine<'_> {
    /// Whether a caller may hear a variable now, or a branch may depend on it.
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

    /// Whether the facts meet a level that a variable carries. The level may come from another flow than the one
    /// that uses the variable: if the start flow has none of that name, those of all flows must be met.
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

    /// Gives a variable its value: besides its own levels, it gets those of what was asked about on the way here.
    pub(super) fn assign(&mut self, name: &VariableName, mut variable: Variable) {
        variable.label.extend(self.call.asked.iter().cloned());
        variable.derived |= !variable.label.is_empty();
        self.put_variable(name, variable);
    }

    /// Puts a value into a variable. A code whose message named another value there becomes void.
    pub(super) fn put_variable(&mut self, name: &VariableName, variable: Variable) {
        self.call.variables.insert(name.clone(), variable);
        self.void_code_of_others(name);
    }

    /// Remembers what a branch asks about, as far as it gets to see it.
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
