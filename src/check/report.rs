//! Where a rule reports.

use super::Rule;
use crate::diagnostic::{Finding, Place, Severity};
use crate::flow::state::State;

/// Takes the findings of one rule, except those that the designer accepts.
#[derive(Debug)]
pub struct Report<'r> {
    rule: &'static Rule,
    findings: &'r mut Vec<Finding>,
}

impl<'r> Report<'r> {
    pub(super) fn new(rule: &'static Rule, findings: &'r mut Vec<Finding>) -> Self {
        Self { rule, findings }
    }

    /// A finding of this rule, to be completed and handed to [`Self::add`] or [`Self::add_at`].
    pub fn finding(&self, message: impl Into<String>, place: &Place) -> Finding {
        Finding::new(self.rule.code, self.rule.severity, message, place.clone())
    }

    /// Reports what concerns the flow as a whole.
    pub fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Reports what concerns a state, unless its `accept` names this warning. Errors cannot be
    /// accepted.
    pub fn add_at(&mut self, state: &State, finding: Finding) {
        let accepted = state.accept.iter().any(|(code, _)| code == finding.code);
        if !accepted || finding.severity == Severity::Error {
            self.add(finding);
        }
    }
}
