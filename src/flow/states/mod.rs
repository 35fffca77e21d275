//! The state types, one a file: what a designer may write in each.
//!
//! The comment at the head of each file is the type's page in the reference; `schema` and the docs
//! print it. What the types do at run time is in [`crate::engine`].

pub mod branch;
pub mod call;
pub mod callback;
pub mod gather;
pub mod gather_otp;
pub mod gather_passcode;
pub mod gather_pin;
pub mod gather_service_code;
pub mod hangup;
pub mod identify;
pub mod lookup;
pub mod menu;
mod read;
pub mod reject;
pub mod returns;
pub mod say;
pub mod send_email_otp;
pub mod send_link;
pub mod send_sms_otp;
pub mod set;
pub mod transfer;
pub mod voicemail;

use super::outcome::Outcome;
use super::state::Kind;

pub(super) use read::{StateReader, Vocabulary, read_localized, read_target};

/// A state type as data.
#[derive(Debug)]
pub struct StateType {
    /// Its name in a flow file.
    pub name: &'static str,
    /// The source of its file, whose head is its page.
    pub source: &'static str,
    /// How it can end: each must be routed.
    pub outcomes: &'static [Outcome],
    /// The keys it may have, beside those that every state may have.
    pub keys: &'static [Key],
    pub(super) read: fn(&StateReader<'_, '_>) -> Option<Kind>,
}

/// A key of a state.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What its value looks like.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
    /// One sentence.
    pub doc: &'static str,
}

/// What a value looks like, as far as a schema can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Any text.
    Text,
    /// The name of a state.
    State,
    /// Words to be spoken.
    Prompt,
    /// Words to be sent, or `true`.
    Notice,
    /// A whole number from and to.
    Integer(u64, u64),
    /// `true` or `false`.
    Boolean,
    /// `"5s"`.
    Duration,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of these words.
    Choices(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// A table of names to states.
    Routes,
    /// A table of names to values.
    Values,
    /// A table of variables to variables.
    Variables,
    /// A table of variables to types and labels.
    Gives,
    /// A list of cases.
    Cases,
    /// Where a transfer leads.
    Target,
}

impl Shape {
    /// The same in words: "a whole number, 1 to 9".
    pub(in crate::flow) fn words(self) -> String {
        let choice = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
            words.join(", ")
        };
        match self {
            Self::Text => "text".into(),
            Self::State => "a state".into(),
            Self::Prompt => "a prompt".into(),
            Self::Notice => "a prompt, or `true`".into(),
            Self::Integer(min, u64::MAX) => format!("a number from {min}"),
            Self::Integer(min, max) => format!("a whole number, {min} to {max}"),
            Self::Boolean => "`true` or `false`".into(),
            Self::Duration => "a duration".into(),
            Self::Choice(of) => format!("one of {}", choice(of)),
            Self::Choices(of) => format!("a list of {}", choice(of)),
            Self::Texts => "a list of texts".into(),
            Self::Routes => "a table of names to states".into(),
            Self::Values => "a table of names to values".into(),
            Self::Variables => "a table of variables to variables".into(),
            Self::Gives => "a table of variables to `{ type = …, label = … }`".into(),
            Self::Cases => "a list of `{ when = {…}, next = … }`".into(),
            Self::Target => {
                "a table of one of `number`, `sip`, `queue`, `workflow`, `conference`".into()
            }
        }
    }
}

impl Key {
    const fn new(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self { name, shape, required: false, doc }
    }

    const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self { name, shape, required: true, doc }
    }
}

/// Every state type.
pub const TYPES: &[&StateType] = &[
    &say::TYPE,
    &menu::TYPE,
    &gather::TYPE,
    &identify::TYPE,
    &gather_pin::TYPE,
    &gather_passcode::TYPE,
    &send_sms_otp::TYPE,
    &send_email_otp::TYPE,
    &send_link::TYPE,
    &gather_otp::TYPE,
    &gather_service_code::TYPE,
    &callback::TYPE,
    &transfer::TYPE,
    &voicemail::TYPE,
    &lookup::TYPE,
    &branch::TYPE,
    &set::TYPE,
    &call::TYPE,
    &returns::TYPE,
    &hangup::TYPE,
    &reject::TYPE,
];

/// Keys that every state may have.
pub const COMMON: &[Key] = &[
    Key::required("type", Shape::Text, "What the state does."),
    Key::new("requires", Shape::Text, "The level a caller must meet to enter."),
    Key::new("step_up", Shape::State, "Where a caller who does not meet the level can prove more."),
    Key::new("on", Shape::Routes, "Where each outcome leads."),
    Key::new(
        "notify",
        Shape::Notice,
        "What the owner is told, over another channel, when a caller is let in; `true`: our words.",
    ),
    Key::new("accept", Shape::Texts, "Warnings of `check` that the designer accepts here."),
];

/// Keys of every state that listens.
const PROMPT: Key = Key::required("prompt", Shape::Prompt, "What the caller hears.");
const REPROMPT: Key =
    Key::new("reprompt", Shape::Prompt, "The wording of the tries between the first and the last.");
const LAST_PROMPT: Key = Key::new("last_prompt", Shape::Prompt, "The wording of the last try.");
const TRIES: Key = Key::new("tries", Shape::Integer(1, 9), "Tries, the first included: 3.");
const TIMEOUT: Key = Key::new("timeout", Shape::Duration, "Silence that ends a try: \"5s\".");
const BARGE_IN: Key =
    Key::new("barge_in", Shape::Boolean, "Whether input cuts the prompt short: true.");
const VERDICT: Key = Key::new(
    "verdict",
    Shape::Choice(&["own", "combined"]),
    "Whether the caller hears at once that an entry is wrong, or with the next proof: \"own\".",
);
const NEXT: Key = Key::required("next", Shape::State, "The state that follows.");

/// Whether the verdict on an entry is given with that on the next proof.
fn combined(state: &StateReader<'_, '_>) -> bool {
    let verdict = state.item("verdict");
    verdict.and_then(|verdict| verdict.choice(&[("own", false), ("combined", true)])) == Some(true)
}

impl StateType {
    /// The page: the head of its file without the comment marks.
    pub fn page(&self) -> String {
        let head = self.source.lines().take_while(|line| line.starts_with("//!"));
        let text = head.map(|line| line.trim_start_matches("//!").trim_start());
        text.collect::<Vec<_>>().join("\n")
    }
}
