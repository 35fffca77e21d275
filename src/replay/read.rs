//! A transcript is read strictly: every key accounted for, every problem at its place.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::transcript::{
    Act, CHECKS, DIALS, ENDS, Expected, FATES, Input, MESSAGES, OTP_BACKENDS, OTPS, QUEUES,
    REFUSALS, ROLES, SERVED, SPECIALISTS, SPOKEN, Transcript, Turn, WAIT_MAX, WAIT_MIN, WEB_LEVELS,
};
use crate::config::read_policy;
use crate::diagnostic::{Finding, Problems, any_error, did_you_mean};
use crate::directory::Directory;
use crate::directory::accounts::{Accounts, Secrets};
use crate::document::{self, Item, Reader};
use crate::engine::call::Position;
use crate::engine::eligibility::Fit;
use crate::engine::policy::Policy;
use crate::engine::risk::SIGNALS;
use crate::engine::{Unenforced, Waived};
use crate::flow::condition::{ATTESTATIONS, Attestation};
use crate::flow::level::Fact;
use crate::phone::PhoneNumber;

/// A Monday, ten o'clock in New York.
const CLOCK: &str = "2026-11-23T15:00:00Z";
/// The number called, unless the transcript says otherwise.
pub(super) const LINE: &str = "+15005550006";

/// The things that can happen in a turn.
pub const INPUTS: [&str; 19] = [
    "ring",
    "digits",
    "speech",
    "silence",
    "wait",
    "otp",
    "service_code",
    "callback_code",
    "callback",
    "poll",
    "hangup",
    "retry",
    "stale",
    "message_status",
    "dial",
    "whisper",
    "queue",
    "recorded",
    "step_up",
];

impl Transcript {
    /// Reads a transcript and says everything that is wrong with it; `None`: it cannot be run.
    pub fn read(file: &str, text: &str) -> (Option<Self>, Vec<Finding>) {
        let problems = Problems::default();
        let transcript = document::read(&file.into(), text, &problems, read_transcript);
        let findings = problems.into_findings();
        (transcript.filter(|_| !any_error(&findings)), findings)
    }
}

fn read_transcript(root: Reader<'_>) -> Option<Transcript> {
    let root = root.named("the transcript".into());
    let flow = root.required("flow").and_then(|item| item.name());
    let flows = root.item("flows").and_then(|item| item.name()).map(str::to_owned);
    let clock = root.item("clock").map_or_else(|| CLOCK.parse().ok(), |item| item.timestamp());
    let seed = root.item("seed").map_or(Some(1), |item| item.integer(0, u64::MAX));
    let from = root.item("from").and_then(|item| read_number(&item));
    let to = root.item("to").and_then(|item| read_number(&item));
    let attestation = root.item("attestation").and_then(|item| item.choice(&ATTESTATIONS));
    let forwarded = root.item("forwarded").and_then(|item| item.boolean());
    let signals = root.item("signals").and_then(|item| item.list()).unwrap_or_default();
    let signals = signals.iter().filter_map(|signal| signal.choice(&SIGNALS)).collect();
    let by_provider = root.item("otp").and_then(|item| item.choice(&OTP_BACKENDS));
    let policy = root.item("policy").map_or_else(|| Some(Policy::default()), |p| read_policy(&p));
    let accounts = root.item("accounts").map(|item| Accounts::read_list(&item, Secrets::Plain));
    let open = root.item("open").and_then(|open| open.boolean());
    let unenforced = root.item("unenforced").map(|item| read_unenforced(&item));
    let turns = root.required("turn").and_then(|item| item.tables("a turn"));
    root.finish();
    let turns: Vec<_> = turns?.into_iter().map(read_turn).collect();
    let turns: Vec<_> = turns.into_iter().collect::<Option<_>>()?;
    let mut policy = policy?;
    policy.otp.by_provider = by_provider.unwrap_or(false);
    // A house that looks one number up looks all of them up.
    policy.look_ups.asked = turns.iter().any(|turn| !turn.act.lookup.is_empty());
    Some(Transcript {
        flow: flow?.to_owned(),
        flows,
        clock: clock?,
        seed: seed?,
        from,
        to: to.map_or_else(|| LINE.to_owned(), |to| to.as_e164().to_owned()),
        attestation: attestation.unwrap_or(Attestation::None),
        forwarded: forwarded.unwrap_or(false),
        signals,
        policy,
        directory: Arc::new(Directory::new(accounts.unwrap_or_default())),
        open: open.unwrap_or(false),
        unenforced: match unenforced {
            Some(demand) => Some(demand?),
            None => None,
        },
        turns,
    })
}

fn read_unenforced(item: &Item<'_>) -> Option<Unenforced> {
    let table = item.table("`unenforced`")?;
    let flow = table.required("flow").and_then(|item| item.name());
    let state = table.required("state").and_then(|item| item.name());
    let field = table.item("field").and_then(|item| item.name());
    let variable = table.item("var").and_then(|item| item.name());
    table.finish();
    let at = Position { flow: flow?.into(), state: state?.into() };
    let demand = match (field, variable) {
        (Some(field), _) => Waived::Field(field.into()),
        (None, Some(variable)) => Waived::Variable(variable.into()),
        (None, None) => Waived::Requires,
    };
    Some(Unenforced { at, demand })
}

fn read_turn(table: Reader<'_>) -> Option<Turn> {
    let given: Vec<_> = INPUTS.into_iter().filter(|input| table.has(input)).collect();
    let input = match given.as_slice() {
        [input] => table.item(input).and_then(|item| Some((read_input(&item, &table)?, item))),
        [] => {
            let help = format!("one of: {}", INPUTS.join(", "));
            let message = "nothing happens in this turn";
            table.report(Finding::error("bad-turn", message, table.place()).help(help));
            None
        }
        [first, second, ..] => {
            let message =
                format!("this turn has `{first}` and `{second}`: one thing happens in it");
            table.report(
                Finding::error("bad-turn", message, table.place())
                    .help("make two turns of it: what must come back stands in each"),
            );
            None
        }
    };
    let on = table.item("on").and_then(|on| on.choice(&ROLES));
    let refused = table.item("refused").and_then(|refused| refused.choice(&REFUSALS));
    let backend = table.item("backend").map(|item| read_answers(&item)).unwrap_or_default();
    let lookup = table.item("lookup").map(|item| read_fits(&item)).unwrap_or_default();
    let verify = table.item("verify").and_then(|verify| verify.choice(&CHECKS));
    let expected = read_expected(&table);
    let place = table.place();
    table.finish_among(INPUTS.into_iter().chain(KEYS));
    let (input, item) = input?;
    let words = match item.as_text() {
        Some(text) => format!("{} = \"{text}\"", item.key),
        None => format!("{} = {}", item.key, item.as_boolean().unwrap_or(true)),
    };
    Some(Turn { place, act: Act { input, on, refused, backend, lookup, verify }, words, expected })
}

/// The keys of a turn beside what happens in it.
pub const KEYS: [&str; 14] = [
    "from", "on", "refused", "backend", "lookup", "verify", "state", "says", "twiml", "effects",
    "facts", "locale", "end", "answered",
];

/// What back ends answer: a table of values or `"failed"`, or a list of them.
fn read_answers(item: &Item<'_>) -> Vec<Option<Json>> {
    if item.is_list() {
        return item.list().iter().flatten().flat_map(read_answers).collect();
    }
    if item.as_text().is_some() {
        return item.choice(&[("failed", ())]).map(|()| None).into_iter().collect();
    }
    let Some(table) = item.table("what a back end answers") else { return Vec::new() };
    vec![Some(read_values(&table))]
}

fn read_values(table: &Reader<'_>) -> Json {
    table.entries().iter().filter_map(|it| Some((it.key.to_owned(), read_value(it)?))).collect()
}

/// A value of an answer, of whatever kind: a back end may answer what no variable takes.
fn read_value(item: &Item<'_>) -> Option<Json> {
    if let Some(flag) = item.as_boolean() {
        return Some(Json::from(flag));
    }
    if let Some(number) = item.as_number() {
        return Some(Json::from(number));
    }
    if let Some(table) = item.peek() {
        return Some(read_values(&table));
    }
    if item.is_list() {
        return Some(item.list()?.iter().filter_map(read_value).collect());
    }
    item.text().map(Json::from)
}

/// The results for numbers that are looked up: a word, or a list of them.
fn read_fits(item: &Item<'_>) -> Vec<Fit> {
    if item.is_list() {
        return item.list().iter().flatten().flat_map(read_fits).collect();
    }
    item.choice(&Fit::ALL).into_iter().collect()
}

fn read_input(item: &Item<'_>, table: &Reader<'_>) -> Option<Input> {
    Some(match item.key {
        "ring" => {
            flag(item)?;
            Input::Ring(table.item("from").and_then(|from| read_number(&from)))
        }
        "digits" => {
            let keys = item.text()?;
            if !keys.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'*' | b'#')) {
                item.refuse("bad-digits", "`digits` are keys of a telephone: 0 to 9, * and #");
            }
            Input::Digits(keys.to_owned())
        }
        "speech" => Input::Speech(item.text()?.to_owned()),
        "silence" => flag(item).map(|()| Input::Silence)?,
        "wait" => Input::Wait(item.duration(WAIT_MIN, WAIT_MAX)?),
        "otp" => Input::Otp(item.choice(&OTPS)?),
        "service_code" => Input::ServiceCode(item.choice(&WEB_LEVELS)?),
        "callback_code" => Input::CallbackCode(item.choice(&SPOKEN)?),
        "callback" => Input::Callback(item.choice(&FATES)?),
        "poll" => flag(item).map(|()| Input::Poll)?,
        "hangup" => flag(item).map(|()| Input::Hangup)?,
        "retry" => flag(item).map(|()| Input::Retry)?,
        "stale" => flag(item).map(|()| Input::Stale)?,
        "message_status" => Input::MessageStatus(item.choice(&MESSAGES)?),
        "dial" => Input::Dial(item.choice(&DIALS)?),
        "whisper" => Input::Whisper(item.choice(&SPECIALISTS)?),
        "queue" => Input::Queue(item.choice(&QUEUES)?),
        "step_up" => Input::StepUp(item.name()?.to_owned()),
        _ => Input::Recorded(item.boolean()?),
    })
}

/// A key that is either `true` or missing.
fn flag(item: &Item<'_>) -> Option<()> {
    if item.boolean()? {
        return Some(());
    }
    item.refuse("bad-turn", format!("write `{} = true`, or leave it out", item.key));
    None
}

fn read_expected(table: &Reader<'_>) -> Expected {
    let mut places = Vec::new();
    let mut item = |key: &'static str| {
        let item = table.item(key);
        places.extend(item.iter().map(|item| (key, item.key_place())));
        item
    };
    let state = item("state").and_then(|item| item.name()).map(str::to_owned);
    let says = item("says").and_then(|item| read_texts(&item));
    let twiml = item("twiml").and_then(|item| item.text()).map(str::to_owned);
    let effects = item("effects").and_then(|item| read_texts(&item)).unwrap_or_default();
    let facts = item("facts").and_then(|item| read_facts(&item));
    let locale = item("locale").and_then(|item| item.name()).map(str::to_owned);
    let end = item("end").and_then(|item| item.choice(&ENDS));
    let answered = item("answered").and_then(|item| item.choice(&SERVED));
    Expected { state, says, twiml, effects, facts, locale, end, answered, places }
}

fn read_texts(item: &Item<'_>) -> Option<Vec<String>> {
    item.list()?.iter().map(|text| text.text().map(str::to_owned)).collect()
}

fn read_facts(item: &Item<'_>) -> Option<Vec<Fact>> {
    let fact = |item: &Item<'_>| {
        let name = item.text()?;
        let fact = Fact::parse(name);
        if fact.is_none() {
            let help = did_you_mean(name, Fact::ALL.map(Fact::as_str));
            let message = format!("`{name}` is no fact");
            item.report(Finding::error("unknown-fact", message, item.place()).maybe_help(help));
        }
        fact
    };
    item.list()?.iter().map(fact).collect()
}

fn read_number(item: &Item<'_>) -> Option<PhoneNumber> {
    let number = PhoneNumber::parse(item.text()?);
    if number.is_none() {
        item.refuse("bad-number", format!("`{}` must be in E.164: + and 8 to 15 digits", item.key));
    }
    number
}

/// The time at which a transcript begins, unless it says otherwise.
pub fn default_clock() -> Timestamp {
    CLOCK.parse().unwrap_or_default()
}
