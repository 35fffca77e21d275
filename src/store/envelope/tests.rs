//! What opens, what does not, and that an envelope of the first version still does.

use super::*;

const KEY: [u8; 32] = [7; 32];
const NONCE: [u8; 12] = [9; 12];
const GOLDEN_V1: &str = include_str!("../../../fixtures/state/envelope.v1.json");
/// In hexadecimal digits, as the next.
const GOLDEN_V2: &str = include_str!("../../../fixtures/state/envelope.v2.hex");
const GOLDEN_V3: &str = include_str!("../../../fixtures/state/envelope.v3.hex");
const GOLDEN: &str = include_str!("../../../fixtures/state/envelope.v4.hex");
const PLAIN: &str = "the caller's PIN is 2468";

fn sealed() -> Vec<u8> {
    Vault::new(&KEY).seal(Kind::Call, "call-1", &PLAIN, NONCE)
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.trim_end().as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn what_was_sealed_opens() {
    let opened = Vault::new(&KEY).open(Kind::Call, "call-1", &sealed()).unwrap();
    assert_eq!(opened.version, 4);
    assert_eq!(opened.read::<String>().as_deref(), Some(PLAIN));
    assert_eq!(opened.read::<u32>(), None);
}

#[test]
fn nothing_opens_as_nothing() {
    let vault = Vault::new(&KEY);
    let sealed = vault.seal(Kind::Record, "", &(), NONCE);
    assert_eq!(sealed.len(), 1 + 2 + 12 + 1 + 16);
    assert_eq!(vault.open(Kind::Record, "", &sealed).unwrap().read(), Some(()));
}

/// Whoever changes this golden changes what every store in the field holds.
#[test]
fn version_4_is_written_and_read_as_ever() {
    assert_eq!(hex(&sealed()), GOLDEN.trim_end());
}

#[test]
fn versions_before_are_read_as_ever() {
    let vault = Vault::new(&KEY);
    let open = |envelope: &[u8]| vault.open(Kind::Call, "call-1", envelope);
    for (version, golden) in [(1, GOLDEN_V1.as_bytes().to_vec()), (2, unhex(GOLDEN_V2))] {
        let opened = open(&golden).unwrap();
        assert_eq!(opened.version, version);
        // The text itself and not JSON's, in these two.
        assert_eq!(opened.plain, PLAIN.as_bytes());
    }
    let opened = open(&unhex(GOLDEN_V3)).unwrap();
    assert_eq!((opened.version, opened.read::<String>().as_deref()), (3, Some(PLAIN)));
    // What was sealed as one version does not open as another.
    let text = GOLDEN_V1.split('"').nth(9).unwrap();
    let as_second = [&[2, 2 | PACKED, 0xf0, 0x0d][..], &STANDARD.decode(text).unwrap()].concat();
    assert_eq!(open(&as_second), Err(EnvelopeError::Altered));
    let (key_name, rest) = as_second[4..].split_at(8);
    let as_third = [&[3], &key_name[..4], rest].concat();
    assert_eq!(open(&as_third), Err(EnvelopeError::Altered));
    let as_fourth = [&[4], &key_name[..2], &rest[12..]].concat();
    assert_eq!(open(&as_fourth), Err(EnvelopeError::Altered));
}

#[test]
fn a_flow_is_bound_in_versions_before() {
    let vault = Vault::new(&KEY);
    let mut moved = unhex(GOLDEN_V2);
    assert_eq!(moved[2..4], [0xf0, 0x0d]);
    moved[2] = 0xbe;
    assert_eq!(vault.open(Kind::Call, "call-1", &moved), Err(EnvelopeError::Altered));
}

#[test]
fn another_key_is_told_from_damage() {
    let other = Vault::new(&[8; 32]);
    assert_eq!(other.open(Kind::Call, "call-1", &sealed()), Err(EnvelopeError::WrongKey));
}

#[test]
fn another_version_is_told_from_damage() {
    let vault = Vault::new(&KEY);
    let open = |bytes: &[u8]| vault.open(Kind::Call, "call-1", bytes);
    assert_eq!(open(br#"{"v":5,"other":[]}"#), Err(EnvelopeError::UnknownVersion(5)));
    let mut newer = sealed();
    newer[0] = 5;
    assert_eq!(open(&newer), Err(EnvelopeError::UnknownVersion(5)));
    newer[0] = b'x';
    assert_eq!(open(&newer), Err(EnvelopeError::Altered));
}

#[test]
fn no_altered_byte_goes_unnoticed() {
    let vault = Vault::new(&KEY);
    let good = sealed();
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            assert!(vault.open(Kind::Call, "call-1", &bad).is_err(), "byte {at}, bit {bit}");
        }
        let cut = &good[..at];
        assert_eq!(vault.open(Kind::Call, "call-1", cut), Err(EnvelopeError::Altered));
    }
}

#[test]
fn a_value_opens_in_its_own_place_alone() {
    let vault = Vault::new(&KEY);
    let good = sealed();
    assert_eq!(vault.open(Kind::Call, "call-2", &good), Err(EnvelopeError::Altered));
    for kind in [Kind::Effect, Kind::Entry, Kind::Record] {
        assert_eq!(vault.open(kind, "call-1", &good), Err(EnvelopeError::Altered));
    }
    // The boundary between kind, id and contents is bound too.
    let one = vault.seal(Kind::Call, "ab", &"c", NONCE);
    assert_eq!(vault.open(Kind::Call, "a", &one), Err(EnvelopeError::Altered));
}

#[test]
fn a_state_key_is_32_bytes_of_base64() {
    let text = STANDARD.encode(KEY);
    let vault = Vault::from_base64(&format!(" {text}\n")).unwrap();
    assert!(vault.open(Kind::Call, "call-1", &sealed()).is_ok());
    assert!(Vault::from_base64(text.trim_end_matches('=')).is_ok());
    assert_eq!(Vault::from_base64("").err(), Some(KeyError::Length(0)));
    assert_eq!(Vault::from_base64(&STANDARD.encode([0; 31])).err(), Some(KeyError::Length(31)));
    assert_eq!(Vault::from_base64("not a key!").err(), Some(KeyError::NotBase64));
}

#[test]
fn a_keyed_hash_needs_its_key_its_label_and_its_boundaries() {
    let vault = Vault::new(&KEY);
    let hash = vault.keyed_hash("pin", &[b"12", b"34"]);
    assert_eq!(hash, Vault::new(&KEY).keyed_hash("pin", &[b"12", b"34"]));
    for other in [
        Vault::new(&[8; 32]).keyed_hash("pin", &[b"12", b"34"]),
        vault.keyed_hash("passcode", &[b"12", b"34"]),
        vault.keyed_hash("pin", &[b"123", b"4"]),
        vault.keyed_hash("pin", &[b"1234"]),
        vault.keyed_hash("pin", &[b"12", b"34", b""]),
        vault.keyed_hash("pin12", &[b"34"]),
    ] {
        assert_ne!(hash, other);
    }
    let hex = vault.keyed_hex("pin", &[b"12", b"34"]);
    assert_eq!(hex.len(), 64);
    assert!(hex.starts_with(&format!("{:02x}{:02x}", hash[0], hash[1])));
}

#[test]
fn neither_key_nor_contents_are_printed() {
    let vault = Vault::new(&KEY);
    assert_eq!(format!("{vault:?}"), "Vault(***)");
    let opened = vault.open(Kind::Call, "call-1", &sealed()).unwrap();
    assert_eq!(format!("{opened:?}"), "Opened { version: 4, .. }");
}
