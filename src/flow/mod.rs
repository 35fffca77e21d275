//! The language: what a designer may say, read from TOML into a [`Flow`].
//!
//! Reading never stops at the first mistake: [`read`] gives every flow that could be read and every
//! finding of every file. A [`FlowSet`] without errors is closed: each name in it leads somewhere.

pub mod budget;
pub mod canonical;
pub mod condition;
pub mod edge;
pub mod hours;
pub mod level;
pub mod locale;
pub mod name;
pub mod outcome;
pub mod prompt;
mod read;
pub mod reference;
pub mod risk;
pub mod schema;
pub mod state;
pub mod states;
pub mod template;
pub mod value;
pub mod wording;

use std::sync::Arc;

use indexmap::IndexMap;

use crate::diagnostic::Place;
use budget::Budget;
use hours::Hours;
use level::Level;
use locale::Locale;
use name::{FieldName, FlowName, LevelName, StateName, VariableName};
use prompt::Localized;
use state::State;

pub use read::{read, read_one, read_telling};

/// The keys of a flow, with what each is.
pub const KEYS: [(&str, &str); 11] = [
    ("name", "what other flows and the configuration call it"),
    ("start", "the state a call begins in"),
    ("locale", "the language of callers of whom nothing else is known"),
    ("voice", "the provider's voice, or a table of voices by language"),
    ("business", "what the business calls itself"),
    ("currency", "ISO 4217 code for the money filter"),
    ("levels", "what \"authenticated\" means"),
    ("disclose", "who may hear which account field"),
    ("budget", "the highest chances left to somebody who guesses"),
    ("hours", "opening hours by name"),
    ("states", "the states"),
];

/// A parsed flow file.
#[derive(Debug)]
pub struct Flow {
    /// What other flows and the configuration call it.
    pub name: FlowName,
    /// The file it came from.
    pub file: Arc<str>,
    /// Its text, as read.
    pub text: Arc<str>,
    /// Where a call begins.
    pub start: StateName,
    /// The language of callers of whom nothing else is known.
    pub locale: Locale,
    /// The provider's voices by language: none, where the flow says nothing of them.
    pub voices: Localized<String>,
    /// What the business calls itself where nothing more may be said.
    pub business: String,
    /// ISO 4217 code for the `money` filter, where the flow says one.
    pub currency: Option<String>,
    /// What "authenticated" means.
    pub levels: IndexMap<LevelName, Level>,
    /// Who may hear which account field.
    pub disclose: IndexMap<FieldName, LevelName>,
    /// What chance is left to somebody who guesses.
    pub budget: Option<Budget>,
    /// Opening hours by name.
    pub hours: IndexMap<String, Hours>,
    /// The states, in the author's order.
    pub states: IndexMap<StateName, State>,
    /// Every variable that some state assigns, with the first place that does.
    pub variables: IndexMap<VariableName, Place>,
    /// Where names stand that carry no place of their own.
    pub places: Places,
}

/// Where names stand that carry no place of their own: for findings.
#[derive(Clone, Debug)]
pub struct Places {
    /// The flow's name, or its beginning if it has none.
    pub name: Place,
    /// Each field under `disclose`, and the level it is given.
    pub disclose: IndexMap<FieldName, (Place, Place)>,
    /// Opening hours.
    pub hours: IndexMap<String, Place>,
}

/// The currency of amounts where no flow says another.
const CURRENCY: &str = "USD";

impl Flow {
    /// The currency of its amounts in calls that began in `start`: its own, or else that flow's.
    pub fn currency_in<'a>(&'a self, start: Option<&'a Flow>) -> &'a str {
        let of_start = || start.and_then(|start| start.currency.as_deref());
        self.currency.as_deref().or_else(of_start).unwrap_or(CURRENCY)
    }

    /// The voices that it is spoken with in calls that began in `start`: its own, or else that flow's.
    pub fn voices_in<'a>(&'a self, start: Option<&'a Flow>) -> &'a Localized<String> {
        start.filter(|_| self.voices.0.is_empty()).map_or(&self.voices, |start| &start.voices)
    }

    /// A state by name.
    pub fn state(&self, name: &StateName) -> Option<&State> {
        self.states.get(name)
    }

    /// The flows that this one calls.
    pub fn calls(&self) -> impl Iterator<Item = &FlowName> {
        self.states.values().filter_map(|state| match &state.kind {
            state::Kind::Call(call) => Some(&call.flow),
            _ => None,
        })
    }
}

/// Flows that may call each other.
#[derive(Clone, Debug, Default)]
pub struct FlowSet {
    flows: IndexMap<FlowName, Arc<Flow>>,
}

impl FlowSet {
    /// A flow by name.
    pub fn get(&self, name: &str) -> Option<&Arc<Flow>> {
        self.flows.get(name)
    }

    /// All flows, in the order in which their files were read.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Flow>> + Clone {
        self.flows.values()
    }

    /// The flow and everything it calls, directly or through others: what a call needs to the end.
    pub fn closure(&self, start: &str) -> Option<FlowSet> {
        let mut flows = IndexMap::new();
        let mut wanted = vec![self.get(start)?.clone()];
        while let Some(flow) = wanted.pop() {
            if flows.contains_key(&flow.name) {
                continue;
            }
            wanted.extend(flow.calls().filter_map(|name| self.get(name.as_str())).cloned());
            flows.insert(flow.name.clone(), flow);
        }
        Some(FlowSet { flows })
    }
}

impl FromIterator<Arc<Flow>> for FlowSet {
    fn from_iter<I: IntoIterator<Item = Arc<Flow>>>(flows: I) -> Self {
        Self { flows: flows.into_iter().map(|flow| (flow.name.clone(), flow)).collect() }
    }
}
