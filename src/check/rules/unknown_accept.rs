//! An `accept` that names no warning: a misspelt code, or the code of an error.
//!
//! ## Why
//!
//! The warning it was meant for is still there, or will come back unseen. Errors cannot be accepted:
//! a flow that has one cannot be used.
//!
//! ## How to fix it
//!
//! Write the code as `callgate check` prints it, or leave the entry out.
//!
//! ## Before
//!
//! ```toml
//! accept = ["menu-prompt"]
//! ```
//!
//! ## After
//!
//! ```toml
//! accept = ["menu-prompt-key"]
//! ```

use super::{RULES, Report, Rule, Subject};
use crate::check::language;
use crate::diagnostic::fix::{Fix, Spelling, element};
use crate::diagnostic::{Place, Severity, did_you_mean};

pub(super) const RULE: Rule = Rule {
    code: "unknown-accept",
    title: "an `accept` that names no warning",
    severity: Severity::Warning,
    source: include_str!("unknown_accept.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    let warnings = || RULES.iter().filter(|rule| rule.severity == Severity::Warning);
    let errors = || {
        let rules = RULES.iter().filter(|rule| rule.severity == Severity::Error);
        rules.map(|rule| rule.code).chain(language::codes())
    };
    for (walk, state) in subject.states() {
        for (code, place) in &state.accept {
            if warnings().any(|rule| rule.code == code) {
                continue;
            }
            report.tell(state, place, |report| {
                if errors().any(|error| error == code) {
                    let message = format!("`{code}` is an error, which cannot be accepted");
                    let cut = element(&walk.flow.text, &place.span);
                    let fix = cut.map(|span| {
                        Fix::replace("take it out", Place { file: place.file.clone(), span }, "")
                    });
                    report
                        .finding(message, place)
                        .help("take it out, and mend what it reports")
                        .fix(fix)
                } else {
                    let message = format!("there is no warning `{code}`");
                    let known = || warnings().map(|rule| rule.code);
                    let finding = report.finding(message, place);
                    let finding = finding.maybe_help(did_you_mean(code, known()));
                    finding.respelt(code, known(), Spelling::Value)
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::{ENDS, check};

    #[test]
    fn only_warnings_can_be_accepted() {
        let accept = |codes: &str| {
            let prompt = "Choose.";
            let menu = ENDS.replace("Press 1.", prompt);
            check(
                "ask",
                &menu.replacen(
                    "type = \"menu\"",
                    &format!("type = \"menu\"\naccept = [{codes}]"),
                    1,
                ),
            )
        };
        assert_eq!(accept("\"menu-prompt-key\""), [""; 0]);
        assert_eq!(
            accept("\"menu-prompt-keys\", \"no-way-out\", \"menu-prompt-key\""),
            [
                "6: unknown-accept: there is no warning `menu-prompt-keys`",
                "6: unknown-accept: `no-way-out` is an error, which cannot be accepted",
            ]
        );
    }
}
