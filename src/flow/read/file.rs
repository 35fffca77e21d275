//! One file: its own grammar, before any name is looked up.

use std::cell::RefCell;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::diagnostic::{Finding, Place, Problems, did_you_mean};
use crate::document::{self, Item, Reader};
use crate::flow::locale::Locale;
use crate::flow::name::is_name;
use crate::flow::outcome::Outcome;
use crate::flow::prompt::Localized;
use crate::flow::state::{Kind, State, Target};
use crate::flow::states::{StateReader, StateType, TYPES, Vocabulary, read_localized, read_target};
use crate::flow::template::Templates;
use crate::flow::{Flow, hours, level, wording};
use crate::limits;

/// State types that are named by the language and not built yet.
const COMING: [&str; 5] =
    ["gather_passcode", "send_email_otp", "send_link", "gather_service_code", "lookup"];

pub(super) fn read(file: &Arc<str>, text: &Arc<str>, problems: &Problems) -> Option<Flow> {
    if text.len() > limits::FLOW_BYTES_MAX {
        let message = format!("the file is larger than {} KiB", limits::FLOW_BYTES_MAX / 1024);
        problems.add(Finding::error("too-large", message, beginning(file)));
        return None;
    }
    document::read(file, text, problems, |root| read_flow(file, text, root, problems))
}

/// The first byte of a file, for what is wrong with the file as a whole.
pub(super) fn beginning(file: &Arc<str>) -> Place {
    Place { file: file.clone(), span: 0..0 }
}

fn read_flow(
    file: &Arc<str>,
    text: &Arc<str>,
    root: Reader<'_>,
    problems: &Problems,
) -> Option<Flow> {
    let root = root.named("the flow".into());
    let name = root.required("name").and_then(|item| read_name(&item, "a flow"));
    let start = root.required("start").and_then(|item| read_target(&item));
    let locale = root.item("locale").and_then(|item| read_locale(&item));
    let locale = locale.unwrap_or_else(wording::english);
    let voices = root
        .item("voice")
        .and_then(|item| read_localized(&item, &locale, |voice| Some(voice.name()?.to_owned())));
    let business = root.item("business").and_then(|item| item.name());
    let currency = root.item("currency").and_then(|item| read_currency(&item));
    let levels = read_table(&root, "levels", |item| Some((item.key.into(), level::read(item)?)));
    let disclose =
        read_table(&root, "disclose", |item| Some((item.key.into(), item.name()?.into())));
    let hours = read_table(&root, "hours", |item| Some((item.key.to_owned(), hours::read(item)?)));
    let templates = RefCell::new(Templates::default());
    let words = Vocabulary { locale: locale.clone(), templates: &templates, problems };
    let states = root.required("states").and_then(|states| read_states(&states, &words));
    root.finish();
    let (name, start, states) = (name?, start?, states?);
    let mut variables = IndexMap::new();
    for state in states.values() {
        for (variable, place) in state.assigns() {
            variables.entry(variable.clone()).or_insert_with(|| place.clone());
        }
    }
    check_start(&start, &states, problems);
    Some(Flow {
        business: business.map_or_else(|| name.to_owned(), str::to_owned),
        name: name.into(),
        file: file.clone(),
        text: text.clone(),
        start: start.state,
        locale,
        voices: voices.unwrap_or_else(|| Localized(IndexMap::new())),
        currency: currency.unwrap_or("USD").to_owned(),
        levels: levels.into_iter().collect(),
        disclose: disclose.into_iter().collect(),
        hours: hours.into_iter().collect(),
        states,
        variables,
        templates: templates.into_inner(),
    })
}

fn check_start(
    start: &Target,
    states: &IndexMap<crate::flow::name::StateName, State>,
    problems: &Problems,
) {
    if !states.contains_key(&start.state) {
        let message = format!("there is no state `{}` to start in", start.state);
        let help = did_you_mean(
            start.state.as_str(),
            states.keys().map(super::super::name::StateName::as_str),
        );
        problems
            .add(Finding::error("unknown-state", message, start.place.clone()).maybe_help(help));
    }
}

fn read_name<'a>(item: &Item<'a>, of: &str) -> Option<&'a str> {
    let name = item.name()?;
    if !is_name(name) {
        let message = format!("`{name}` cannot be the name of {of}");
        let help = "a name is a letter, then letters, digits, `_` and `-`";
        item.report(Finding::error("bad-name", message, item.place()).help(help));
        return None;
    }
    Some(name)
}

fn read_locale(item: &Item<'_>) -> Option<Locale> {
    let text = item.text()?;
    let locale = Locale::parse(text);
    if locale.is_none() {
        item.refuse("bad-locale", format!("`{text}` is not a language such as en-US"));
    }
    locale
}

fn read_currency<'a>(item: &Item<'a>) -> Option<&'a str> {
    let text = item.text()?;
    let code = text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase());
    if !code {
        item.refuse("bad-currency", format!("`{text}` is not a currency code such as USD"));
    }
    code.then_some(text)
}

fn read_table<T>(
    root: &Reader<'_>,
    key: &'static str,
    read: impl Fn(&Item<'_>) -> Option<T>,
) -> Vec<T> {
    let table = root.item(key).and_then(|item| item.table(format!("`{key}`")));
    let entries = table.map(|table| table.entries()).unwrap_or_default();
    entries.iter().filter_map(read).collect()
}

fn read_states(
    item: &Item<'_>,
    words: &Vocabulary<'_>,
) -> Option<IndexMap<crate::flow::name::StateName, State>> {
    let table = item.table("`states`")?;
    let entries = table.entries();
    if entries.is_empty() {
        item.refuse("empty-value", "the flow has no states");
    }
    if entries.len() > limits::STATES_MAX {
        item.refuse("too-many-states", format!("a flow has at most {} states", limits::STATES_MAX));
        return None;
    }
    let mut states = IndexMap::new();
    for entry in entries {
        if !is_name(entry.key) {
            let message = format!("`{}` cannot be the name of a state", entry.key);
            let help = "a name is a letter, then letters, digits, `_` and `-`";
            entry.report(Finding::error("bad-name", message, entry.key_place()).help(help));
            continue;
        }
        // A state that cannot be read keeps its place, so that what leads to it is not reported too.
        let state = read_state(&entry, words).unwrap_or_else(|| unreadable(&entry));
        states.insert(state.name.clone(), state);
    }
    Some(states)
}

fn unreadable(entry: &Item<'_>) -> State {
    State {
        name: entry.key.into(),
        place: entry.key_place(),
        kind: Kind::Hangup(crate::flow::states::hangup::Hangup { prompt: None }),
        requires: None,
        step_up: None,
        routes: IndexMap::new(),
        accept: Vec::new(),
    }
}

fn read_state(entry: &Item<'_>, words: &Vocabulary<'_>) -> Option<State> {
    let table = entry.table(format!("state `{}`", entry.key))?;
    let kind_item = table.required("type")?;
    let of = read_type(&kind_item)?;
    let requires = table.item("requires").and_then(|r| Some((r.name()?.into(), r.place())));
    let step_up = table.item("step_up").and_then(|target| read_target(&target));
    let accept = table.item("accept").and_then(|accept| accept.list()).unwrap_or_default();
    let accept = accept.iter().filter_map(|a| Some((a.name()?.to_owned(), a.place()))).collect();
    if step_up.is_some() && requires.is_none() {
        table.report(Finding::error(
            "step-up-without-requires",
            format!("state `{}` has a `step_up` and no `requires`", entry.key),
            table.place(),
        ));
    }
    let routes = read_routes(&table, of, requires.is_some(), step_up.is_some());
    let reader = StateReader { table, words, of };
    let kind = (of.read)(&reader);
    reader.finish();
    Some(State {
        name: entry.key.into(),
        place: entry.key_place(),
        kind: kind?,
        requires,
        step_up,
        routes,
        accept,
    })
}

fn read_type(item: &Item<'_>) -> Option<&'static StateType> {
    let name = item.text()?;
    let found = TYPES.iter().find(|of| of.name == name);
    if found.is_none() {
        let message = format!("there is no state type `{name}`");
        let help = if COMING.contains(&name) {
            Some("this type is part of the language and not built yet".to_owned())
        } else {
            did_you_mean(name, TYPES.iter().map(|of| of.name))
        };
        item.report(Finding::error("unknown-type", message, item.place()).maybe_help(help));
    }
    found.copied()
}

/// Reads `next`, `otherwise` and `on`, and reports outcomes that lead nowhere.
fn read_routes(
    table: &Reader<'_>,
    of: &StateType,
    requires: bool,
    step_up: bool,
) -> IndexMap<Outcome, Target> {
    let mut routes = IndexMap::new();
    for (key, outcome) in [("next", Outcome::Next), ("otherwise", Outcome::Otherwise)] {
        if of.outcomes.contains(&outcome) {
            let target = table.required(key).and_then(|item| read_target(&item));
            routes.extend(target.map(|target| (outcome, target)));
        }
    }
    let on = table.item("on").and_then(|on| on.table(format!("`on` of {}", table.what())));
    let entries = on.as_ref().map(Reader::entries).unwrap_or_default();
    for entry in &entries {
        let outcome = Outcome::of(entry.key);
        let known = match outcome {
            Outcome::Next | Outcome::Otherwise => false,
            Outcome::Denied => requires,
            _ => of.outcomes.contains(&outcome) || of.name == "call",
        };
        if !known {
            report_unknown_outcome(entry, of, requires);
        }
        routes.extend(read_target(entry).map(|target| (outcome, target)));
    }
    let missing: Vec<_> = of
        .outcomes
        .iter()
        .chain(step_up.then_some(&Outcome::Denied))
        .filter(|outcome| !matches!(outcome, Outcome::Next | Outcome::Otherwise))
        .filter(|outcome| !entries.iter().any(|entry| entry.key == outcome.as_str()))
        .map(|outcome| format!("`{outcome}`"))
        .collect();
    if !missing.is_empty() {
        let place = on.map_or_else(|| table.place(), |on| on.place());
        let message = format!("{} does not say where {} leads", table.what(), missing.join(", "));
        table.report(
            Finding::error("unrouted-outcome", message, place).help(format!(
                "add to `on`: {} = \"…\"",
                missing.join(" = \"…\", ").replace('`', "")
            )),
        );
    }
    routes
}

fn report_unknown_outcome(entry: &Item<'_>, of: &StateType, requires: bool) {
    let mut known: Vec<_> = of.outcomes.iter().map(Outcome::as_str).collect();
    known.retain(|name| !matches!(*name, "next" | "otherwise"));
    if requires {
        known.push("denied");
    }
    let help = match (entry.key, known.as_slice()) {
        ("next", _) => Some("write `next = \"…\"` beside `on`, not in it".to_owned()),
        ("denied", _) => Some("only a state with `requires` can deny".to_owned()),
        (_, []) => Some(format!("a `{}` state has no outcomes to route", of.name)),
        (key, known) => did_you_mean(key, known.iter().copied())
            .or_else(|| Some(format!("its outcomes are: {}", known.join(", ")))),
    };
    let message = format!("a `{}` state never ends with `{}`", of.name, entry.key);
    entry.report(Finding::error("unknown-outcome", message, entry.key_place()).maybe_help(help));
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
