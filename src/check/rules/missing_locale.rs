//! A prompt that lacks a language which other prompts of the flow have. A prompt given as a plain
//! text is in the flow's own language; it counts once most texts of the flow are in the other
//! language too.
//!
//! ## Why
//!
//! A caller who is spoken to in Spanish suddenly hears English, in an English voice.
//!
//! ## How to fix it
//!
//! Add the language, or accept the warning at a state that only callers of one language get to.
//!
//! ## Before
//!
//! ```toml
//! [states.welcome]
//! prompt = { en-US = "Welcome.", es-MX = "Bienvenido." }
//!
//! [states.bye]
//! prompt = { en-US = "Goodbye." }
//! ```
//!
//! ## After
//!
//! ```toml
//! [states.bye]
//! prompt = { en-US = "Goodbye.", es-MX = "Adiós." }
//! ```

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::{Report, Rule, Subject};
use crate::diagnostic::Severity;
use crate::flow::Flow;
use crate::flow::locale::Locale;
use crate::flow::prompt::{Localized, Piece};
use crate::flow::state::State;
use crate::flow::template::Template;
use crate::limits;

pub(super) const RULE: Rule = Rule {
    code: "missing-locale",
    title: "a prompt without a language that others have",
    severity: Severity::Warning,
    source: include_str!("missing_locale.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    for walk in subject.walks() {
        let spoken = spoken(walk.flow);
        let total = walk.flow.states.values().flat_map(texts).count();
        let most: IndexMap<_, _> =
            spoken.iter().filter(|(_, (_, count))| 2 * *count > total).collect();
        let most: IndexMap<&str, _> = most.into_iter().map(|(l, locale)| (*l, *locale)).collect();
        for state in walk.flow.states.values() {
            for text in texts(state) {
                let plain = is_plain(text, walk.flow);
                let wanted = if plain { &most } else { &spoken };
                let own: BTreeSet<_> = text.0.keys().map(Locale::language).collect();
                let all = wanted.len() - own.iter().filter(|l| wanted.contains_key(*l)).count();
                let Some(first) = text.0.values().next().filter(|_| all > 0) else { continue };
                report.tell(state, &first.place, |report| {
                    let missing = wanted.iter().filter(|(language, _)| !own.contains(*language));
                    let missing = missing.take(limits::NAMES_LISTED_MAX);
                    let missing: Vec<_> =
                        missing.map(|(_, (locale, _))| format!("`{locale}`")).collect();
                    let more = match all - missing.len() {
                        0 => String::new(),
                        more => format!(" and {more} other languages"),
                    };
                    let message = format!("this text is not there in {}{more}", missing.join(", "));
                    let help = if plain {
                        let own = &walk.flow.locale;
                        format!(
                            "make it a table of languages: {{ {own} = \"…\", {} = \"…\" }}",
                            missing.join(" = \"…\", ").replace('`', "")
                        )
                    } else {
                        format!("add {} = \"…\"", missing.join(" = \"…\", ").replace('`', ""))
                    };
                    let meant = "accept = [\"missing-locale\"] where one language is meant for all";
                    report.finding(message, &first.place).help(format!("{help}, or {meant}"))
                });
            }
        }
    }
}

fn texts(state: &State) -> impl Iterator<Item = &Localized<Template>> {
    state.prompts().into_iter().flat_map(|prompt| &prompt.pieces).filter_map(|piece| match piece {
        Piece::Text(text) => Some(text),
        Piece::Play(_) | Piece::Pause(_) => None,
    })
}

/// The languages of the flow, each with the tag it is first written as and the texts that have it.
pub(super) fn spoken(flow: &Flow) -> IndexMap<&str, (&Locale, usize)> {
    let mut spoken: IndexMap<&str, (&Locale, usize)> = IndexMap::new();
    for text in flow.states.values().flat_map(texts) {
        for locale in text.0.keys() {
            spoken.entry(locale.language()).or_insert((locale, 0)).1 += 1;
        }
    }
    spoken
}

/// Whether the text is in the flow's own language alone, as one that is written without a table.
fn is_plain(text: &Localized<Template>, flow: &Flow) -> bool {
    text.0.keys().all(|locale| *locale == flow.locale)
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::{ENDS, check};

    fn say(name: &str, prompt: &str, next: &str) -> String {
        format!("[states.{name}]\ntype = \"say\"\nprompt = {prompt}\nnext = \"{next}\"\n")
    }

    #[test]
    fn a_table_must_have_every_language() {
        let both = "{ en-US = \"Hello\", es-MX = \"Hola\" }";
        let flow = [
            say("a", both, "b"),
            say("b", "{ es-MX = \"Hola\" }", "c"),
            say("c", "{ en-GB = \"Hello\", es = \"Hola\" }", "d"),
            say("d", "\"Plain\"", "e"),
            say("e", "\"Plain\"", "ask"),
        ];
        assert_eq!(
            check("a", &format!("{}{ENDS}", flow.concat())),
            ["9: missing-locale: this text is not there in `en-US`"]
        );
    }

    /// What everybody is to hear in one language is written so: the language reference says it.
    #[test]
    fn who_means_one_language_alone_is_told_how_to_say_so() {
        let both = "{ en-US = \"Hello\", es-MX = \"Hola\" }";
        let one = "[{ es-MX = \"Para español, oprima dos.\" }]";
        let flow = [say("a", both, "b"), say("b", one, "ask"), ENDS.into()].concat();
        let flow = format!("name = \"f\"\nstart = \"a\"\n{flow}");
        let mut sources = crate::diagnostic::Sources::default();
        sources.add("f.toml", flow);
        let found = crate::check::check_sources(&sources).1;
        let found = found.iter().find(|finding| finding.code == "missing-locale").unwrap();
        let help = found.help.as_deref().unwrap();
        assert!(help.contains("accept = [\"missing-locale\"]"), "{help}");
    }

    #[test]
    fn a_plain_text_counts_once_most_are_tables() {
        let both = "{ en-US = \"Hello\", es-MX = \"Hola\" }";
        let few = [say("a", both, "ask"), ENDS.into()].concat();
        assert_eq!(check("a", &few), [""; 0]);
        let most = [say("a", both, "b"), say("b", both, "ask"), ENDS.into()].concat();
        assert_eq!(check("a", &most), ["14: missing-locale: this text is not there in `es-MX`"]);
    }
}
