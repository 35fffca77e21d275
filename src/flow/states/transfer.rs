//! Hands the caller over to a specialist: a number, a SIP address, a queue, a TaskRouter workflow or a
//! conference.
//!
//! `to` names one of them. With a `whisper` (numbers and SIP alone) the specialist hears what was proved
//! and how long ago ("Verified by PIN, 2 minutes ago." or "Not verified."), then those words, and takes
//! the call by pressing 1; otherwise it is `declined`. `share` names the account fields handed over with
//! the call, each only if the facts allow it at that moment.
//!
//! A workflow's task and a SIP address's header fields also say which facts are proved, how old each is
//! and which levels are met, and carry a signed voucher for this, which other systems can check.
//!
//! Each caller has a conference of their own, called by the name given, a hyphen and the call's id: whoever is
//! in one hears everybody in it. From a conference with an `agent_step_up` the specialist can ask, through
//! the admin API, that the caller prove more. The caller leaves the conference for that state, alone, and a
//! `return` leads back; the specialist learns only whether the level was met.

use std::time::Duration;

use super::{Key, Outcome, Shape, StateReader, StateType, read_target};
use crate::diagnostic::fix::Fix;
use crate::diagnostic::{Finding, Place};
use crate::document::Item;
use crate::flow::name::{FieldName, fills_in};
use crate::flow::prompt::Prompt;
use crate::flow::state::{Kind, Target};
use crate::limits;
use crate::phone::PhoneNumber;

/// A state that hands over.
#[derive(Debug)]
pub struct Transfer {
    /// To whom.
    pub to: To,
    /// Said to the caller first.
    pub prompt: Option<Prompt>,
    /// Said to the specialist, who must accept.
    pub whisper: Option<Prompt>,
    /// The account fields handed over.
    pub share: Vec<(FieldName, Place)>,
    /// How long it rings.
    pub timeout: Duration,
    /// Where the caller proves more when the specialist asks for it; only from a conference.
    pub agent_step_up: Option<Target>,
}

/// Where a transfer leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// A number.
    Number(PhoneNumber),
    /// A SIP address.
    Sip(String),
    /// A queue by name.
    Queue(String),
    /// A TaskRouter workflow.
    Workflow(String),
    /// A conference by name.
    Conference(String),
}

const TIMEOUT: Duration = Duration::from_secs(30);
/// What a caller can be led to.
pub const TARGETS: [&str; 5] = ["number", "sip", "queue", "workflow", "conference"];

/// `transfer`
pub const TYPE: StateType = StateType {
    name: "transfer",
    source: include_str!("transfer.rs"),
    outcomes: &[
        Outcome::Completed,
        Outcome::Busy,
        Outcome::NoAnswer,
        Outcome::Failed,
        Outcome::Declined,
    ],
    keys: &[
        Key::required("to", Shape::Target, "Where it leads."),
        Key::new("prompt", Shape::Prompt, "Said to the caller first."),
        Key::new("whisper", Shape::Prompt, "Said to the specialist, who presses 1 to accept."),
        Key::new("share", Shape::Texts, "The account fields handed over, if the facts allow it."),
        Key::new("timeout", Shape::Duration, "How long it rings: \"30s\"."),
        Key::new(
            "agent_step_up",
            Shape::State,
            "Where the caller proves more when the specialist in the conference asks for it.",
        ),
    ],
    read: |state| Some(Kind::Transfer(read(state)?)),
};

fn read(state: &StateReader<'_, '_>) -> Option<Transfer> {
    let prompt = state.optional_prompt("prompt");
    let whisper = state.optional_prompt("whisper");
    let timeout = state.item("timeout");
    let timeout = timeout.and_then(|t| t.duration(Duration::from_secs(5), Duration::from_mins(10)));
    let share = state.item("share").and_then(|share| share.list()).unwrap_or_default();
    let share = share.iter().filter_map(|f| Some((f.name()?.into(), f.place()))).collect();
    let target = state.required("to")?;
    let to = read_to(&target)?;
    if whisper.is_some() && !matches!(to, To::Number(_) | To::Sip(_)) {
        state.table.report(
            Finding::error(
                "bad-transfer",
                "only a number or a SIP address can hear a whisper",
                target.place(),
            )
            .help("leave `whisper` out; what `share` names is handed over with the call"),
        );
    }
    let asked = state.item("agent_step_up");
    if let Some(item) = asked.as_ref().filter(|_| !matches!(to, To::Conference(_))) {
        let message = "only from a conference can a caller be taken to prove more, and back";
        item.report(
            Finding::error("bad-transfer", message, item.place())
                .help("transfer to a `conference`, or leave `agent_step_up` out"),
        );
    }
    let agent_step_up = asked.and_then(|item| read_target(&item));
    let timeout = timeout.unwrap_or(TIMEOUT);
    Some(Transfer { to, prompt, whisper, share, timeout, agent_step_up })
}

/// The number that is meant by one with blanks, dots, dashes and brackets.
fn without_blanks(text: &str) -> Option<String> {
    let marks = |c: char| c.is_whitespace() || matches!(c, '.' | '-' | '/' | '(' | ')');
    let plain = text.replace("(0)", "").replace(marks, "");
    PhoneNumber::parse(&plain).is_some().then_some(plain)
}

fn read_to(item: &Item<'_>) -> Option<To> {
    if let Some(text) = item.as_text() {
        return bare(item, text);
    }
    let table = item.table("`to`")?;
    let given: Vec<_> = TARGETS.into_iter().filter_map(|key| table.item(key)).collect();
    table.finish_among(TARGETS);
    let [target] = given.as_slice() else {
        item.report(
            Finding::error("bad-transfer", "`to` must name exactly one target", item.place())
                .help(format!("one of: {}", TARGETS.join(", "))),
        );
        return None;
    };
    let text = target.name()?;
    let refuse = |message: &str| {
        let message = format!("`{text}` {message}");
        let finding = Finding::error("bad-transfer", message, target.place());
        target.report(finding.maybe_help(how_to_write(target.key, text)));
        None
    };
    match target.key {
        "number" => match PhoneNumber::parse(text) {
            Some(number) => Some(To::Number(number)),
            None if fills_in(text) => refuse("is to be fixed: nothing is filled in there"),
            None => refuse("is not a number such as +15005550010"),
        },
        "sip" if is_sip_address(text) => Some(To::Sip(text.into())),
        "sip" => refuse("is not an address such as sip:desk@example.com"),
        "workflow" if is_workflow(text) => Some(To::Workflow(text.into())),
        "workflow" => refuse("is not a workflow: WW and 32 hexadecimal digits"),
        _ if fills_in(text) => refuse("is to be fixed: nothing is filled in there"),
        _ if text.chars().count() > 64 => refuse("is longer than 64 characters"),
        key if text.contains(char::is_control) => {
            let message = format!("the name of a {key} is one line of text");
            target.report(Finding::error("bad-transfer", message, target.place()));
            None
        }
        "queue" => Some(To::Queue(text.into())),
        _ => Some(To::Conference(text.into())),
    }
}

/// How a target of this kind is written.
fn how_to_write(key: &str, text: &str) -> Option<String> {
    match key {
        "number" => Some(match without_blanks(text) {
            Some(number) => format!("write it without blanks: `{number}`"),
            None => "write it in full, with `+` and its country code".into(),
        }),
        "sip" => Some(
            "an address begins with `sip:`, has an `@` in it and no blanks, 255 characters at most"
                .into(),
        ),
        _ => None,
    }
}

fn is_sip_address(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '<' | '>' | '"' | '&');
    (text.starts_with("sip:") || text.starts_with("sips:"))
        && text.contains('@')
        && text.len() <= limits::SIP_BYTES_MAX
        && text.chars().all(plain)
}

/// Whether this is the provider's name of a TaskRouter workflow.
fn is_workflow(text: &str) -> bool {
    text.len() == 34
        && text.starts_with("WW")
        && text.bytes().skip(2).all(|b| b.is_ascii_hexdigit())
}

/// A target that does not say what it is.
fn bare(item: &Item<'_>, text: &str) -> Option<To> {
    let key = match text {
        _ if text.starts_with("sip") => "sip",
        _ if PhoneNumber::parse(text).is_some() => "number",
        _ => "queue",
    };
    let message = "`to` does not say what it names";
    let named = format!("{{ {key} = {} }}", toml::Value::from(text));
    let title = format!("write `to = {named}`");
    let fix = (key != "queue").then(|| Fix::replace(title, item.place(), &named));
    item.report(
        Finding::error("bad-transfer", message, item.place())
            .help(format!("write `to = {named}`; what can be named: {}", TARGETS.join(", ")))
            .fix(fix),
    );
    None
}
