//! A tag or an entity in a text: it is said as it stands there.
//!
//! ## Why
//!
//! Texts are words, and whatever means something in a document is escaped in them. `<break time="1s"/>` would be read
//! out, and `&amp;` as well.
//!
//! ## How to fix it
//!
//! Write the character itself (`&`), `{ pause = "1s" }` in a list for a silence, `{{ number | digits }}` for digits one
//! by one, and leave out what else a voice should do.
//!
//! ## Before
//!
//! ```toml
//! [states.welcome]
//! type = "say"
//! prompt = "Welcome to Smith &amp; Co. <break time='1s'/> How can we help?"
//! next = "menu"
//! ```
//!
//! ## After
//!
//! ```toml
//! prompt = ["Welcome to Smith & Co.", { pause = "1s" }, "How can we help?"]
//! ```

use super::{Report, Rule, Subject};
use crate::diagnostic::Severity;
use crate::flow::prompt::Prompt;

pub(super) const RULE: Rule = Rule {
    code: "markup-said",
    title: "markup in a text, which is said as it stands",
    severity: Severity::Warning,
    source: include_str!("markup_said.rs"),
    check,
};

/// The elements by which voices are told how to speak (SSML).
const SSML: [&str; 14] = [
    "audio", "break", "emphasis", "lang", "mark", "p", "phoneme", "prosody", "s", "say-as",
    "speak", "sub", "voice", "w",
];

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    for (_, state) in subject.states() {
        for text in state.prompts().into_iter().flat_map(Prompt::templates) {
            let Some(markup) = markup(&text.source) else { continue };
            let message = format!("`{markup}` is said as it stands");
            let help = "write the character itself; a silence is `{ pause = \"1s\" }` in a list";
            report.add_at(state, report.finding(message, &text.place).help(help));
        }
    }
}

/// The first tag of a document that stands in a text, or the first entity.
fn markup(text: &str) -> Option<&str> {
    let mut from = text.char_indices().filter_map(|(at, _)| text.get(at..));
    from.find_map(|rest| {
        let (close, name) = match rest.strip_prefix('<') {
            Some(tag) => ('>', tag.strip_prefix('/').unwrap_or(tag)),
            None => (';', rest.strip_prefix('&')?.trim_start_matches('#')),
        };
        let end = rest.find(close)? + 1;
        let word = name.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next()?;
        let after = name.get(word.len()..)?;
        let is_tag = close == '>' && SSML.contains(&word) && after.starts_with([' ', '/', '>']);
        let is_entity = close == ';' && !word.is_empty() && after.starts_with(';');
        (is_tag || is_entity).then_some(rest.get(..end)?)
    })
}

#[cfg(test)]
mod tests {
    use super::markup;
    use crate::check::rules::tests::{ENDS, check};

    #[test]
    fn what_looks_like_a_document_is_found() {
        for (text, found) in [
            ("One. <break time='1s'/> Two.", "<break time='1s'/>"),
            ("<speak>One.</speak>", "<speak>"),
            ("One.</say-as>", "</say-as>"),
            ("Smith &amp; Co.", "&amp;"),
            ("It&#39;s one.", "&#39;"),
            ("It&#x27;s one.", "&#x27;"),
        ] {
            assert_eq!(markup(text), Some(found), "{text}");
        }
        for text in [
            "Smith & Co.",
            "1 < 2 > 0",
            "<5>",
            "a <",
            "<Office>",
            "<your name>",
            "Q&A and more; less",
            "é<ü>",
            "<https://a.example/?b=1&c=2>",
        ] {
            assert_eq!(markup(text), None, "{text}");
        }
    }

    #[test]
    fn a_prompt_with_markup_is_told_once() {
        let said = |prompt: &str, more: &str| {
            check(
                "a",
                &format!(
                    "[states.a]\ntype = \"say\"\nprompt = \"{prompt}\"\nnext = \"ask\"\n{more}{ENDS}"
                ),
            )
        };
        let found = said("<emphasis>One</emphasis> &amp; two.", "");
        assert_eq!(found, ["5: markup-said: `<emphasis>` is said as it stands"]);
        assert_eq!(said("<s>One</s>", "accept = [\"markup-said\"]\n"), [""; 0]);
        assert_eq!(said("One & two.", ""), [""; 0]);
    }
}
