//! What is done with a text: by the dice of `fuzz.rs`, and by libFuzzer under `fuzz/`, which keeps those
//! inputs that come to new code.

use callgate::check::{check_sources, examples, explain};
use callgate::diagnostic::fix::apply;
use callgate::diagnostic::{Finding, Severity, Sources};
use callgate::flow;
use callgate::render::{github, human, json, sarif};

/// The reader: every finding at a place that there is, and what is mended is not found again.
pub(crate) fn reader(text: &str) {
    let sources = one(text);
    let (_, findings) = flow::read(&sources);
    assert_placed(text, &findings);
    let is_toml = |text: &str| text.parse::<toml::Table>().is_ok();
    for fix in findings.iter().filter_map(|finding| finding.fix.as_ref()).filter(|_| is_toml(text))
    {
        let fixed = apply(text, &[fix]);
        assert!(fixed.done == [0] && fixed.text != text, "{fix:?} does nothing");
        assert!(is_toml(&fixed.text), "{fix:?} makes no TOML of it");
    }
}

/// The checker: it comes to an end, its findings can be printed in every way, and each hole is shown.
pub(crate) fn checker(text: &str) {
    let sources = one(text);
    let (flows, findings) = check_sources(&sources);
    assert_placed(text, &findings);
    human::render(&findings, &sources, true);
    github::render(&findings, &sources);
    serde_json::from_str::<serde_json::Value>(&json::render(&findings, &sources)).unwrap();
    serde_json::from_str::<serde_json::Value>(&sarif::render(&findings, &sources)).unwrap();
    let (_, unread) = flow::read(&sources);
    if unread.iter().all(|finding| finding.severity != Severity::Error) {
        let alarms = findings.iter().filter(|it| it.code == "disclosed-too-early").count();
        assert!(examples(&flows).len() >= alarms);
    }
}

fn one(text: &str) -> Sources {
    let mut sources = Sources::default();
    sources.add("flow.toml", text);
    sources
}

fn assert_placed(text: &str, findings: &[Finding]) {
    for finding in findings {
        assert!(explain(finding.code).is_some(), "{} has no page", finding.code);
        for label in &finding.labels {
            assert!(text.get(label.place.span.clone()).is_some(), "{label:?}");
        }
        for edit in finding.fix.iter().flat_map(|fix| &fix.edits) {
            assert!(text.get(edit.place.span.clone()).is_some(), "{edit:?}");
        }
    }
}
