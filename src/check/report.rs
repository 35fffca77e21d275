//! Where a rule reports.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::Rule;
use crate::diagnostic::alike::Alike;
use crate::diagnostic::{Finding, Place, Severity};
use crate::flow::state::State;

/// The warnings that came and were accepted, by the state that accepts them and their codes.
#[derive(Debug, Default)]
pub(super) struct Accepted(HashSet<(*const State, &'static str)>);

/// Takes the findings of one rule, except those that the designer accepts, and so many of what is alike as
/// anybody reads.
#[derive(Debug)]
pub struct Report<'r> {
    rule: &'static Rule,
    findings: &'r mut Vec<Finding>,
    alike: &'r mut Alike,
    accepted: &'r mut Accepted,
    /// The state that was asked about last, and whether it accepts what this rule reports.
    accepts: Option<(*const State, bool)>,
}

impl<'r> Report<'r> {
    pub(super) fn new(
        rule: &'static Rule,
        findings: &'r mut Vec<Finding>,
        alike: &'r mut Alike,
        accepted: &'r mut Accepted,
    ) -> Self {
        Self { rule, findings, alike, accepted, accepts: None }
    }

    /// A finding of this rule, to be completed and handed to [`Self::add`] or [`Self::add_at`].
    pub fn finding(&self, message: impl Into<String>, place: &Place) -> Finding {
        Finding::new(self.rule.code, self.rule.severity, message, place.clone())
    }

    /// Reports what concerns the flow as a whole.
    pub fn add(&mut self, finding: Finding) {
        let takes = |place| self.alike.takes(finding.code, finding.severity, place);
        if finding.place().is_none_or(takes) {
            self.findings.push(finding);
        }
    }

    /// Reports what concerns a state, unless its `accept` names this warning. Errors cannot be
    /// accepted.
    pub fn add_at(&mut self, state: &State, finding: Finding) {
        if !self.accepted(state) {
            self.add(finding);
        }
    }

    /// The same for what takes long to put in words: that is done only if it is told.
    pub fn tell(&mut self, state: &State, place: &Place, finding: impl FnOnce(&Self) -> Finding) {
        if !self.accepted(state) && self.alike.takes(self.rule.code, self.rule.severity, place) {
            let finding = finding(self);
            self.findings.push(finding);
        }
    }

    /// The files in which there are errors, as far as rules before this one have told.
    pub(super) fn with_errors(&self) -> BTreeSet<Arc<str>> {
        let errors = self.findings.iter().filter(|it| it.severity == Severity::Error);
        errors.filter_map(Finding::place).map(|place| place.file.clone()).collect()
    }

    /// Whether a warning of this code has come to a state that accepts it.
    pub fn was_accepted(&self, state: &State, code: &'static str) -> bool {
        self.accepted.0.contains(&(std::ptr::from_ref(state), code))
    }

    fn accepted(&mut self, state: &State) -> bool {
        if self.rule.severity == Severity::Error {
            return false;
        }
        // A state may be reported many times, and accept very much.
        match self.accepts {
            Some((asked, accepts)) if std::ptr::eq(asked, state) => accepts,
            _ => {
                let accepts = state.accept.iter().any(|(code, _)| code == self.rule.code);
                self.accepts = Some((state, accepts));
                if accepts {
                    self.accepted.0.insert((state, self.rule.code));
                }
                accepts
            }
        }
    }
}
