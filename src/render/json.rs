//! For programs: one JSON document. Lines and columns count from 1, columns in characters; an end is
//! the position after the last character. A finding with `more` stands for so many others that are alike.

use serde_json::{Value, json};

use crate::diagnostic::fix::{Edit, Fix};
use crate::diagnostic::{Finding, Place, Sources};

/// The version of the document's shape.
pub const VERSION: u32 = 1;

/// The findings as a JSON document.
pub fn render(findings: &[Finding], sources: &Sources) -> String {
    let findings: Vec<_> = findings.iter().map(|finding| one(finding, sources)).collect();
    format!("{:#}\n", json!({ "version": VERSION, "findings": findings }))
}

fn one(finding: &Finding, sources: &Sources) -> Value {
    let labels = finding.labels.iter().map(|label| {
        let mut value = place(Some(&label.place), sources);
        insert(&mut value, "text", json!(label.text));
        value
    });
    let labels: Vec<_> = labels.collect();
    let mut value = json!({
        "code": finding.code,
        "severity": finding.severity.as_str(),
        "message": finding.message,
    });
    if let Value::Object(place) = place(finding.place(), sources) {
        place.into_iter().for_each(|(key, part)| insert(&mut value, &key, part));
    }
    insert(&mut value, "help", json!(finding.help));
    insert(&mut value, "labels", json!(labels));
    let fix = finding.fix.as_ref().map(|mends| fix(mends, sources));
    insert(&mut value, "fix", json!(fix));
    if finding.more > 0 {
        insert(&mut value, "more", json!(finding.more));
    }
    value
}

/// What `check --fix` would do: a text for each place.
fn fix(fix: &Fix, sources: &Sources) -> Value {
    let edit = |edit: &Edit| {
        let mut value = place(Some(&edit.place), sources);
        insert(&mut value, "text", json!(edit.text));
        value
    };
    let edits: Vec<_> = fix.edits.iter().map(edit).collect();
    json!({ "title": fix.title, "edits": edits })
}

fn place(place: Option<&Place>, sources: &Sources) -> Value {
    let start = place.map(|place| sources.start(place));
    let end = place.map(|place| sources.end(place));
    json!({
        "file": place.map(|place| &*place.file),
        "line": start.map(|start| start.line),
        "column": start.map(|start| start.column),
        "end_line": end.map(|end| end.line),
        "end_column": end.map(|end| end.column),
    })
}

fn insert(value: &mut Value, key: &str, part: Value) {
    if let Value::Object(object) = value {
        object.insert(key.to_owned(), part);
    }
}
