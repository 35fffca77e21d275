//! What the rules' own tests share: a flow's text in, its findings out.

use crate::check::{RULES, check_sources, explain};
use crate::diagnostic::Sources;

/// A beginning that every flow of the tests may share: `ask` lets the caller choose, `bye` ends.
pub(in crate::check) const ENDS: &str = r#"
[states.ask]
type = "menu"
prompt = "Press 1."
keys = { 1 = "bye" }
on = { no_input = "bye", no_match = "bye" }
[states.bye]
type = "hangup"
"#;

/// The findings of flows, one a line: `line: code: message`, with the file before it if there are
/// several.
pub(in crate::check) fn findings(texts: &[&str]) -> Vec<String> {
    let mut sources = Sources::default();
    for (number, text) in texts.iter().enumerate() {
        sources.add(&format!("{number}"), *text);
    }
    let (_, findings) = check_sources(&sources);
    let show = |finding: &crate::diagnostic::Finding| {
        let place = finding.place().unwrap();
        let line = sources.start(place).line;
        let file = if texts.len() > 1 { format!("{}:", place.file) } else { String::new() };
        format!("{file}{line}: {}: {}", finding.code, finding.message)
    };
    findings.iter().map(show).collect()
}

/// The same without those that say that nobody has claimed an account, or proves what a state requires: flows
/// that are about other things than who calls need not ask for it.
pub(super) fn findings_of_whoever(texts: &[&str]) -> Vec<String> {
    let mut found = findings(texts);
    found.retain(|finding| {
        !finding.contains(": unclaimed: ") && !finding.contains(": never-proved: ")
    });
    found
}

/// The findings of one flow with `name` and `start` given, whose states follow from line 3; whoever
/// calls, see [`findings_of_whoever`].
pub(super) fn check(start: &str, states: &str) -> Vec<String> {
    findings_of_whoever(&[&format!("name = \"f\"\nstart = \"{start}\"\n{states}")])
}

#[test]
fn every_rule_has_a_whole_page() {
    for rule in RULES {
        let page = explain(rule.code).unwrap();
        for part in ["## Why", "## How to fix it", "## Before", "## After", "```toml"] {
            assert!(page.contains(part), "{} lacks {part}", rule.code);
        }
        assert!(!rule.title.ends_with('.') && rule.title.len() < 80, "{}", rule.code);
    }
}

#[test]
fn no_code_stands_for_two_things() {
    let pages = crate::check::pages();
    for (page, next) in pages.iter().zip(pages.iter().skip(1)) {
        assert_ne!(page.code, next.code);
    }
}
