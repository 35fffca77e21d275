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
