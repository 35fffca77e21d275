//! The JSON Schema of a flow file, made from the same tables that read it.

use serde_json::{Map, Value, json};

use super::budget::Pins;
use super::condition::{ATTESTATIONS, SUBJECTS, TESTS};
use super::level::Fact;
use super::outcome::Outcome;
use super::risk::BANDS;
use super::states::lookup::Type;
use super::states::{COMMON, Key, Shape, StateType, TYPES};

/// A language, as `Locale::parse` takes it.
const TAG: &str = "^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$";

/// The schema (draft 2020-12) of a flow file, for editors.
pub fn schema() -> Value {
    let states: Vec<_> = TYPES.iter().map(|of| state(of)).collect();
    let facts: Vec<_> =
        Fact::ALL.iter().map(|fact| fact.as_str()).chain(["knowledge", "possession"]).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://callgate.dev/schema/flow.json",
        "title": "A callgate flow",
        "description": "What a caller is led through. Nothing in it is code.",
        "type": "object",
        "required": ["name", "start", "states"],
        "additionalProperties": false,
        "properties": {
            "name": described(&json!({"type": "string"}), "What other flows and the configuration call it."),
            "start": described(&json!({"type": "string"}), "The state a call begins in."),
            "locale": described(&json!({"type": "string", "pattern": TAG}), "The language of callers of whom nothing else is known: \"en-US\"."),
            "voice": described(&localized(), "The provider's voice, or a table of voices by language."),
            "business": described(&json!({"type": "string"}), "What the business calls itself where nothing more may be said."),
            "currency": described(&json!({"type": "string", "pattern": "^[A-Z]{3}$"}), "ISO 4217 code for the money filter: \"USD\"."),
            "levels": {"type": "object", "description": "What \"authenticated\" means.", "additionalProperties": {"$ref": "#/$defs/level"}},
            "disclose": {"type": "object", "description": "Who may hear which account field: a level for each.", "additionalProperties": {"type": "string"}},
            "budget": budget(),
            "hours": {"type": "object", "description": "Opening hours by name.", "additionalProperties": {"$ref": "#/$defs/hours"}},
            "states": {"type": "object", "description": "The states.", "minProperties": 1, "additionalProperties": {"oneOf": states}},
        },
        "$defs": {
            "level": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "all": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/part"}},
                    "any": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/part"}},
                    "within": {"type": "string", "description": "How long ago the proofs may be."},
                    "at_risk": {
                        "type": "object",
                        "description": "What must be proved as well from a band of risk upwards.",
                        "additionalProperties": false,
                        "properties": {"medium": {"$ref": "#/$defs/level"}, "high": {"$ref": "#/$defs/level"}},
                    },
                },
            },
            "part": {"oneOf": [{"enum": facts}, {"$ref": "#/$defs/level"}]},
            "hours": {
                "type": "object",
                "required": ["zone", "open"],
                "additionalProperties": false,
                "properties": {
                    "zone": {"type": "string", "description": "A time zone such as Europe/Berlin."},
                    "open": {"type": "array", "items": {"type": "string"}, "description": "\"mon-fri 09:00-17:00\""},
                    "closed": {"type": "array", "description": "Days closed: \"2026-12-25\"."},
                },
            },
            "prompt": {"anyOf": [localized(), {"type": "array", "items": {"anyOf": [localized(), {
                "type": "object",
                "additionalProperties": false,
                "minProperties": 1,
                "maxProperties": 1,
                "properties": {"play": localized(), "pause": {"type": "string"}},
            }]}}]},
            "condition": condition(),
        },
    })
}

/// One thing that is asked about; of a variable or a field, with one test.
fn condition() -> Value {
    let keys = SUBJECTS.into_iter().chain(TESTS).chain(["zone"]);
    let properties: Map<_, _> = keys.map(|key| (key.to_owned(), asked(key))).collect();
    let tests = TESTS.map(|test| json!({"required": [test]}));
    let alone = SUBJECTS.map(|subject| match subject {
        "var" | "field" => json!({"required": [subject], "maxProperties": 2, "oneOf": tests}),
        "time" => json!({"required": ["time", "zone"], "maxProperties": 2}),
        _ => json!({"required": [subject], "maxProperties": 1}),
    });
    json!({"type": "object", "additionalProperties": false, "properties": properties, "oneOf": alone})
}

/// What a condition says under a key.
fn asked(key: &str) -> Value {
    let bands = BANDS.map(|(name, _)| name);
    let fixed = json!({"type": ["string", "number", "boolean"]});
    match key {
        "all" | "any" => {
            json!({"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/condition"}})
        }
        "not" => json!({"$ref": "#/$defs/condition"}),
        "fact" => json!({"enum": Fact::ALL.map(Fact::as_str)}),
        "attestation" => json!({"enum": ATTESTATIONS.map(|(name, _)| name)}),
        "risk" | "risk_at_least" => json!({"enum": bands}),
        "equals" => fixed,
        "one_of" => json!({"type": "array", "items": fixed}),
        "at_least" | "at_most" | "above" | "below" => json!({"type": "number"}),
        "present" => json!({"type": "boolean"}),
        _ => json!({"type": "string"}),
    }
}

fn budget() -> Value {
    let chance = json!({"type": "number", "minimum": 0, "maximum": 1});
    json!({
        "type": "object",
        "description": "The highest chances left to somebody who guesses.",
        "additionalProperties": false,
        "properties": {
            "per_call": described(&chance, "In one call to one account."),
            "per_day": described(&chance, "In a day at one account."),
            "per_year": described(&chance, "In a year at one account."),
            "pins": {"enum": Pins::ALL.map(Pins::as_str), "description": "Where PINs come from."},
        },
    })
}

fn described(schema: &Value, text: &str) -> Value {
    let mut schema = schema.clone();
    if let Some(object) = schema.as_object_mut() {
        object.insert("description".into(), text.into());
    }
    schema
}

fn localized() -> Value {
    json!({"anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": TAG},
            "additionalProperties": {"type": "string"},
        },
    ]})
}

fn state(of: &StateType) -> Value {
    let mut properties = Map::new();
    let mut required = vec![];
    for key in COMMON.iter().chain(of.keys) {
        properties.insert(key.name.into(), value(key, of));
        if key.required {
            required.push(key.name);
        }
    }
    properties.insert("type".into(), json!({"const": of.name, "description": of.page()}));
    json!({
        "title": of.name,
        "description": of.page(),
        "type": "object",
        "required": required,
        "additionalProperties": false,
        "properties": properties,
    })
}

fn value(key: &Key, of: &StateType) -> Value {
    let shape = match key.shape {
        Shape::Text | Shape::State | Shape::Duration => json!({"type": "string"}),
        Shape::Prompt => json!({"$ref": "#/$defs/prompt"}),
        Shape::Notice => json!({"anyOf": [{"type": "boolean"}, {"$ref": "#/$defs/prompt"}]}),
        Shape::Integer(min, u64::MAX) => json!({"type": "number", "minimum": min}),
        Shape::Integer(min, max) => json!({"type": "integer", "minimum": min, "maximum": max}),
        Shape::Boolean => json!({"type": "boolean"}),
        Shape::Choice(words) => json!({"enum": words}),
        Shape::Choices(words) => json!({"type": "array", "items": {"enum": words}}),
        Shape::Texts => json!({"type": "array", "items": {"type": "string"}}),
        Shape::Routes if key.name == "on" => routes(of),
        Shape::Routes if key.name == "keys" => json!({
            "type": "object",
            "propertyNames": {"pattern": "^[0-9*#]$"},
            "additionalProperties": {"type": "string"},
        }),
        Shape::Routes | Shape::Variables => {
            json!({"type": "object", "additionalProperties": {"type": "string"}})
        }
        Shape::Values => json!({"type": "object"}),
        Shape::Gives => json!({"type": "object", "additionalProperties": {
            "type": "object",
            "required": ["type", "label"],
            "additionalProperties": false,
            "properties": {
                "type": {"enum": Type::ALL.map(|(name, _)| name)},
                "label": {"type": "string", "description": "The level that may hear it, or \"anyone\"."},
            },
        }}),
        Shape::Cases => json!({"type": "array", "minItems": 1, "items": {
            "type": "object",
            "required": ["when", "next"],
            "additionalProperties": false,
            "properties": {"when": {"$ref": "#/$defs/condition"}, "next": {"type": "string"}},
        }}),
        Shape::Target => {
            let names = ["number", "sip", "queue", "workflow", "conference"];
            let target = |name: &str| (name.to_owned(), json!({"type": "string"}));
            json!({
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": false,
                "properties": names.into_iter().map(target).collect::<Map<_, _>>(),
            })
        }
    };
    described(&shape, key.doc)
}

fn routes(of: &StateType) -> Value {
    if of.name == "call" {
        return json!({"type": "object", "additionalProperties": {"type": "string"}});
    }
    let named = of.outcomes.iter().filter(|o| !matches!(o, Outcome::Next | Outcome::Otherwise));
    let outcome = |outcome: &Outcome| (outcome.as_str().to_owned(), json!({"type": "string"}));
    let properties: Map<_, _> = named.chain([&Outcome::Denied]).map(outcome).collect();
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}
