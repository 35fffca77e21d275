//! What other programs are told: SARIF as its schema wants it, and annotations that stay on their line,
//! for every bad flow there is and for names that nobody should give.

use std::fs;
use std::path::Path;

use callgate::check::{self, check_sources};
use callgate::diagnostic::{Finding, Sources};
use callgate::render::{github, json, sarif};
use serde_json::Value;

use crate::cli::run;
use crate::support::house::command_in;
use crate::support::tree::{entries, is_toml, root};

fn load(path: &Path) -> Sources {
    let files = if path.is_dir() { entries(path) } else { vec![path.to_owned()] };
    let mut sources = Sources::default();
    for file in files {
        let name = file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        sources.add(&name, fs::read_to_string(file).unwrap());
    }
    sources
}

/// Every bad flow, and two whose files and states have names that a reader could trip over.
fn all() -> Vec<(Sources, Vec<Finding>)> {
    let folder = root().join("fixtures/flows/bad");
    let mut paths = entries(&folder);
    paths.retain(|path| path.is_dir() || is_toml(path));
    let mut all: Vec<_> = paths.iter().map(|path| load(path)).collect();
    for name in ["a b/ç,:%25.toml", "x::y\n,file=z.toml"] {
        let mut sly = Sources::default();
        let text = "name = \"f\"\nstart = \"a\"\n[states.\"::error,%0A\\n::warning::\"]\ntype = \"hangup\"\n";
        sly.add(name, text);
        all.push(sly);
    }
    let check = |sources: Sources| {
        let (_, findings) = check_sources(&sources);
        (sources, findings)
    };
    all.into_iter().map(check).collect()
}

#[test]
fn sarif_is_what_its_schema_wants() {
    let schema = root().join("tests/it/sarif/sarif-schema-2.1.0.json");
    // It has a bracket in a pattern that only JavaScript takes for itself.
    let schema = fs::read_to_string(schema).unwrap().replace("{2}]?$", "{2}\\\\]?$");
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let validator =
        jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema");
    let (mut results, mut fixes) = (0, 0);
    for (sources, findings) in all() {
        let log: Value = serde_json::from_str(&sarif::render(&findings, &sources)).unwrap();
        let wrong: Vec<_> =
            validator.iter_errors(&log).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert_eq!(wrong, [""; 0]);
        let run = &log["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        for rule in rules {
            let whole = check::explain(rule["id"].as_str().unwrap()).unwrap();
            let told = rule["fullDescription"]["text"].as_str().unwrap();
            assert!(!told.is_empty() && whole.contains(told), "{told}");
            assert!(told.chars().count() <= 1_024 && !told.contains("## "), "{told}");
            // What of it is left out would have made it too long.
            let rest = whole.split_once(told).unwrap().1.trim_start();
            let next = rest.split("\n\n").next().unwrap();
            let fits = told.chars().count() + 2 + next.chars().count() <= 1_024;
            assert!(next.starts_with("## ") || !fits, "{next}");
        }
        for (result, finding) in run["results"].as_array().unwrap().iter().zip(&findings) {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[index]["id"], result["ruleId"]);
            assert_eq!(result["ruleId"], finding.code);
            assert_eq!(result["fixes"].is_array(), finding.fix.is_some());
            results += 1;
            fixes += usize::from(finding.fix.is_some());
        }
    }
    assert!(results > 100 && fixes >= 10, "{results} results, {fixes} fixes");
    let log = sarif::render(&[], &Sources::default()).replace("\"2.1.0\"", "\"2.1.1\"");
    assert!(!validator.is_valid(&serde_json::from_str(&log).unwrap()), "it can fail");
}

/// A workflow command as GitHub reads it: `::name property=value,…::data`, with its escapes undone.
fn command(line: &str) -> (String, Vec<(String, String)>, String) {
    let rest = line.strip_prefix("::").unwrap();
    let (head, data) = rest.split_once("::").unwrap();
    let (name, properties) = head.split_once(' ').unwrap();
    let data_of = |text: &str| text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%");
    let property_of = |text: &str| data_of(&text.replace("%3A", ":").replace("%2C", ","));
    let property = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap();
        (key.to_owned(), property_of(value))
    };
    (name.to_owned(), properties.split(',').map(property).collect(), data_of(data))
}

#[test]
fn an_annotation_is_one_command_at_its_place() {
    for (sources, findings) in all() {
        let text = github::render(&findings, &sources);
        assert_eq!(text.lines().count(), findings.len(), "{text}");
        for (line, finding) in text.lines().zip(&findings) {
            let (name, properties, data) = command(line);
            let place = finding.place().unwrap();
            let start = sources.start(place);
            assert_eq!(name, finding.severity.as_str());
            let keys: Vec<_> = properties.iter().map(|(key, _)| key.as_str()).collect();
            assert_eq!(keys, ["file", "line", "col", "endLine", "endColumn", "title"]);
            assert_eq!(properties[0].1, *place.file);
            assert_eq!(properties[1].1, start.line.to_string());
            assert_eq!(properties[5].1, finding.code);
            assert!(data.starts_with(&finding.message), "{data}");
            assert!(finding.help.as_ref().is_none_or(|help| data.ends_with(help)), "{data}");
        }
    }
}

#[test]
fn json_carries_what_mends_a_finding() {
    let sources = load(&root().join("fixtures/flows/bad/unknown-state.toml"));
    let (_, findings) = check_sources(&sources);
    let document: Value = serde_json::from_str(&json::render(&findings, &sources)).unwrap();
    assert_eq!(document["findings"][0]["fix"], Value::Null, "two letters may be anything");
    let sources = load(&root().join("fixtures/flows/bad/unknown-key.toml"));
    let (_, findings) = check_sources(&sources);
    let document: Value = serde_json::from_str(&json::render(&findings, &sources)).unwrap();
    let fix = &document["findings"][1]["fix"];
    assert_eq!(fix["title"], "write `prompt`");
    let edit = &fix["edits"][0];
    assert_eq!((edit["line"].as_u64(), edit["end_column"].as_u64()), (Some(9), Some(6)));
    assert_eq!(edit["text"], "prompt");
}

/// A build server reads the findings in another form, and fails for the same.
#[test]
fn warnings_are_denied_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let flow = "name = \"a\"\nstart = \"s\"\n[levels]\nl = { any = [\"pin\"] }\n\
        [states.s]\ntype = \"hangup\"\n";
    std::fs::write(folder.path().join("a.toml"), flow).unwrap();
    for format in ["human", "json", "sarif", "github"] {
        let check = |more: &[&str]| {
            let args = [&["check", ".", "--format", format], more].concat();
            run(command_in(folder.path()).args(args))
        };
        let (code, told, _) = check(&[]);
        assert!(code == 0 && told.contains("unused"), "{format}: {code} {told}");
        assert_eq!(check(&["--deny-warnings"]).0, 1, "{format}");
    }
}
