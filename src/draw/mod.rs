//! The picture: a flow, the difference of two, or a call's way through one, as SVG, DOT or Mermaid.
//!
//! [`of`] makes a [`Picture`] of a flow, [`between`] one of two editions of it, and [`walked`] marks
//! in it where calls went. A picture is plain data; [`svg`], [`dot`] and [`mermaid`] only write it.

mod condition;
mod cover;
mod diff;
pub mod dot;
mod layout;
pub mod mermaid;
pub mod svg;
mod trace;

use indexmap::IndexMap;

use crate::flow::Flow;
use crate::flow::edge::Label;
use crate::flow::outcome::Outcome;
use crate::flow::state::{Kind, State};

pub use cover::covered;
pub use diff::between;
pub use trace::walked;

/// A flow as boxes and arrows.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// What is drawn, in a line.
    pub title: String,
    /// What else is to be said of it, a line each.
    pub notes: Vec<String>,
    /// The states.
    pub cards: Vec<Card>,
    /// The ways between them.
    pub ways: Vec<Way>,
    /// The flow's levels, in its order.
    pub levels: Vec<String>,
    /// Which marks mean something in it, for the legend.
    pub marks: Vec<Mark>,
}

/// A state in a picture.
#[derive(Clone, Debug)]
pub struct Card {
    /// Its name.
    pub name: String,
    /// Its type, and what it leads to outside the flow.
    pub what: String,
    /// What kind of thing it does.
    pub group: Group,
    /// The level it requires, by its number in the flow's order.
    pub level: Option<(usize, String)>,
    /// Whether the call begins there.
    pub starts: bool,
    /// How it stands out.
    pub mark: Mark,
    /// A word about its mark: what changed, or when it was walked through.
    pub remark: String,
}

/// A way from one state to another; the outcomes that lead alike are one way.
#[derive(Clone, Debug)]
pub struct Way {
    /// The number of the state it leaves.
    pub from: usize,
    /// The number of the state it leads to.
    pub to: usize,
    /// When it is taken.
    pub labels: Vec<String>,
    /// What kind of way it is.
    pub sort: Sort,
    /// How it stands out.
    pub mark: Mark,
}

/// What states do, in few words: the colour of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Speaks.
    Speaks,
    /// Asks for something that proves nothing.
    Asks,
    /// Proves who the caller is, or sends what will.
    Proves,
    /// Decides without the caller.
    Decides,
    /// Hands the caller over.
    HandsOver,
    /// Ends, here or for good.
    Ends,
}

/// Every group with its word in the legend.
pub const GROUPS: [(Group, &str); 6] = [
    (Group::Speaks, "speaks"),
    (Group::Asks, "asks"),
    (Group::Proves, "proves"),
    (Group::Decides, "decides"),
    (Group::HandsOver, "hands over"),
    (Group::Ends, "ends"),
];

/// What kind of way it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sort {
    /// As things should go.
    Onward,
    /// The caller proves more first.
    StepUp,
    /// A failure, an error or a silence.
    Failure,
    /// A call came back this way from a step-up.
    Back,
}

/// How something stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    /// It does not.
    Plain,
    /// It is new.
    Added,
    /// It is no more.
    Removed,
    /// It is another than before.
    Changed,
    /// A call went there.
    Walked,
    /// No call went there.
    Missed,
    /// Calls went there at every level that is possible.
    Covered,
    /// Calls went there, and not at every level or by every way.
    Partly,
    /// Calls were to go there, and none did.
    Uncovered,
}

impl Mark {
    /// Its word in the legend.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "as before",
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Walked => "walked through",
            Self::Missed => "not reached",
            Self::Covered => "reached",
            Self::Partly => "reached in part",
            Self::Uncovered => "never reached",
        }
    }
}

/// The picture of a flow.
pub fn of(flow: &Flow) -> Picture {
    marked(flow, |_, _| Mark::Plain)
}

/// The same with its ways marked; those that lead alike and are marked alike are one way.
fn marked(flow: &Flow, mark: impl Fn(&State, &Label) -> Mark) -> Picture {
    let cards: Vec<_> = flow.states.values().map(|state| card(flow, state)).collect();
    let mut ways: IndexMap<(usize, usize, Sort, Mark), Way> = IndexMap::new();
    for (from, state) in flow.states.values().enumerate() {
        for edge in state.edges() {
            let Some(to) = flow.states.get_index_of(&edge.to.state) else { continue };
            let sort = sort_of(&edge.label);
            let labels = Vec::new();
            let mark = mark(state, &edge.label);
            let way = Way { from, to, labels, sort, mark };
            let label = words(state, &edge.label);
            let way = ways.entry((from, to, sort, mark)).or_insert(way);
            if !way.labels.contains(&label) {
                way.labels.push(label);
            }
        }
    }
    Picture {
        title: flow.name.to_string(),
        notes: Vec::new(),
        cards,
        ways: ways.into_values().collect(),
        levels: flow.levels.keys().map(ToString::to_string).collect(),
        marks: Vec::new(),
    }
}

fn card(flow: &Flow, state: &State) -> Card {
    let what = match &state.kind {
        Kind::Call(call) => format!("call {}", call.flow),
        Kind::Return(back) => match &back.outcome {
            Some((outcome, _)) => format!("return {outcome}"),
            None => "return".to_owned(),
        },
        kind => kind.type_name().to_owned(),
    };
    let level = state
        .requires
        .as_ref()
        .map(|(level, _)| (flow.levels.get_index_of(level).unwrap_or_default(), level.to_string()));
    Card {
        name: state.name.to_string(),
        what,
        group: group_of(&state.kind),
        level,
        starts: state.name == flow.start,
        mark: Mark::Plain,
        remark: String::new(),
    }
}

fn group_of(kind: &Kind) -> Group {
    match kind {
        Kind::Say(_) | Kind::SendLink(_) => Group::Speaks,
        Kind::Menu(_) | Kind::Gather(_) | Kind::Identify(_) => Group::Asks,
        Kind::GatherPin(_)
        | Kind::GatherPasscode(_)
        | Kind::SendSmsOtp(_)
        | Kind::SendEmailOtp(_)
        | Kind::GatherOtp(_)
        | Kind::GatherServiceCode(_)
        | Kind::Callback(_) => Group::Proves,
        Kind::Lookup(_) | Kind::Branch(_) | Kind::Set(_) | Kind::Call(_) => Group::Decides,
        Kind::Transfer(_) | Kind::Voicemail(_) => Group::HandsOver,
        Kind::Return(_) | Kind::Hangup(_) | Kind::Reject(_) => Group::Ends,
    }
}

fn sort_of(label: &Label) -> Sort {
    match label {
        Label::Key(_) | Label::Phrase(_) | Label::Case(_) => Sort::Onward,
        Label::StepUp | Label::AgentStepUp => Sort::StepUp,
        Label::Outcome(outcome) => match outcome {
            Outcome::Next
            | Outcome::Ok
            | Outcome::Found
            | Outcome::Sent
            | Outcome::Completed
            | Outcome::Otherwise
            | Outcome::Named(_) => Sort::Onward,
            Outcome::Failed
            | Outcome::Locked
            | Outcome::Unknown
            | Outcome::Unavailable
            | Outcome::Limited
            | Outcome::Expired
            | Outcome::Undelivered
            | Outcome::NoAnswer
            | Outcome::NoInput
            | Outcome::NoMatch
            | Outcome::Invalid
            | Outcome::Busy
            | Outcome::Declined
            | Outcome::Denied => Sort::Failure,
        },
    }
}

/// The label of an edge, as a designer would say it.
fn words(state: &State, label: &Label) -> String {
    match label {
        Label::Key(key) => key.to_string(),
        Label::Phrase(phrase) => format!("“{phrase}”"),
        Label::Outcome(outcome) => outcome.to_string(),
        Label::StepUp => "step up".to_owned(),
        Label::AgentStepUp => "specialist asks".to_owned(),
        Label::Case(number) => match &state.kind {
            Kind::Branch(branch) => branch
                .cases
                .get(*number)
                .map(|case| condition::words(&case.when))
                .unwrap_or_default(),
            _ => String::new(),
        },
    }
}

impl Group {
    /// The colour of its cards.
    fn fill(self) -> &'static str {
        match self {
            Self::Speaks => "#e4eefb",
            Self::Asks => "#dff3ea",
            Self::Proves => "#fdf0cc",
            Self::Decides => "#ece6f7",
            Self::HandsOver => "#fde3d6",
            Self::Ends => "#e6e6e6",
        }
    }
}

impl Sort {
    /// The colour of its lines.
    fn colour(self) -> &'static str {
        match self {
            Self::Onward => "#4a5560",
            Self::StepUp => "#2458c7",
            Self::Failure => "#b4693f",
            Self::Back => "#0b6bcb",
        }
    }
}

impl Mark {
    /// The colour that makes it stand out.
    fn colour(self) -> Option<&'static str> {
        match self {
            Self::Plain | Self::Missed => None,
            Self::Added | Self::Covered => Some("#1a7f37"),
            Self::Removed | Self::Uncovered => Some("#cf222e"),
            Self::Changed | Self::Partly => Some("#bf8700"),
            Self::Walked => Some("#0b6bcb"),
        }
    }
}

impl Picture {
    /// The colour round a card: its mark's; or its level's, where a picture has no marks to mistake it for.
    fn border(&self, card: &Card) -> Option<&'static str> {
        let level = card.level.as_ref().filter(|_| self.marks.is_empty());
        card.mark.colour().or(level.map(|(number, _)| level_colour(*number)))
    }
}

/// The colours of levels, in the flow's order; a flow with more begins again.
const LEVELS: [&str; 5] = ["#2f7ed8", "#8a4fbf", "#c0392b", "#00796b", "#6d4c41"];

fn level_colour(number: usize) -> &'static str {
    LEVELS.get(number % LEVELS.len()).copied().unwrap_or("#555")
}
