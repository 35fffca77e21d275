//! The table of `SECURITY.md` and the tests beside this file: each names the other.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::tree::{root, text};

const ROWS: usize = 75;

/// The names of tests in a text: `t`, the row's two digits, and what is shown.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_name = |word: &&str| {
        let bytes = word.as_bytes();
        bytes.len() > 4
            && bytes[0] == b't'
            && bytes[1..3].iter().all(u8::is_ascii_digit)
            && bytes[3] == b'_'
    };
    words.filter(is_name).map(str::to_owned).collect()
}

/// The tests in the source, without this file.
fn written() -> BTreeSet<String> {
    let folder = root().join("tests/it/threats");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| !path.ends_with("table.rs"));
    files.flat_map(|path| named(&std::fs::read_to_string(path).unwrap())).collect()
}

/// The rows of the table: what each threatens, what closes it, and its tests.
fn rows() -> BTreeMap<usize, [String; 3]> {
    let text = text("SECURITY.md");
    let mut rows = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("| ")) {
        let cells: Vec<_> = line.trim_end_matches(" |").split(" | ").map(str::to_owned).collect();
        let Ok(number) = cells[0].trim().parse::<usize>() else { continue };
        let cells: [String; 4] = cells.try_into().unwrap_or_else(|cells| panic!("{cells:?}"));
        let [_, threat, closed_by, tests] = cells;
        assert!(rows.insert(number, [threat, closed_by, tests]).is_none(), "row {number} twice");
    }
    rows
}

#[test]
fn every_threat_has_its_row_and_every_row_its_tests() {
    let rows = rows();
    assert_eq!(rows.keys().copied().collect::<Vec<_>>(), (1..=ROWS).collect::<Vec<_>>());
    let mut in_table = BTreeSet::new();
    for (number, [threat, closed_by, tests]) in rows {
        assert!(threat.len() > 10 && closed_by.len() > 10, "row {number}");
        let tests = named(&tests);
        assert!(!tests.is_empty(), "row {number} names no test");
        for test in &tests {
            assert_eq!(
                test[1..3].parse::<usize>().unwrap(),
                number,
                "{test} stands in row {number}"
            );
        }
        in_table.extend(tests);
    }
    let written = written();
    let apart: Vec<_> = in_table.symmetric_difference(&written).collect();
    assert!(apart.is_empty(), "in the table or among the tests alone: {apart:?}");
}
