//! The JSON Schema of flow files: what is shipped fits it, and what it can see to be wrong does not.

use std::path::Path;

use callgate::flow::schema::schema;

use crate::support::tree::{entries, root};

/// What the schema says against a flow file.
fn against(validator: &jsonschema::Validator, file: &Path) -> Vec<String> {
    let table: toml::Table = std::fs::read_to_string(file).unwrap().parse().unwrap();
    let value = serde_json::to_value(table).unwrap();
    validator.iter_errors(&value).map(|error| error.to_string()).collect()
}

#[test]
fn what_is_shipped_fits_the_schema() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let mut files = 0;
    for folder in ["flows", "fixtures/calls/flows", "fixtures/flows/good"] {
        for file in entries(&root().join(folder)) {
            assert_eq!(against(&validator, &file), [""; 0], "{}", file.display());
            files += 1;
        }
    }
    assert!(files >= 10);
}

#[test]
fn what_it_can_see_to_be_wrong_does_not() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for name in ["unknown-type", "unknown-key", "missing-key", "wrong-type"] {
        let file = root().join(format!("fixtures/flows/bad/{name}.toml"));
        assert_ne!(against(&validator, &file), [""; 0], "{name}");
    }
}

/// Conditions, keys of a telephone and parts of a prompt have shapes of their own: the schema takes those that
/// `check` takes.
#[test]
fn what_is_inside_a_state_has_its_shape() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let fits = |state: &str| {
        let flow = format!("name = \"f\"\nstart = \"s\"\n[states.s]\n{state}");
        validator.is_valid(&serde_json::to_value(flow.parse::<toml::Table>().unwrap()).unwrap())
    };
    let branch = |when: &str| {
        format!(
            "type = \"branch\"\ncases = [{{ when = {{ {when} }}, next = \"s\" }}]\notherwise = \"s\"\n"
        )
    };
    for when in [
        "open = \"office\"",
        "fact = \"pin\"",
        "level = \"strong\"",
        "attestation = \"none\"",
        "risk = \"low\"",
        "risk_at_least = \"medium\"",
        "time = \"mon-fri 09:00-17:00\", zone = \"Europe/Berlin\"",
        "var = \"v\", equals = true",
        "var = \"v\", one_of = [1, \"two\"]",
        "field = \"f\", above = -1.5",
        "var = \"v\", present = false",
        "all = [{ any = [{ not = { fact = \"pin\" } }] }, { var = \"v\", at_most = 3 }]",
    ] {
        assert!(fits(&branch(when)), "{when}");
    }
    for when in [
        "",
        "open = \"office\", fact = \"pin\"",
        "fact = \"knowledge\"",
        "attestation = \"D\"",
        "risk = \"extreme\"",
        "time = \"mon-fri 09:00-17:00\"",
        "zone = \"Europe/Berlin\"",
        "var = \"v\"",
        "var = \"v\", fact = \"pin\"",
        "var = \"v\", at_least = 1, at_most = 2",
        "var = \"v\", at_least = \"1\"",
        "var = \"v\", equals = [1]",
        "var = \"v\", present = 1",
        "all = []",
        "not = [{ fact = \"pin\" }]",
        "any = [{ fact = \"pin\", x = 1 }]",
    ] {
        assert!(!fits(&branch(when)), "{when}");
    }
    let menu = |lines: &str| format!("type = \"menu\"\n{lines}\n");
    for (lines, taken) in [
        ("prompt = \"a\"\nkeys = { 1 = \"s\", \"*\" = \"s\" }", true),
        ("prompt = \"a\"\nkeys = { 12 = \"s\" }", false),
        ("prompt = \"a\"\nkeys = { x = \"s\" }", false),
        ("prompt = { es-MX = \"a\", zh-Hant-TW = \"b\" }", true),
        ("prompt = { en_US = \"a\" }", false),
        ("prompt = { play = \"https://example.com/a\" }", false),
        ("prompt = [{ pause = \"1s\" }, { play = \"https://example.com/a\" }]", true),
        ("prompt = [{ pause = \"1s\", play = \"https://example.com/a\" }]", false),
    ] {
        assert_eq!(fits(&menu(lines)), taken, "{lines}");
    }
}

/// An editor shows what a key is for: every one has a description.
#[test]
fn every_key_of_a_state_says_what_it_is_for() {
    let schema = schema();
    let types = schema["properties"]["states"]["additionalProperties"]["oneOf"].as_array().unwrap();
    for of in types {
        let text = of.to_string();
        assert!(of["description"].as_str().is_some_and(|page| page.len() > 20), "{text}");
    }
}
