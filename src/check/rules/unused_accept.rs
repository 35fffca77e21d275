//! An `accept` of a warning that the state does not get, or gets no more.
//!
//! ## Why
//!
//! What was accepted once was looked at and found right. Left where it is, the entry hides the next warning of
//! its kind, which nobody has looked at.
//!
//! `slow-reply` may be accepted anywhere: whether it comes depends on the configuration. Nothing is said of flows with an
//! error, nor of those that they call or that call them, nor of a sub-flow that is checked without its callers: the warning
//! may come back.
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

use std::collections::HashSet;

use super::{RULES, Report, Rule, Subject, slow_reply};
use crate::check::apart_from;
use crate::check::subject::Walk;
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
    let sound = apart_from(subject.flows, &report.with_errors());
    let states = subject.states();
    let dialled = subject.walks().filter(|walk| !walk.is_sub_flow());
    let whole: HashSet<_> = dialled
        .filter_map(|walk| subject.flows.closure(walk.flow.name.as_str()))
        .flat_map(|flows| flows.iter().map(|flow| flow.name.clone()).collect::<Vec<_>>())
        .collect();
    let is_whole = |walk: &Walk<'_>| whole.contains(&walk.flow.name);
    let known =
        states.filter(|(walk, _)| is_whole(walk) && sound.get(walk.flow.name.as_str()).is_some());
    for (walk, state) in known {
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
    use crate::check::rules::tests::{ENDS, check, findings};

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

    /// Who is turned away by a mistake comes to no state behind it, and no warning does either.
    #[test]
    fn nothing_is_unused_while_there_is_an_error() {
        let flow = |found: &str| {
            format!(
                "name = \"f\"\nstart = \"who\"\n[states.who]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\n\
                 on = {{ found = \"{found}\", unknown = \"{found}\" }}\n\
                 [states.call]\ntype = \"call\"\nflow = \"s\"\non = {{ ok = \"bye\" }}\n\
                 [states.bye]\ntype = \"hangup\"\n"
            )
        };
        let sub = "name = \"s\"\nstart = \"send\"\n[states.send]\ntype = \"send_link\"\nmessage = \"So.\"\n\
                   accept = [\"enumeration\"]\non = { sent = \"back\", unavailable = \"home\", limited = \"back\" }\n\
                   [states.back]\ntype = \"return\"\noutcome = \"ok\"\n\
                   [states.home]\ntype = \"say\"\nprompt = \"No.\"\nnext = \"back\"\n";
        assert_eq!(findings(&[&flow("call"), sub]), [""; 0]);
        let cut_off = findings(&[&flow("bye"), sub]);
        assert!(cut_off.iter().any(|it| it.contains(": unreachable-state: ")), "{cut_off:?}");
        assert!(!cut_off.iter().any(|it| it.contains(": unused-accept: ")), "{cut_off:?}");
        assert_eq!(findings(&[sub]), [""; 0], "alone");
        let between = "name = \"m\"\nstart = \"call\"\n[states.call]\ntype = \"call\"\nflow = \"s\"\non = { ok = \"back\" }\n\
                       [states.back]\ntype = \"return\"\noutcome = \"ok\"\n";
        assert_eq!(findings(&[between, sub]), [""; 0], "without whoever calls its caller");
    }
}
