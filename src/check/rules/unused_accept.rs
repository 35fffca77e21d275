//! An `accept` of a warning that the state does not get, or gets no more.
//!
//! ## Why
//!
//! What was accepted once was looked at and found right. Left where it is, the entry hides the next warning of
//! its kind, which nobody has looked at.
//!
//! `slow-reply` may be accepted anywhere: whether it comes depends on the configuration.
//!
//! ## How to fix it
//!
//! Leave the entry out.
//!
//! ## Before
//!
//! ```toml
//! [states.bye]
//! type   = "hangup"
//! prompt = "Goodbye."
//! accept = ["enumeration"]
//! ```
//!
//! ## After
//!
//! ```toml
//! [states.bye]
//! type   = "hangup"
//! prompt = "Goodbye."
//! ```

use super::{RULES, Report, Rule, Subject, slow_reply};
use crate::diagnostic::fix::{Fix, element};
use crate::diagnostic::{Place, Severity};

pub(super) const RULE: Rule = Rule {
    code: "unused-accept",
    title: "an `accept` of a warning that does not come",
    severity: Severity::Warning,
    source: include_str!("unused_accept.rs"),
    check,
};

fn check(subject: &Subject<'_>, report: &mut Report<'_>) {
    let elsewhere = [RULE.code, slow_reply::RULE.code];
    for (walk, state) in subject.states() {
        for (code, place) in &state.accept {
            let mut warnings = RULES.iter().filter(|rule| rule.severity == Severity::Warning);
            let Some(rule) = warnings.find(|rule| rule.code == code) else { continue };
            if elsewhere.contains(&rule.code) || report.was_accepted(state, rule.code) {
                continue;
            }
            report.tell(state, place, |report| {
                let cut = element(&walk.flow.text, &place.span);
                let fix = cut.map(|span| {
                    Fix::replace("take it out", Place { file: place.file.clone(), span }, "")
                });
                let message = format!("there is no `{code}` here to accept");
                report
                    .finding(message, place)
                    .help("take it out: it would hide one that comes")
                    .fix(fix)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::rules::tests::{ENDS, check};

    #[test]
    fn what_is_accepted_must_come() {
        let menu = |prompt: &str, codes: &str| {
            let states = ENDS.replace("Press 1.", prompt);
            let accept = format!("type = \"menu\"\naccept = [{codes}]");
            check("ask", &states.replacen("type = \"menu\"", &accept, 1))
        };
        assert_eq!(menu("Choose.", "\"menu-prompt-key\""), [""; 0]);
        let unused = "6: unused-accept: there is no `menu-prompt-key` here to accept";
        assert_eq!(menu("Press 1.", "\"menu-prompt-key\""), [unused]);
        assert_eq!(menu("Press 1.", "\"menu-prompt-key\", \"unused-accept\""), [""; 0]);
        // Whether that comes depends on whom the configuration has it wait for.
        assert_eq!(menu("Press 1.", "\"slow-reply\", \"unused-accept\""), [""; 0]);
    }
}
