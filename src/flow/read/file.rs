//! One file: its own grammar, before any name is looked up.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::diagnostic::encoding::Text;
use crate::diagnostic::fix::{Fix, Spelling};
use crate::diagnostic::{Finding, Place, Problems, did_you_mean, listed, nearest};
use crate::document::{self, Item, Reader};
use crate::flow::hours::Hours;
use crate::flow::level::Level;
use crate::flow::locale::{Locale, no_language};
use crate::flow::name::{
    FieldName, LevelName, NAMES, StateName, VariableName, fills_in, is_name, is_voice,
};
use crate::flow::outcome::Outcome;
use crate::flow::prompt::Localized;
use crate::flow::state::{Kind, State, Target};
use crate::flow::states::lookup::ANYONE;
use crate::flow::states::{
    COMMON, StateReader, StateType, TYPES, Vocabulary, read_localized, read_target,
};
use crate::flow::{Flow, KEYS, Places, budget, hours, level, wording};
use crate::limits;

/// The keys of a flow that stand above every table.
const ABOVE: [&str; 6] = ["name", "start", "locale", "voice", "business", "currency"];

/// Those without which there is none.
const REQUIRED: [&str; 3] = ["name", "start", "states"];

/// What other files have, and which these are.
const OTHERS: [(&str, &str); 4] = [
    ("turn", "the transcript of a call"),
    ("accounts", "an accounts file"),
    ("public_url", "a server's configuration"),
    ("twilio", "a server's configuration"),
];

/// Reads a file. A flow whose name could not be read goes by the name of its file, and says so.
pub(super) fn read(file: &Arc<str>, read: &Text, problems: &Problems) -> Option<(Flow, bool)> {
    read.report(file, problems);
    if read.is_utf_16() {
        return None;
    }
    let text = &read.text;
    if text.len() > limits::FLOW_BYTES_MAX {
        let message =
            format!("the file is larger than {} MiB", limits::FLOW_BYTES_MAX / (1024 * 1024));
        let help = "split it into sub-flows, which a `call` state enters";
        problems.add(Finding::error("too-large", message, beginning(file)).help(help));
        return None;
    }
    document::read(file, text, problems, |root| read_flow(file, text, root, problems))
}

/// The first byte of a file, for what is wrong with the file as a whole.
fn beginning(file: &Arc<str>) -> Place {
    Place { file: file.clone(), span: 0..0 }
}

fn read_flow(
    file: &Arc<str>,
    text: &Arc<str>,
    root: Reader<'_>,
    problems: &Problems,
) -> Option<(Flow, bool)> {
    if let Some(finding) = no_flow(&root, file, problems) {
        problems.add(finding);
        return None;
    }
    let root = root.named("the flow".into()).knowing(keys()).heading(&ABOVE);
    let name_item = required(&root, "name");
    let name = name_item.as_ref().and_then(|item| read_name(item, "a flow"));
    let start = required(&root, "start").and_then(|item| read_target(&item));
    let locale = root.item("locale").and_then(|item| read_locale(&item));
    let locale = locale.unwrap_or_else(wording::english);
    let voices = root.item("voice").and_then(|item| read_localized(&item, &locale, read_voice));
    let business = root.item("business").and_then(|item| read_business(&item));
    let currency = root.item("currency").and_then(|item| read_currency(&item));
    // What cannot be read keeps its place, here and among the states, so that what uses it is not
    // reported too.
    let levels = read_table(&root, "levels", |item| {
        if stands_too_low(item) {
            let message = format!("`levels` has no key `{}`", item.key);
            let finding = Finding::error("unknown-key", message, item.key_place());
            item.report(finding.help(document::ABOVE));
            return None;
        }
        check_key(item, "a level");
        if item.key == ANYONE {
            let message = format!("`{ANYONE}` cannot be the name of a level");
            let help =
                format!("label = \"{ANYONE}\" says that no proof is needed: give it another name");
            item.report(Finding::error("bad-name", message, item.key_place()).help(help));
        }
        let level = level::read(item).unwrap_or_else(|| Level::never(item.key_place()));
        Some((item.key.into(), level))
    });
    let disclose = read_table(&root, "disclose", |item| {
        check_key(item, "a field");
        let level = item.name().map(LevelName::from);
        (FieldName::from(item.key), level, (item.key_place(), item.place()))
    });
    let hours = read_table(&root, "hours", |item| {
        check_key(item, "opening hours");
        (item.key.to_owned(), hours::read(item).unwrap_or_else(Hours::never), item.key_place())
    });
    let budget = root.item("budget").and_then(|item| budget::read(&item));
    let words = Vocabulary { locale: locale.clone(), problems };
    let states = root.required("states").and_then(|states| read_states(&states, &words));
    let strays = strays(&root);
    root.finish();
    let (mut states, lost) = states?;
    for stray in strays {
        states.entry(stray.key.into()).or_insert_with(|| unreadable(&stray));
    }
    if let Some(start) = &start {
        check_start(start, &states, problems);
    }
    let places = Places {
        name: name_item.map_or_else(|| beginning(file), |item| item.place()),
        disclose: disclose.iter().map(|(f, _, places)| (f.clone(), places.clone())).collect(),
        hours: hours.iter().map(|(name, _, place)| (name.clone(), place.clone())).collect(),
    };
    let first = states.keys().next().cloned();
    let flow = Flow {
        business: business.or(name).unwrap_or_default().to_owned(),
        name: name.unwrap_or(file).into(),
        file: file.clone(),
        text: text.clone(),
        start: start.map(|start| start.state).or(first)?,
        locale,
        voices: voices.unwrap_or_else(|| Localized(IndexMap::new())),
        currency: currency.map(str::to_owned),
        levels: levels.into_iter().flatten().collect(),
        disclose: disclose
            .into_iter()
            .map(|(field, level, _)| (field, level.unwrap_or_else(|| "".into())))
            .collect(),
        budget,
        hours: hours.into_iter().map(|(name, hours, _)| (name, hours)).collect(),
        variables: variables(&states, lost),
        states,
        places,
    };
    Some((flow, name.is_some()))
}

/// A key that must be there. One that stands in a table further down is reported where that is read.
fn required<'a>(root: &Reader<'a>, key: &'static str) -> Option<Item<'a>> {
    let further_down = || {
        let of = |item: &Item<'a>| item.peek()?.item(key).filter(stands_too_low);
        let levels = root.item("levels").as_ref().and_then(of);
        let tables = ["hours", "states"].into_iter().filter_map(|table| root.item(table)?.peek());
        let mut inside = tables.flat_map(|table| table.entries());
        levels.or_else(|| inside.find_map(|entry| of(&entry)))
    };
    if root.has(key) { root.item(key) } else { further_down().or_else(|| root.required(key)) }
}

/// The keys of a flow.
fn keys() -> [&'static str; KEYS.len()] {
    KEYS.map(|(key, _)| key)
}

/// Whether a key of the whole file stands in a table.
fn stands_too_low(item: &Item<'_>) -> bool {
    ABOVE.contains(&item.key) && item.as_text().is_some()
}

/// The states that do not stand among the states: what leads to them is right.
fn strays<'a>(root: &Reader<'a>) -> Vec<Item<'a>> {
    let is_state = |item: &Item<'a>| item.peek().is_some_and(|table| table.has("type"));
    let (alone, tables): (Vec<_>, Vec<_>) = root.others(&keys()).into_iter().partition(is_state);
    for state in alone.iter().filter_map(|state| root.item(state.key)) {
        let message = format!("the flow has no key `{}`", state.key);
        let finding = Finding::error("unknown-key", message, state.key_place());
        state.report(finding.help(format!("a state is written `[states.{}]`", state.key)));
    }
    let inside = tables.iter().filter_map(Item::peek).flat_map(|table| table.entries());
    alone.into_iter().chain(inside.filter(is_state)).collect()
}

/// Where each variable is set first.
fn variables(states: &States, lost: Lost) -> IndexMap<VariableName, Place> {
    let mut variables = IndexMap::new();
    let assigned = states.values().flat_map(State::assigns);
    let assigned = assigned.map(|(name, place)| (name.clone(), place.clone()));
    for (variable, place) in assigned.chain(lost) {
        variables.entry(variable).or_insert(place);
    }
    variables
}

/// What is said of a file that has nothing of a flow.
fn no_flow(root: &Reader<'_>, file: &Arc<str>, problems: &Problems) -> Option<Finding> {
    if REQUIRED.iter().any(|key| root.has(key)) {
        return None;
    }
    let other = OTHERS.iter().find(|(key, _)| root.has(key));
    let (message, help) = match other {
        Some((_, what)) => (
            format!("this is {what}, and no flow"),
            "keep flows in a folder of their own, or name the files that are flows",
        ),
        None if root.is_empty() && !problems.lost_in(file) => (
            "there is no flow in this file".to_owned(),
            "a flow has a `name`, a `start` and `[states.…]`",
        ),
        None => return None,
    };
    Some(Finding::error("missing-key", message, beginning(file)).help(help))
}

fn check_start(start: &Target, states: &States, problems: &Problems) {
    if !states.contains_key(&start.state) {
        let message = format!("there is no state `{}` to start in", start.state);
        let (written, known) = (start.state.as_str(), states.keys().map(StateName::as_str));
        let finding = Finding::error("unknown-state", message, start.place.clone());
        let finding = finding.maybe_help(did_you_mean(written, known.clone()));
        problems.add(finding.respelt(written, known, Spelling::Value));
    }
}

fn read_name<'a>(item: &Item<'a>, of: &str) -> Option<&'a str> {
    let name = item.name()?;
    if !is_name(name) {
        let message = format!("`{name}` cannot be the name of {of}");
        item.report(Finding::error("bad-name", message, item.place()).help(NAMES));
        return None;
    }
    Some(name)
}

/// What has names is found by them, in texts, in conditions and by others who are told them.
fn check_key(entry: &Item<'_>, of: &str) {
    if !is_name(entry.key) {
        let message = format!("`{}` cannot be the name of {of}", entry.key);
        entry.report(Finding::error("bad-name", message, entry.key_place()).help(NAMES));
    }
}

/// It stands in messages, and in the heads of mails.
fn read_business<'a>(item: &Item<'a>) -> Option<&'a str> {
    let name = item.name()?;
    if name.chars().any(char::is_control) {
        let message = "the name of the business must be one line of text";
        item.report(Finding::error("bad-name", message, item.place()));
        return None;
    }
    if fills_in(name) {
        let message = "the name of the business is fixed: nothing is filled in there";
        item.report(Finding::error("bad-name", message, item.place()));
        return None;
    }
    Some(name)
}

fn read_voice(item: &Item<'_>) -> Option<String> {
    let name = item.name()?;
    if !is_voice(name) {
        let finding =
            Finding::error("bad-name", format!("`{name}` cannot be a voice"), item.place());
        item.report(
            finding.help("a voice is written as the provider writes it: \"Polly.Joanna-Neural\""),
        );
    }
    Some(name.to_owned())
}

fn read_locale(item: &Item<'_>) -> Option<Locale> {
    let text = item.text()?;
    let locale = Locale::parse(text);
    if locale.is_none() {
        item.report(no_language(text, item.place(), Spelling::Value));
    }
    locale
}

fn read_currency<'a>(item: &Item<'a>) -> Option<&'a str> {
    let text = item.text()?;
    let code = text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase());
    if !code {
        let message = format!("`{text}` is not a currency code such as USD");
        let upper = text.trim().to_ascii_uppercase();
        let meant = upper.len() == 3 && upper.bytes().all(|b| b.is_ascii_uppercase());
        let fix = meant.then(|| Fix::respell(&upper, item.place(), Spelling::Value));
        item.report(Finding::error("bad-currency", message, item.place()).fix(fix));
    }
    code.then_some(text)
}

fn read_table<T>(root: &Reader<'_>, key: &'static str, read: impl Fn(&Item<'_>) -> T) -> Vec<T> {
    let table = root.item(key).and_then(|item| item.table(format!("`{key}`")));
    let entries = table.map(|table| table.entries()).unwrap_or_default();
    entries.iter().map(read).collect()
}

type States = IndexMap<StateName, State>;
/// The variables that states assign which could not be read.
type Lost = Vec<(VariableName, Place)>;

fn read_states(item: &Item<'_>, words: &Vocabulary<'_>) -> Option<(States, Lost)> {
    let table = item.table("`states`")?;
    let entries = table.entries();
    if entries.is_empty() {
        item.refuse("empty-value", "the flow has no states");
        return None;
    }
    if entries.len() > limits::STATES_MAX {
        let message = format!("a flow has at most {} states", limits::STATES_MAX);
        let help = "move parts into sub-flows, which a `call` state enters";
        item.report(Finding::error("too-many-states", message, item.place()).help(help));
        return None;
    }
    let (mut states, mut lost) = (States::new(), Lost::new());
    for entry in entries {
        check_key(&entry, "a state");
        let state = read_state(&entry, words).unwrap_or_else(|| {
            lost.extend(assigned_by(&entry));
            unreadable(&entry)
        });
        states.insert(state.name.clone(), state);
    }
    Some((states, lost))
}

fn unreadable(entry: &Item<'_>) -> State {
    State {
        name: entry.key.into(),
        place: entry.key_place(),
        kind: Kind::Hangup(crate::flow::states::hangup::Hangup { prompt: None }),
        requires: None,
        step_up: None,
        routes: IndexMap::new(),
        notify: None,
        accept: Vec::new(),
    }
}

/// What a state assigns, as far as can be told without its type.
fn assigned_by(entry: &Item<'_>) -> Lost {
    let Some(table) = entry.peek() else { return Lost::new() };
    let one = table.item("var").and_then(|var| Some((var.as_text()?.into(), var.place())));
    let tables = ["values", "give"].into_iter().filter_map(|key| table.item(key)?.peek());
    let entries: Vec<_> = tables.flat_map(|table| table.entries()).collect();
    one.into_iter().chain(entries.iter().map(|e| (e.key.into(), e.key_place()))).collect()
}

fn read_state(entry: &Item<'_>, words: &Vocabulary<'_>) -> Option<State> {
    let table = entry.table(format!("state `{}`", entry.key))?;
    let kind_item = table.required_or("type", || {
        let names: Vec<_> = TYPES.iter().map(|of| of.name).collect();
        Some(format!("it may be: {}", names.join(", ")))
    })?;
    let of = read_type(&kind_item)?;
    let table = table.knowing(of.keys.iter().chain(COMMON).map(|key| key.name));
    let requires = table.item("requires").and_then(|r| Some((r.name()?.into(), r.place())));
    let step_up = table.item("step_up").and_then(|target| read_target(&target));
    let accept = table.item("accept").and_then(|accept| accept.list()).unwrap_or_default();
    let accept = accept.iter().filter_map(|a| Some((a.name()?.to_owned(), a.place()))).collect();
    if let (Some(item), false) = (table.item("step_up"), table.has("requires")) {
        let message = format!("state `{}` has a `step_up` and no `requires`", entry.key);
        item.report(
            Finding::error("step-up-without-requires", message, item.key_place())
                .help("say with `requires` which level is to be proved there"),
        );
    }
    let guarded = table.has("requires") || table.has("step_up");
    let routes = read_routes(&table, of, guarded, step_up.is_some());
    if let (Some(item), false) = (table.item("notify"), table.has("requires")) {
        let message = format!("state `{}` has a `notify` and no `requires`", entry.key);
        item.report(
            Finding::error("notify-without-requires", message, item.key_place())
                .help("say with `requires` which level a caller has who is let in"),
        );
    }
    refuse_contacts(&table, of);
    let reader = StateReader { table, words, of };
    let notify = reader.notify();
    let kind = (of.read)(&reader);
    reader.finish();
    Some(State {
        name: entry.key.into(),
        place: entry.key_place(),
        kind: kind?,
        requires,
        step_up,
        routes,
        notify,
        accept,
    })
}

/// Where a code or a ring goes is nothing that a flow says: a key that would say it gets its own answer.
fn refuse_contacts(table: &Reader<'_>, of: &StateType) {
    let sends = ["send_sms_otp", "send_email_otp", "send_link", "callback"].contains(&of.name);
    let keys = ["to", "number", "phone", "address", "email", "recipient"];
    for item in keys.into_iter().filter(|_| sends).filter_map(|key| table.item(key)) {
        let message = format!("{} has no key `{}`", table.what(), item.key);
        let help = "delete it: what is sent and rung goes to the contact on file, never to the number that calls \
                    or one that the caller names";
        item.report(Finding::error("unknown-key", message, item.key_place()).help(help));
    }
}

fn read_type(item: &Item<'_>) -> Option<&'static StateType> {
    let name = item.text()?;
    let found = TYPES.iter().find(|of| of.name == name);
    if found.is_none() {
        let message = format!("there is no state type `{name}`");
        let names: Vec<_> = TYPES.iter().map(|of| of.name).collect();
        let help = did_you_mean(name, names.iter().copied())
            .or_else(|| Some(format!("it may be: {}", names.join(", "))));
        let finding = Finding::error("unknown-type", message, item.place()).maybe_help(help);
        item.report(finding.respelt(name, TYPES.iter().map(|of| of.name), Spelling::Value));
    }
    found.copied()
}

/// Reads `next`, `otherwise` and `on`, and reports outcomes that lead nowhere.
fn read_routes(
    table: &Reader<'_>,
    of: &'static StateType,
    requires: bool,
    step_up: bool,
) -> IndexMap<Outcome, Target> {
    let mut routes = IndexMap::new();
    let on_item = table.item("on");
    let on = on_item.as_ref().and_then(|on| on.table(format!("`on` of {}", table.what())));
    for (key, outcome) in [("next", Outcome::Next), ("otherwise", Outcome::Otherwise)] {
        let misplaced = on.as_ref().is_some_and(|on| on.has(key));
        if of.outcomes.contains(&outcome) && (table.has(key) || !misplaced) {
            let target = table.required(key).and_then(|item| read_target(&item));
            routes.extend(target.map(|target| (outcome, target)));
        }
    }
    let entries = on.as_ref().map(Reader::entries).unwrap_or_default();
    // What a misspelt outcome was meant to be is not missing too.
    let mut meant = Vec::new();
    for entry in &entries {
        let outcome = Outcome::of(entry.key);
        let known = match outcome {
            Outcome::Next | Outcome::Otherwise => false,
            Outcome::Denied => requires,
            _ => of.outcomes.contains(&outcome) || of.name == "call",
        };
        if !known {
            meant.extend(report_unknown_outcome(entry, &entries, of, requires));
        }
        routes.extend(read_target(entry).map(|target| (outcome, target)));
    }
    let wanted = of.outcomes.iter().chain(step_up.then_some(&Outcome::Denied));
    let wanted = wanted.filter(|outcome| !matches!(outcome, Outcome::Next | Outcome::Otherwise));
    let missing = wanted.filter(|outcome| {
        !meant.contains(&outcome.as_str()) && !entries.iter().any(|e| e.key == outcome.as_str())
    });
    // One that is routed beside `on` is not missing, but misplaced.
    let (misplaced, missing): (Vec<_>, Vec<_>) =
        missing.partition(|outcome| table.has(outcome.as_str()));
    for entry in misplaced.iter().filter_map(|outcome| table.item(outcome.as_str())) {
        let message = format!("{} has no key `{}`", table.what(), entry.key);
        let help = format!("outcomes are routed in `on`: on = {{ {} = \"…\" }}", entry.key);
        table.report(Finding::error("unknown-key", message, entry.key_place()).help(help));
    }
    // An `on` that is no table is reported already.
    if !missing.is_empty() && on_item.is_some() == on.is_some() {
        report_unrouted(table, on.as_ref(), &missing);
    }
    routes
}

fn report_unrouted(table: &Reader<'_>, on: Option<&Reader<'_>>, missing: &[&Outcome]) {
    let names: Vec<_> = missing.iter().map(|outcome| format!("`{outcome}`")).collect();
    let lead = if names.len() == 1 { "leads" } else { "lead" };
    let message = format!("{} does not say where {} {lead}", table.what(), listed(&names));
    let routes: Vec<_> = missing.iter().map(|outcome| format!("{outcome} = \"…\"")).collect();
    let help = match on {
        Some(_) => format!("add to `on`: {}", routes.join(", ")),
        None => format!("add: on = {{ {} }}", routes.join(", ")),
    };
    let place = on.map_or_else(|| table.place(), Reader::place);
    table.report(Finding::error("unrouted-outcome", message, place).help(help));
}

/// Reports an outcome that the type does not have, and says which was probably meant.
fn report_unknown_outcome(
    entry: &Item<'_>,
    routed: &[Item<'_>],
    of: &'static StateType,
    requires: bool,
) -> Option<&'static str> {
    let mut known: Vec<_> = of.outcomes.iter().map(Outcome::as_str).collect();
    known.retain(|name| !matches!(*name, "next" | "otherwise"));
    if requires {
        known.push("denied");
    }
    let meant = nearest(entry.key, known.iter().copied());
    let help = match (entry.key, known.as_slice(), meant) {
        (beside @ ("next" | "otherwise"), _, _) => {
            format!("write `{beside} = \"…\"` beside `on`, not in it")
        }
        ("denied", _, _) => "only a state with `requires` can deny".into(),
        (_, [], _) => format!("a `{}` state has no outcomes to route", of.name),
        (_, _, Some(meant)) => format!("did you mean `{meant}`?"),
        _ => format!("its outcomes are: {}", known.join(", ")),
    };
    let article = if of.name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    let message = format!("{article} `{}` state never ends with `{}`", of.name, entry.key);
    let finding = Finding::error("unknown-outcome", message, entry.key_place()).help(help);
    // What is routed already is not meant a second time.
    let free = known.iter().copied().filter(|name| !routed.iter().any(|other| other.key == *name));
    entry.report(finding.respelt(entry.key, free, Spelling::Key));
    meant
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::states::COMMON;

    #[test]
    fn no_type_has_a_key_twice() {
        for of in TYPES {
            let mut keys: Vec<_> = of.keys.iter().chain(COMMON).map(|key| key.name).collect();
            keys.sort_unstable();
            let count = keys.len();
            keys.dedup();
            assert_eq!(keys.len(), count, "{}", of.name);
        }
    }
}
