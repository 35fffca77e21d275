//! A prompt of more than 600 spoken characters, about 40 seconds of speech.
//!
//! ## Why
//!
//! Nobody remembers the first choice when the last is read out, and callers hang up.
//!
//! ## How to fix it
//!
//! Say less, or split the prompt over several states.
//!
//! ## Before
//!
//! ```toml
//! [states.menu]
//! type = "menu"
//! prompt = "Please listen carefully, as our options have changed. …"
//! ```
//!
//! ## After
//!
//! ```toml
//! prompt = "For your account press 1. For cards press 2. For anything else press 3."
//! ```

use super::{Report, Rule, Subject};
use crate::check::words::{by_language, spoken};
use crate::diagnostic::Severity;

pub(super) const RULE: Rule = Rule {
    code: "prompt-too-long",
    title: "a prompt that nobody listens to",
    severity: Severity::Warning,
    source: include_str!("prompt_too_long.rs"),
    check,
};

/// About 15 characters are spoken in a second; more than 40 seconds in one piece lose the listener.
const CHARS_MAX: usize = 600;

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    for (_, state) in subject.states() {
        for prompt in state.prompts() {
            for (locale, texts) in by_language(prompt) {
                let length = |text: &str| {
                    spoken(text).split_whitespace().collect::<Vec<_>>().join(" ").chars().count()
                };
                let chars: usize = texts.iter().map(|text| length(&text.source)).sum();
                if let (true, Some(first)) = (chars > CHARS_MAX, texts.first()) {
                    let message = format!(
                        "the prompt has {chars} characters to speak in `{locale}`, about {} seconds",
                        chars / 15
                    );
                    let help = format!(
                        "say it in {CHARS_MAX} characters, or split it over several states"
                    );
                    report.add_at(state, report.finding(message, &first.place).help(help));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::{ENDS, check};

    fn say(prompt: &str) -> Vec<String> {
        check(
            "a",
            &format!("[states.a]\ntype = \"say\"\nprompt = \"{prompt}\"\nnext = \"ask\"\n{ENDS}"),
        )
    }

    #[test]
    fn what_takes_long_to_say_is_reported() {
        let most = "word ".repeat(119) + "words";
        assert_eq!(say(&most), [""; 0]);
        assert_eq!(
            say(&format!("{most}s")),
            [
                "5: prompt-too-long: the prompt has 601 characters to speak in `en-US`, about 40 seconds"
            ]
        );
    }
}
