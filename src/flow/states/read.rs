//! What the readers of all state types share.

use std::time::Duration;

use indexmap::IndexMap;

use super::{COMMON, StateType};
use crate::diagnostic::fix::Spelling;
use crate::diagnostic::{Finding, Place, Problems};
use crate::document::{Item, Reader};
use crate::flow::locale::{Locale, no_language};
use crate::flow::name::fills_in;
use crate::flow::prompt::{Localized, Piece, Prompt};
use crate::flow::state::{Listen, Notify, Target};
use crate::flow::template::{Template, Use};
use crate::limits;

const TRIES: u8 = 3;
const TIMEOUT: Duration = Duration::from_secs(5);

/// What the states of one flow are read with.
#[derive(Debug)]
pub(in crate::flow) struct Vocabulary<'v> {
    pub locale: Locale,
    pub problems: &'v Problems,
}

/// A state's table being read.
#[derive(Debug)]
pub(in crate::flow) struct StateReader<'a, 'v> {
    pub table: Reader<'a>,
    pub words: &'v Vocabulary<'v>,
    pub of: &'static StateType,
}

/// Holds a prompt to what a message is: text alone, and to no language more of it than is sent.
fn hold_to_message(item: &Item<'_>, prompt: &Prompt, own: &Locale) {
    if prompt.pieces.iter().any(|piece| !matches!(piece, Piece::Text(_))) {
        item.refuse("bad-message", "a message has no sounds or pauses");
        return;
    }
    let most = limits::MESSAGE_CHARS_MAX;
    for locale in prompt.locales(own) {
        let texts = prompt.texts(locale, own);
        let blanks = texts.len().saturating_sub(1);
        let chars = texts.iter().map(|text| text.certain_chars()).sum::<usize>() + blanks;
        if chars > most {
            let message = format!(
                "the message has {chars} characters in `{locale}`, and {most} are sent at most"
            );
            item.refuse("bad-message", message);
            return;
        }
    }
}

/// What is wrong with a message for its code, at most one thing in a text: in every language it stands in one of the
/// texts, once.
fn misplaced_codes(item: &Item<'_>, prompt: &Prompt, own: &Locale) -> Vec<Place> {
    let names_code = |text: &&Template| text.uses.contains(&Use::Code);
    let unplain = prompt.templates().filter(names_code).filter(|text| !text.has_code_once());
    let mut places: Vec<_> = unplain.map(|text| text.place.clone()).collect();
    for locale in prompt.locales(own) {
        let texts = prompt.texts(locale, own);
        let at = match texts.as_slice() {
            [text] => text.place.clone(),
            _ => item.place(),
        };
        if texts.into_iter().filter(names_code).count() != 1 && !places.contains(&at) {
            places.push(at);
        }
    }
    places
}

impl<'a> StateReader<'a, '_> {
    /// The value of a key, if it is there.
    pub(super) fn item(&self, key: &str) -> Option<Item<'a>> {
        self.table.item(key)
    }

    /// The value of a key that must be there.
    pub(super) fn required(&self, key: &str) -> Option<Item<'a>> {
        self.table.required_or(key, || {
            let shape = self.of.keys.iter().find(|own| own.name == key)?.shape.words();
            Some(format!("it takes {shape}: see `callgate explain {}`", self.of.name))
        })
    }

    /// Whether a prompt is there and can be read.
    pub(super) fn prompt(&self, key: &str) -> Option<Prompt> {
        let item = self.required(key)?;
        self.read_prompt(&item, false)
    }

    /// A prompt that may be left out.
    pub(super) fn optional_prompt(&self, key: &str) -> Option<Prompt> {
        let item = self.item(key)?;
        self.read_prompt(&item, false)
    }

    /// A text that carries a code: `{{ code }}` stands in it exactly once, in every language.
    pub(super) fn optional_message(&self, key: &str) -> Option<Prompt> {
        let item = self.item(key)?;
        let prompt = self.read_prompt(&item, true)?;
        hold_to_message(&item, &prompt, &self.words.locale);
        for place in misplaced_codes(&item, &prompt, &self.words.locale) {
            let message = "the message must have `{{ code }}` in it exactly once";
            let help = "write it plainly, without a filter: the code must stay one run of digits";
            self.table.report(Finding::error("bad-message", message, place).help(help));
        }
        Some(prompt)
    }

    /// What the owner of the account is told.
    pub(in crate::flow) fn notify(&self) -> Option<Notify> {
        let item = self.item("notify")?;
        match item.as_boolean() {
            Some(true) => Some(Notify::Own),
            Some(false) => None,
            None => self.sent(&item).map(Notify::Words),
        }
    }

    /// A text that is sent, and carries no code.
    pub(super) fn message_without_code(&self, key: &str) -> Option<Prompt> {
        let item = self.required(key)?;
        self.sent(&item)
    }

    fn sent(&self, item: &Item<'a>) -> Option<Prompt> {
        let prompt = self.read_prompt(item, false)?;
        hold_to_message(item, &prompt, &self.words.locale);
        Some(prompt)
    }

    /// How the state listens.
    pub(super) fn listen(&self) -> Option<Listen> {
        let tries = self.item("tries").and_then(|tries| tries.integer(1, 9));
        let timeout = self
            .item("timeout")
            .and_then(|t| t.duration(Duration::from_secs(1), Duration::from_mins(1)));
        let barge_in = self.item("barge_in").and_then(|barge_in| barge_in.boolean());
        let reprompt = self.optional_prompt("reprompt");
        let last_prompt = self.optional_prompt("last_prompt");
        Some(Listen {
            prompt: self.prompt("prompt")?,
            reprompt,
            last_prompt,
            tries: tries.and_then(|tries| u8::try_from(tries).ok()).unwrap_or(TRIES),
            timeout: timeout.unwrap_or(TIMEOUT),
            barge_in: barge_in.unwrap_or(true),
        })
    }

    /// A whole number that may be left out.
    pub(super) fn optional_integer(&self, key: &str, min: u64, max: u64) -> Option<u32> {
        self.item(key)?.integer(min, max).and_then(|number| u32::try_from(number).ok())
    }

    /// Reports keys that this type does not have.
    pub(in crate::flow) fn finish(self) {
        let own = self.of.keys.iter().chain(COMMON).map(|key| key.name);
        self.table.finish_among(own);
    }

    fn read_prompt(&self, item: &Item<'a>, code_allowed: bool) -> Option<Prompt> {
        let pieces = if item.is_list() {
            let pieces = item.list()?;
            if pieces.is_empty() {
                item.refuse("empty-value", format!("`{}` must not be empty", item.key));
                return None;
            }
            pieces.iter().filter_map(|piece| self.read_piece(piece)).collect()
        } else {
            vec![Piece::Text(self.read_text(item)?)]
        };
        let prompt = Prompt { pieces };
        if !code_allowed && prompt.uses().any(|used| *used == Use::Code) {
            let message = "there is no code to fill in here";
            item.report(
                Finding::error("bad-template", message, item.place())
                    .help("a code stands only in the `message` of a state that sends one"),
            );
        }
        Some(prompt)
    }

    fn read_piece(&self, item: &Item<'a>) -> Option<Piece> {
        if item.as_text().is_some() {
            return Some(Piece::Text(self.read_text(item)?));
        }
        if !item.is_table() {
            return item.expected(
                "a text, a table of texts by language, `{ play = … }` or `{ pause = … }`",
            );
        }
        let table = item.table("this part of the prompt")?;
        if table.has("play") {
            let piece = table.item("play").and_then(|play| self.read_sound(&play));
            table.finish_among(["play"]);
            return piece;
        }
        if table.has("pause") {
            let (min, max) = (Duration::from_secs(1), Duration::from_secs(30));
            let pause = table.item("pause").and_then(|pause| pause.duration(min, max));
            table.finish_among(["pause"]);
            return Some(Piece::Pause(u32::try_from(pause?.as_secs()).unwrap_or(1)));
        }
        Some(Piece::Text(self.read_text(item)?))
    }

    fn read_sound(&self, item: &Item<'a>) -> Option<Piece> {
        let address = |item: &Item<'a>| {
            let text = item.name()?;
            if let Some((message, help)) = unfetchable(text) {
                let finding = Finding::error("bad-address", message, item.place());
                item.report(finding.maybe_help(help.map(Into::into)));
            }
            Some(text.to_owned())
        };
        Some(Piece::Play(self.read_localized(item, address)?))
    }

    fn read_text(&self, item: &Item<'a>) -> Option<Localized<Template>> {
        let problems = self.words.problems;
        self.read_localized(item, |item| Template::read(item.name()?, &item.place(), problems))
    }

    fn read_localized<T>(
        &self,
        item: &Item<'a>,
        read: impl Fn(&Item<'a>) -> Option<T>,
    ) -> Option<Localized<T>> {
        read_localized(item, &self.words.locale, read)
    }
}

/// Why the provider cannot fetch a sound from this address, and what to do about it.
fn unfetchable(text: &str) -> Option<(&'static str, Option<&'static str>)> {
    let Some(rest) = text.strip_prefix("https://") else {
        return Some(("a sound must be at an https:// address", None));
    };
    if fills_in(text) {
        return Some(("the address of a sound is fixed: nothing is filled in there", None));
    }
    if rest.is_empty() || rest.starts_with(['/', '?', '#']) {
        return Some(("the address names no server", None));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let help = "write a blank as `%20`, other characters as a browser copies them";
        return Some(("an address has neither blanks nor letters beyond a to z", Some(help)));
    }
    (text.len() > limits::URL_BYTES_MAX).then_some(("the address is too long to be fetched", None))
}

/// Reads one value for the flow's own language, or a table of languages.
pub(in crate::flow) fn read_localized<'a, T>(
    item: &Item<'a>,
    locale: &Locale,
    read: impl Fn(&Item<'a>) -> Option<T>,
) -> Option<Localized<T>> {
    if !item.is_table() {
        return Some(Localized(IndexMap::from([(locale.clone(), read(item)?)])));
    }
    let table = item.table(format!("`{}`", item.key))?;
    if item.is_empty_table() {
        item.refuse("empty-value", format!("`{}` has no language in it", item.key));
        return None;
    }
    let mut values = IndexMap::new();
    for entry in table.entries() {
        let locale = Locale::parse(entry.key);
        if locale.is_none() {
            let finding = no_language(entry.key, entry.key_place(), Spelling::Key);
            let there = table.has(&entry.key.replace('_', "-"));
            let finding = if there { finding.fix(None) } else { finding };
            entry.report(match entry.key {
                "play" => finding.help("a sound stands in a list: `[{ play = \"https://…\" }]`"),
                "pause" => finding.help("a pause stands in a list: `[\"…\", { pause = \"1s\" }]`"),
                _ => finding,
            });
        }
        if entry.is_list() {
            let message = format!("`{}` must be a text in quotes, not a list", entry.key);
            let finding = Finding::error("wrong-type", message, entry.place());
            let plays = |part: &Item<'_>| part.peek().is_some_and(|part| part.has("play"));
            let help = if entry.list().is_some_and(|parts| parts.iter().any(plays)) {
                "sounds have their own languages: `[{ play = { en-US = \"https://…\" } }]`"
            } else {
                "put the list around the languages: `[{ en-US = \"…\" }, { pause = \"1s\" }]`"
            };
            entry.report(finding.help(help));
        } else if let Some((locale, value)) = locale.zip(read(&entry)) {
            values.insert(locale, value);
        }
    }
    (!values.is_empty()).then_some(Localized(values))
}

/// Reads the name of a state that something leads to.
pub(in crate::flow) fn read_target(item: &Item<'_>) -> Option<Target> {
    Some(Target { state: item.name()?.into(), place: item.place() })
}
