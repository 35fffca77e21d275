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
use crate::diagnostic::{Severity, did_you_mean};

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
    for (_, state) in subject.states() {
        for (code, place) in &state.accept {
            if warnings().any(|rule| rule.code == code) {
                continue;
            }
            let finding = if errors().any(|error| error == code) {
                let message = format!("`{code}` is an error, which cannot be accepted");
                report.finding(message, place).help("fix what it reports")
            } else {
                let message = format!("there is no warning `{code}`");
                let help = did_you_mean(code, warnings().map(|rule| rule.code));
                report.finding(message, place).maybe_help(help)
            };
            report.add_at(state, finding);
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
