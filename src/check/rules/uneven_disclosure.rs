//! A prompt that fills in an account field or a variable in one language and not in another.
//!
//! ## Why
//!
//! Callers of the one language hear what callers of the other do not. Either a translation is out of
//! date, or something is said that was taken out elsewhere for a reason.
//!
//! ## How to fix it
//!
//! Make the wordings say the same.
//!
//! ## Before
//!
//! ```toml
//! prompt = { en-US = "Hello {{ account.first_name }}.", es-MX = "Hola." }
//! ```
//!
//! ## After
//!
//! ```toml
//! prompt = { en-US = "Hello.", es-MX = "Hola." }
//! ```

use std::collections::BTreeSet;

use super::{Report, Rule, Subject};
use crate::check::words::by_language;
use crate::diagnostic::Severity;
use crate::flow::template::{Template, Use};

pub(super) const RULE: Rule = Rule {
    code: "uneven-disclosure",
    title: "a prompt that tells more in one language than in another",
    severity: Severity::Warning,
    source: include_str!("uneven_disclosure.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    for (_, state) in subject.states() {
        for prompt in state.prompts() {
            let texts = by_language(prompt);
            let by_language: Vec<_> = texts.values().map(|texts| told(texts)).collect();
            let all: BTreeSet<_> = by_language.iter().flatten().copied().collect();
            for ((locale, texts), told) in texts.iter().zip(&by_language) {
                let kept = all.difference(told).next();
                let (Some(used), Some(text)) = (kept, texts.first()) else { continue };
                let other = prompt.templates().find(|text| text.uses.contains(used));
                let what = used.written();
                let message = format!("`{what}` is told in another language and not in `{locale}`");
                let mut finding = report.finding(message, &text.place);
                if let Some(other) = other {
                    finding = finding.label("told here", other.place.clone());
                }
                report.add_at(state, finding.help("make both wordings say the same"));
            }
        }
    }
}

/// The fields and variables that are told.
fn told<'t>(texts: &[&'t Template]) -> BTreeSet<&'t Use> {
    let uses = texts.iter().flat_map(|text| &text.uses);
    uses.filter(|used| !matches!(used, Use::Code)).collect()
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::{ENDS, check};

    #[test]
    fn languages_tell_the_same() {
        let flow = |es: &str| {
            format!(
                "disclose = {{ name = \"basic\" }}\nlevels = {{ basic = {{ any = [\"pin\"] }} }}\n\
                 [states.a]\ntype = \"say\"\nrequires = \"basic\"\nstep_up = \"back\"\non = {{ denied = \"ask\" }}\n\
                 prompt = {{ en-US = \"Hello {{{{ account.name }}}}\", es-MX = \"{es}\" }}\n\
                 next = \"ask\"\n[states.back]\ntype = \"return\"\n{ENDS}"
            )
        };
        assert_eq!(check("a", &flow("Hola {{ account.name }}")), [""; 0]);
        assert_eq!(
            check("a", &flow("Hola")),
            [
                "10: uneven-disclosure: `account.name` is told in another language and not in `es-MX`"
            ]
        );
        // A variable of the same name is another thing.
        let set = "[states.n]\ntype = \"set\"\nvalues = { name = \"Ada\" }\nnext = \"a\"\n";
        let other = check("n", &(flow("Hola {{ name }}") + set));
        assert_eq!(other.iter().filter(|found| found.contains(": uneven-disclosure: ")).count(), 2);
    }
}
