//! For viewers of static analysis: SARIF 2.1.0
//! (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>).

use serde_json::{Value, json};

use crate::check::{self, Page};
use crate::diagnostic::fix::{Edit, Fix};
use crate::diagnostic::{Finding, Place, Sources};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The longest description that viewers show whole.
const DESCRIPTION_CHARS_MAX: usize = 1_024;

/// The findings as a SARIF log of one run, with the page of every rule.
pub fn render(findings: &[Finding], sources: &Sources) -> String {
    let pages = check::pages();
    let results: Vec<_> = findings.iter().map(|finding| result(finding, sources, &pages)).collect();
    let rules: Vec<_> = pages.iter().map(rule).collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "callgate",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn rule(page: &Page) -> Value {
    json!({
        "id": page.code,
        "shortDescription": { "text": page.title },
        "fullDescription": { "text": what_is_found(page) },
        "help": { "text": page.text, "markdown": page.text },
        "defaultConfiguration": { "level": page.severity.as_str() },
    })
}

/// What a page says before its headings: as many of its paragraphs as viewers show (GitHub cuts at 1,024 characters).
fn what_is_found(page: &Page) -> String {
    let (before, _) = page.text.split_once("\n## ").unwrap_or((&page.text, ""));
    let mut told = String::new();
    for paragraph in before.trim().split("\n\n") {
        if told.chars().count() + paragraph.chars().count() + 2 > DESCRIPTION_CHARS_MAX {
            break;
        }
        if !told.is_empty() {
            told.push_str("\n\n");
        }
        told.push_str(paragraph);
    }
    told
}

fn result(finding: &Finding, sources: &Sources, pages: &[Page]) -> Value {
    let mut text = finding.message.clone();
    if let Some(help) = &finding.help {
        text.push_str("\nhelp: ");
        text.push_str(help);
    }
    let mut result = json!({
        "ruleId": finding.code,
        "level": finding.severity.as_str(),
        "message": { "text": text },
        "locations": finding.place().map(|place| location(place, sources)).as_slice(),
    });
    let others = finding.labels.iter().skip(1).enumerate().map(|(id, label)| {
        let mut place = location(&label.place, sources);
        insert(&mut place, "id", json!(id));
        insert(&mut place, "message", json!({ "text": label.text }));
        place
    });
    let others: Vec<_> = others.collect();
    if !others.is_empty() {
        insert(&mut result, "relatedLocations", json!(others));
    }
    if finding.more > 0 {
        insert(&mut result, "occurrenceCount", json!(finding.more));
    }
    if let Some(mends) = &finding.fix {
        insert(&mut result, "fixes", json!([fix(mends, sources)]));
    }
    if let Some(index) = pages.iter().position(|page| page.code == finding.code) {
        insert(&mut result, "ruleIndex", json!(index));
    }
    result
}

/// The change that mends a finding: all edits of one fix are in one file.
fn fix(fix: &Fix, sources: &Sources) -> Value {
    let replacement = |edit: &Edit| {
        json!({
            "deletedRegion": region(&edit.place, sources),
            "insertedContent": { "text": edit.text },
        })
    };
    let replacements: Vec<_> = fix.edits.iter().map(replacement).collect();
    let file = fix.edits.first().map_or("", |edit| &*edit.place.file);
    json!({
        "description": { "text": fix.title },
        "artifactChanges": [{
            "artifactLocation": { "uri": uri(file) },
            "replacements": replacements,
        }],
    })
}

fn location(place: &Place, sources: &Sources) -> Value {
    json!({ "physicalLocation": {
        "artifactLocation": { "uri": uri(&place.file) },
        "region": region(place, sources),
    }})
}

fn region(place: &Place, sources: &Sources) -> Value {
    let (start, end) = (sources.start(place), sources.end(place));
    json!({
        "startLine": start.line,
        "startColumn": start.column,
        "endLine": end.line,
        "endColumn": end.column,
    })
}

fn insert(value: &mut Value, key: &str, part: Value) {
    if let Value::Object(object) = value {
        object.insert(key.to_owned(), part);
    }
}

/// A path as a URI reference: what RFC 3986 does not let stand in a path is escaped, and a colon, so
/// that no part of a path is taken for a scheme.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=@/".contains(&byte);
    let escape = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    path.replace('\\', "/").bytes().map(escape).collect()
}
