//! What the provider understands, as far as callgate speaks it: elements, attributes, values and
//! nesting as data, and a check of any document against them.
//!
//! The grammar is Twilio's reference narrowed to what [`render`](super::render) writes, and made
//! stricter where the provider merely warns or where silence would end a call by accident. A
//! misspelt attribute only earns a warning in the provider's console and quietly changes the call,
//! so nothing unknown passes here.

mod read;
mod rules;

pub use self::read::Node;
use super::language;
use crate::limits;

/// An element that callgate writes.
#[derive(Clone, Copy, Debug)]
pub struct Element {
    /// Its name; letter case counts.
    pub name: &'static str,
    /// The elements directly inside which it may stand.
    pub parents: &'static [&'static str],
    /// The attributes that it may have.
    pub attributes: &'static [Attribute],
    /// What text it holds.
    pub text: Text,
}

/// An attribute of an element.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Its name; letter case counts.
    pub name: &'static str,
    /// Whether the element must have it.
    pub required: bool,
    /// What it may hold.
    pub value: Value,
}

/// The text of an element.
#[derive(Clone, Copy, Debug)]
pub enum Text {
    /// None.
    None,
    /// Such a value, if there is no element inside instead.
    OrChildren(Value),
    /// Such a value.
    Required(Value),
}

/// What an attribute or a text may hold.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// An absolute http or https address.
    Url,
    /// A whole number within bounds.
    Number(u32, u32),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// One of these keys, or nothing.
    Key(&'static str),
    /// A telephone number.
    Phone,
    /// A SIP address, header fields included.
    Sip,
    /// The name of a voice.
    Voice,
    /// The name of a TaskRouter workflow.
    Workflow,
    /// A list of hints, joined by commas.
    Hints,
    /// Words to speak.
    Speech,
    /// A name of at most so many characters.
    Name(usize),
    /// A JSON object.
    Object,
}

const fn must(name: &'static str, value: Value) -> Attribute {
    Attribute { name, required: true, value }
}

const fn may(name: &'static str, value: Value) -> Attribute {
    Attribute { name, required: false, value }
}

const POST: Value = Value::OneOf(&["POST"]);
const TRUE: Value = Value::OneOf(&["true"]);
const FALSE: Value = Value::OneOf(&["false"]);
const WAIT_S: Value = Value::Number(1, limits::WAIT_S_MAX);
const RECORD_S: Value = Value::Number(limits::RECORD_S_MIN, limits::RECORD_S_MAX);

/// Every element that callgate writes.
pub const ELEMENTS: &[Element] = &[
    Element { name: "Response", parents: &[], attributes: &[], text: Text::None },
    Element {
        name: "Say",
        parents: &["Response", "Gather"],
        attributes: &[may("language", Value::OneOf(language::SAY)), may("voice", Value::Voice)],
        text: Text::Required(Value::Speech),
    },
    Element {
        name: "Play",
        parents: &["Response", "Gather"],
        attributes: &[],
        text: Text::Required(Value::Url),
    },
    Element {
        name: "Pause",
        parents: &["Response", "Gather"],
        attributes: &[must("length", WAIT_S)],
        text: Text::None,
    },
    Element {
        name: "Gather",
        parents: &["Response"],
        attributes: &[
            must("action", Value::Url),
            must("method", POST),
            must("input", Value::OneOf(&["dtmf", "speech", "dtmf speech"])),
            must("actionOnEmptyResult", TRUE),
            must("timeout", WAIT_S),
            may("finishOnKey", Value::Key("0123456789#*")),
            may("numDigits", Value::Number(1, u32::MAX)),
            may("speechTimeout", Value::OneOf(&["auto"])),
            may("language", Value::OneOf(language::GATHER)),
            may("hints", Value::Hints),
        ],
        text: Text::None,
    },
    Element {
        name: "Dial",
        parents: &["Response"],
        attributes: &[
            may("action", Value::Url),
            may("method", POST),
            must("timeout", WAIT_S),
            may("callerId", Value::Phone),
            may("answerOnBridge", TRUE),
        ],
        text: Text::None,
    },
    Element {
        name: "Number",
        parents: &["Dial"],
        attributes: &[may("url", Value::Url), may("method", POST)],
        text: Text::Required(Value::Phone),
    },
    Element {
        name: "Sip",
        parents: &["Dial"],
        attributes: &[may("url", Value::Url), may("method", POST)],
        text: Text::Required(Value::Sip),
    },
    Element {
        name: "Conference",
        parents: &["Dial"],
        attributes: &[may("endConferenceOnExit", FALSE)],
        text: Text::Required(Value::Name(limits::CONFERENCE_CHARS_MAX)),
    },
    Element {
        name: "Enqueue",
        parents: &["Response"],
        attributes: &[
            must("action", Value::Url),
            must("method", POST),
            may("workflowSid", Value::Workflow),
        ],
        text: Text::OrChildren(Value::Name(limits::QUEUE_CHARS_MAX)),
    },
    Element {
        name: "Task",
        parents: &["Enqueue"],
        attributes: &[],
        text: Text::Required(Value::Object),
    },
    Element {
        name: "Record",
        parents: &["Response"],
        attributes: &[
            must("action", Value::Url),
            must("method", POST),
            must("maxLength", RECORD_S),
            must("timeout", WAIT_S),
            must("finishOnKey", Value::Key("0123456789#*")),
            must("playBeep", TRUE),
        ],
        text: Text::None,
    },
    Element {
        name: "Redirect",
        parents: &["Response"],
        attributes: &[must("method", POST)],
        text: Text::Required(Value::Url),
    },
    Element {
        name: "Reject",
        parents: &["Response"],
        attributes: &[must("reason", Value::OneOf(&["rejected", "busy"]))],
        text: Text::None,
    },
    Element { name: "Hangup", parents: &["Response"], attributes: &[], text: Text::None },
];

/// Says whether a document is TwiML of the kind that callgate writes; if not, everything that is
/// wrong with it, in the order of the document.
///
/// Beyond [`ELEMENTS`]: at most [`limits::TWIML_BYTES_MAX`] bytes, nothing before the declaration, no
/// character that XML 1.0 forbids, nothing but elements and text, at least one verb, none that the
/// provider could not reach, a redirect after each gather and each recording to the same
/// place, a refusal only as the first verb, and one party to a dial.
///
/// ```
/// # use callgate::twiml::{grammar, hangup};
/// assert_eq!(grammar::validate(&hangup()), Ok(()));
/// assert_eq!(
///     grammar::validate("<Response><HangUp/></Response>"),
///     Err(vec!["`HangUp` is not an element that we write".to_owned()]),
/// );
/// ```
pub fn validate(document: &str) -> Result<(), Vec<String>> {
    let problems = match read::read(document) {
        Ok(root) => rules::problems(&root),
        Err(problem) => vec![problem],
    };
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Reads a document into its elements, so that it can be looked into; the error says why it is no
/// well-formed XML of the plain kind that the provider wants.
pub fn read(document: &str) -> Result<Node, String> {
    read::read(document)
}

/// The element of this name.
pub(super) fn element(name: &str) -> Option<&'static Element> {
    ELEMENTS.iter().find(|element| element.name == name)
}
