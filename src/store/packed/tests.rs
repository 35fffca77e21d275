//! That everything reads back, and what does not.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::Config;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

const PLACE: &str = "5653d52d-6d7d-5e49-b892-6f8098a87f38";

fn written(value: &impl Serialize) -> Vec<u8> {
    // After something else, as it is sealed.
    let mut bytes = b"head".to_vec();
    assert!(write(value, PLACE, &mut bytes));
    bytes.split_off(4)
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    super::read(bytes, PLACE)
}

/// How many bytes a text takes, and that it reads back.
fn of_text(text: &str) -> usize {
    let bytes = written(&text);
    assert_eq!(read::<String>(&bytes).unwrap(), text);
    bytes.len()
}

#[test]
fn what_is_known_is_short() {
    assert_eq!(of_text("number"), 1);
    assert_eq!(of_text("many_accounts"), 2);
    assert_eq!(of_text(&"0123456789abcdef".repeat(4)), 33);
    assert_eq!(of_text(&"0123456789abcdef".repeat(2)), 17);
    assert_eq!(of_text(&"0123456789abcdef".repeat(3)), 26);
    assert_eq!(of_text("5653d52d-6d7d-5e49-b892-6f8098a87f39"), 17);
    assert_eq!(of_text(PLACE), 2);
    assert_eq!(of_text("CA000000000000000200000000000003db"), 19);
    assert_eq!(of_text("2026-11-26T02:06:22.112467445Z"), 9);
    assert_eq!(of_text("2026-11-26T02:06:22Z"), 5);
    assert_eq!(of_text("100987"), 4);
    assert_eq!(of_text("+15005550006"), 6);
}

#[test]
fn what_is_spelled_otherwise_stays_as_it_is() {
    for text in [
        "",
        "0042",
        "+0042",
        "+",
        "1234567890123456789012345",
        "Number",
        "0123456789ABCDEF",
        "0123456789abcde",
        "5653D52D-6d7d-5e49-b892-6f8098a87f38",
        "5653d52d6-d7d-5e49-b892-6f8098a87f38",
        "Ca000000000000000200000000000003db",
        "CA000000000000000200000000000003dB",
        "2026-11-26T02:06:22.10Z",
        "2026-11-26T02:06:22.Z",
        "2026-11-26T02:06:22.1234567890Z",
        "2026-11-26t02:06:22Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-04-30T24:00:00Z",
        "2026-04-30T23:59:60Z",
        "1969-12-31T23:59:59Z",
        "2106-02-07T06:28:16Z",
        "9999-12-30T22:00:00.999999999Z",
        "für Ärzte und Öfen, die es überall gibt",
    ] {
        assert!(of_text(text) > text.len(), "{text}");
    }
}

#[test]
fn every_day_of_the_calendar_is_told() {
    for day in 0..u32::MAX / 86_400 {
        let at = jiff::Timestamp::new(i64::from(day) * 86_400 + 86_399, 120_000_000).unwrap();
        let bytes = written(&at);
        assert_eq!((bytes.len(), read(&bytes)), (9, Ok(at)));
    }
}

#[test]
fn what_comes_again_is_spelled_once() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Half {
        b: BTreeMap<String, String>,
    }
    let texts = ["the same words", "abc", "CA000000000000000200000000000003db", "abc", PLACE];
    let twice: Vec<&str> = texts.into_iter().chain(texts).collect();
    let bytes = written(&twice);
    assert_eq!(bytes.len(), 1 + 15 + 4 + 19 + 4 + 2 + 2 + 4 + 2 + 4 + 2);
    assert_eq!(read::<Vec<String>>(&bytes).unwrap(), twice);
    // Names of fields too, and also where nobody wants to know what is in them.
    let map = json!({ "a": { "some name": "some text" }, "b": { "some name": "some text" } });
    let half = Half { b: BTreeMap::from([("some name".into(), "some text".into())]) };
    assert_eq!(read::<Half>(&written(&map)), Ok(half));
    // As many as a byte counts.
    let many: Vec<String> = (0..300).chain(0..300).map(|n| format!("text {n}")).collect();
    assert_eq!(read::<Vec<String>>(&written(&many)).unwrap(), many);
    // In another place it says something else, which no seal lets happen.
    assert_eq!(super::read::<String>(&written(&PLACE), "elsewhere").as_deref(), Ok("elsewhere"));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Plain,
    One(u32),
    Two(String, Option<bool>),
    Named { at: i64, share: f64 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Thing {
    kinds: Vec<Kind>,
    by_slot: BTreeMap<i64, u32>,
    #[serde(flatten)]
    rest: BTreeMap<String, u64>,
    empty: (),
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missing: Option<String>,
}

#[test]
fn types_read_back() {
    let thing = Thing {
        kinds: vec![
            Kind::Plain,
            Kind::One(u32::MAX),
            Kind::Two("x".into(), None),
            Kind::Two("x".into(), Some(true)),
            Kind::Named { at: i64::MIN, share: 0.1 },
        ],
        by_slot: (-20..20).map(|slot| (slot, 7)).collect(),
        rest: BTreeMap::from([("more".into(), u64::MAX)]),
        empty: (),
        missing: None,
    };
    assert_eq!(read::<Thing>(&written(&thing)), Ok(thing));
}

#[test]
fn a_field_more_or_less_is_no_matter() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Older {
        turns: u64,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Newer {
        added: Vec<BTreeMap<String, Kind>>,
        turns: u64,
        #[serde(default)]
        also: Option<u8>,
    }
    let added = vec![BTreeMap::from([("a".to_owned(), Kind::Named { at: 1, share: 2.0 })])];
    let newer = Newer { added, turns: 3, also: Some(4) };
    assert_eq!(read::<Older>(&written(&newer)), Ok(Older { turns: 3 }));
    assert_eq!(read::<Newer>(&written(&Older { turns: 3 })), Err(Unreadable));
    let json = json!({ "turns": 3, "added": [] });
    assert_eq!(read::<Newer>(&written(&json)).unwrap().also, None);
}

#[test]
fn what_is_no_number_of_json_is_nothing() {
    assert_eq!(read::<Option<f64>>(&written(&f64::NAN)), Ok(None));
    assert_eq!(read::<f64>(&written(&-0.0)).unwrap().to_bits(), (-0.0_f64).to_bits());
}

/// Whoever says that there are so many parts has as many.
#[test]
fn what_lies_about_its_parts_is_not_written() {
    struct Liar(usize);
    impl Serialize for Liar {
        fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeSeq as _;
            let mut parts = to.serialize_seq(Some(2))?;
            for part in 0..self.0 {
                parts.serialize_element(&part)?;
            }
            parts.end()
        }
    }
    assert!(write(&Liar(2), PLACE, &mut Vec::new()));
    assert!(!write(&Liar(1), PLACE, &mut Vec::new()));
    assert!(!write(&Liar(3), PLACE, &mut Vec::new()));
}

#[test]
fn what_is_deep_is_not_read() {
    let nested = |depth: usize| [vec![byte::SMALL_LIST + 1; depth], vec![byte::NOTHING]].concat();
    assert!(read::<Value>(&nested(64)).is_ok());
    assert_eq!(read::<Value>(&nested(65)), Err(Unreadable));
}

#[test]
fn what_is_no_thing_is_not_read() {
    let huge = [&[byte::LIST][..], &[0xff; 9], &[1]].concat();
    for bytes in [
        &[][..],
        &[byte::END],
        &[0xd8],
        &[byte::AGAIN],
        &[byte::AGAIN, 1],
        &[byte::SMALL_LIST + 2, byte::TEXT + 3, b'a', b'b', b'c', byte::AGAIN, 1],
        &[byte::RARE_WORD, 0xff],
        &[byte::TEXT + 1, 0xff],
        &[byte::TEXT + 2, b'a'],
        &[byte::NANOSECOND, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
        &[byte::WHOLE, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
        &[byte::WHOLE, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0],
        &[byte::NOTHING, byte::NOTHING],
        &[byte::SMALL_LIST + 1],
        &[byte::OPEN_MAP, 0],
        &huge,
    ] {
        assert_eq!(read::<Value>(bytes), Err(Unreadable), "{bytes:02x?}");
    }
    let most = [byte::WHOLE, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    assert_eq!(read::<u64>(&most), Ok(u64::MAX));
}

/// As JSON has it, with texts of all shapes.
fn any_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>(),
        "[0-9a-f]{0,66}",
        "[+]?[0-9]{0,20}",
        "[A-Z]{2}[0-9a-f]{32}",
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,10})?Z",
        (0..words::WORDS.len()).prop_map(|number| words::WORDS[number].to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 20, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
            prop::collection::btree_map(text.clone(), inner, 0..20)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(Config { cases: 400, failure_persistence: None, ..Config::default() })]

    #[test]
    fn everything_reads_back(value in any_value()) {
        prop_assert_eq!(read::<Value>(&written(&value)), Ok(value));
    }

    #[test]
    fn no_bytes_are_too_much(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read::<Value>(&bytes);
    }
}
