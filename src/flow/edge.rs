//! The edges of a flow's graph: every way from one state to another.

use super::outcome::Outcome;
use super::state::{Kind, State, Target};

/// A way from a state to another.
#[derive(Clone, Debug)]
pub struct Edge<'f> {
    /// When it is taken.
    pub label: Label,
    /// Where it leads.
    pub to: &'f Target,
}

/// When an edge is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// The caller presses a key.
    Key(char),
    /// The caller says a phrase.
    Phrase(String),
    /// The state ends so.
    Outcome(Outcome),
    /// The case of this number holds, from 0.
    Case(usize),
    /// The level is missing, and can be proved there.
    StepUp,
    /// The specialist asks for more, which can be proved there.
    AgentStepUp,
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key(key) => write!(f, "{key}"),
            Self::Phrase(phrase) => write!(f, "\"{phrase}\""),
            Self::Outcome(outcome) => write!(f, "{outcome}"),
            Self::Case(number) => write!(f, "case {}", number + 1),
            Self::StepUp => f.write_str("step_up"),
            Self::AgentStepUp => f.write_str("agent_step_up"),
        }
    }
}

impl State {
    /// Every way out, in the author's order.
    pub fn edges(&self) -> Vec<Edge<'_>> {
        let mut edges = Vec::new();
        match &self.kind {
            Kind::Menu(menu) => {
                let key = |(key, to): (&char, _)| Edge { label: Label::Key(*key), to };
                edges.extend(menu.keys.iter().map(key));
                let phrase =
                    |(phrase, to): (&String, _)| Edge { label: Label::Phrase(phrase.clone()), to };
                edges.extend(menu.phrases.iter().map(phrase));
            }
            Kind::Branch(branch) => {
                let cases = branch.cases.iter().enumerate();
                edges.extend(cases.map(|(n, case)| Edge { label: Label::Case(n), to: &case.next }));
            }
            _ => {}
        }
        let outcome =
            |(outcome, to): (&Outcome, _)| Edge { label: Label::Outcome(outcome.clone()), to };
        edges.extend(self.routes.iter().map(outcome));
        let asked = self.agent_step_up().into_iter();
        edges.extend(asked.map(|to| Edge { label: Label::AgentStepUp, to }));
        edges.extend(self.step_up.iter().map(|to| Edge { label: Label::StepUp, to }));
        edges
    }
}
