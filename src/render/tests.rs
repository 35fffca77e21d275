//! What every renderer must get right: places, escapes, and files that are not there.

use super::{github, human, json, sarif};
use crate::diagnostic::{Finding, Place, Sources};

fn place(file: &str, span: std::ops::Range<usize>) -> Place {
    Place { file: file.into(), span }
}

fn sample() -> (Vec<Finding>, Sources) {
    let mut sources = Sources::default();
    sources.add("flows/a:b, c.toml", "é = 1\nkey = \"\"\"\nlong\n\"\"\"\nlast");
    sources.add("empty.toml", "");
    let findings = vec![
        Finding::error("syntax", "100% `wrong`", place("flows/a:b, c.toml", 13..25))
            .label("compare this", place("flows/a:b, c.toml", 0..2))
            .help("do\r\nbetter"),
        Finding::warning("unused", "nothing here", place("empty.toml", 0..0)),
        Finding::warning("unused", "nowhere", place("gone.toml", 3..9)),
    ];
    (findings, sources)
}

#[test]
fn people_see_the_lines_that_are_meant() {
    let (findings, sources) = sample();
    expect_test::expect![[r#"
        error[syntax]: 100% `wrong`
         --> flows/a:b, c.toml:2:7
          |
        1 | é = 1
          | - compare this
        2 | key = """
          |       ^^^
          |
          = help: do\r
                  better

        warning[unused]: nothing here
         --> empty.toml:1:1
          |
        1 |
          | ^

        warning[unused]: nowhere
        --> gone.toml

    "#]]
    .assert_eq(&human::render(&findings, &sources, false));
    let sly = Finding::error("syntax", "`\u{1b}[2J\u{202e}`", place("empty.toml", 0..0));
    let text = human::render(&[sly], &sources, false);
    assert!(text.starts_with("error[syntax]: `\\u{1b}[2J\\u{202e}`\n"), "{text}");
    assert!(human::render(&findings, &sources, true).contains('\u{1b}'));
    assert_eq!(human::render(&[], &sources, true), "");
    assert_eq!(human::summary(&findings), "1 error, 2 warnings");
    assert_eq!(human::summary(&[]), "no findings");
}

#[test]
fn programs_get_positions_of_characters() {
    let (findings, sources) = sample();
    let document: serde_json::Value =
        serde_json::from_str(&json::render(&findings, &sources)).unwrap();
    let finding = &document["findings"][0];
    let position = ["line", "column", "end_line", "end_column"].map(|key| finding[key].as_u64());
    assert_eq!(position, [Some(2), Some(7), Some(4), Some(4)]);
    assert_eq!(finding["labels"][1]["end_column"], 2, "é is one character");
    assert_eq!(document["findings"][1]["help"], serde_json::Value::Null);
}

#[test]
fn github_commands_stay_on_their_line() {
    let (findings, sources) = sample();
    let text = github::render(&findings, &sources);
    assert_eq!(text.lines().count(), 3);
    assert_eq!(
        text.lines().next().unwrap(),
        "::error file=flows/a%3Ab%2C c.toml,line=2,col=7,endLine=4,endColumn=4,title=syntax::\
         100%25 `wrong`%0Aflows/a:b, c.toml:1: compare this%0Ahelp: do%0D%0Abetter"
    );
}

#[test]
fn sarif_names_files_by_uri() {
    let (findings, sources) = sample();
    let log: serde_json::Value = serde_json::from_str(&sarif::render(&findings, &sources)).unwrap();
    let result = &log["runs"][0]["results"][0];
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "flows/a%3Ab,%20c.toml");
    assert_eq!(place["region"]["endColumn"], 4);
    assert_eq!(result["relatedLocations"][0]["message"]["text"], "compare this");
}
