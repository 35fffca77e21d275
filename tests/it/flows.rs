//! Flow files with their findings: `fixtures/flows/good` has none, and of `fixtures/flows/bad` each
//! file, or folder of files checked together, has those drawn in the `.expected` file beside it.
//! `UPDATE_EXPECT=1` draws them anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use callgate::check::{self, Waits, check_sources, check_sources_for, explain};
use callgate::diagnostic::{Finding, Severity, Sources};
use callgate::flow::state::State;
use callgate::flow::states::TYPES;
use callgate::limits;
use callgate::render::{github, human, json, sarif};
use expect_test::expect_file;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::Config;

use crate::support::house::command_in;
use crate::support::process::Ran as _;
use crate::support::tree::{entries, is_toml, root};
use crate::support::work::on_cpu;

fn folder(name: &str) -> PathBuf {
    root().join("fixtures/flows").join(name)
}

/// A flow file, or a folder of them.
pub(crate) fn load(path: &Path) -> Sources {
    let files = if path.is_dir() { entries(path) } else { vec![path.to_owned()] };
    let mut sources = Sources::default();
    for file in files.iter().filter(|file| is_toml(file)) {
        let name = file.file_name().unwrap().to_str().unwrap();
        sources.add(name, fs::read_to_string(file).unwrap());
    }
    sources
}

/// Flow files, and folders of them, with which something is wrong.
pub(crate) fn bad() -> Vec<PathBuf> {
    let mut paths = entries(&folder("bad"));
    paths.retain(|path| path.extension().is_none_or(|extension| extension != "expected"));
    paths
}

#[test]
fn good_flows_have_no_findings() {
    let sources = load(&folder("good"));
    let (flows, findings) = check_sources(&sources);
    assert_eq!(human::render(&findings, &sources, false), "");
    let used: BTreeSet<_> = flows
        .iter()
        .flat_map(|flow| flow.states.values().map(State::type_name).collect::<Vec<_>>())
        .collect();
    assert_eq!(used, TYPES.iter().map(|of| of.name).collect(), "every state type is there");
}

#[test]
fn a_sub_flow_speaks_as_the_flow_that_the_call_began_in_unless_it_says_otherwise() {
    let main = "name = \"main\"\nstart = \"sum\"\nvoice = \"Polly.Matthew\"\ncurrency = \"EUR\"\n\
                [states.sum]\ntype = \"set\"\nvalues = { sum = 5 }\nnext = \"inner\"\n\
                [states.inner]\ntype = \"call\"\nflow = \"inner\"\nwith = { sum = \"sum\" }\n\
                on = { ok = \"bye\" }\n[states.bye]\ntype = \"hangup\"\n";
    let inner = "name = \"inner\"\nstart = \"say\"\n\
                 [states.say]\ntype = \"menu\"\nprompt = \"{{ sum | money }}. Press 1.\"\nkeys = { 1 = \"back\" }\n\
                 on = { no_input = \"back\", no_match = \"back\" }\n\
                 [states.back]\ntype = \"return\"\noutcome = \"ok\"\n";
    let spoken = |inner: &str| {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("flows")).unwrap();
        fs::write(folder.path().join("flows/main.toml"), main).unwrap();
        fs::write(folder.path().join("flows/inner.toml"), inner).unwrap();
        fs::write(folder.path().join("keys"), ":twiml\n").unwrap();
        let keys = fs::File::open(folder.path().join("keys")).unwrap();
        let output = command_in(folder.path()).args(["simulate", "main"]).stdin(keys).ran();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let say = stdout.lines().find(|line| line.contains("<Say")).map(str::trim);
        say.unwrap_or_else(|| panic!("{stdout}")).to_owned()
    };
    let say = |voice: &str, words: &str| {
        format!("<Say language=\"en-US\" voice=\"{voice}\">{words}. Press 1.</Say>")
    };
    assert_eq!(spoken(inner), say("Polly.Matthew", "5 euros"));
    let own = format!("voice = \"Polly.Rémi-Generative\"\ncurrency = \"USD\"\n{inner}");
    assert_eq!(spoken(&own), say("Polly.Rémi-Generative", "5 dollars"));
}

/// Houses that ask all that there is to ask of numbers, or have the provider check their codes: nobody who calls
/// waits too long.
#[test]
fn shipped_flows_answer_in_time_whatever_a_house_asks() {
    let second = Duration::from_secs(1);
    let usual = Waits::default();
    let numbers = Waits { number: second, caller: second, ..usual.clone() };
    for waits in [
        Waits { account: Duration::ZERO, ..numbers.clone() },
        Waits { account: Duration::from_millis(700), ..numbers.clone() },
        Waits { code: second, ..usual },
    ] {
        let sources = load(&root().join("flows"));
        let (flows, findings) = check_sources_for(&sources, &waits);
        assert!(flows.iter().count() > 1);
        let slow: Vec<_> = findings.into_iter().filter(|it| it.code == "slow-reply").collect();
        assert_eq!(human::render(&slow, &sources, false), "", "{waits:?}");
    }
    let (_, findings) = check_sources_for(&load(&root().join("flows")), &numbers);
    let is_slow = findings.iter().any(|finding| finding.code == "slow-reply");
    assert!(is_slow, "with a directory that takes its time as well they are not");
}

#[test]
fn bad_flows_have_the_findings_drawn_beside_them() {
    for path in bad() {
        let sources = load(&path);
        let (_, findings) = check_sources(&sources);
        let drawn = human::render(&findings, &sources, false) + &human::summary(&findings) + "\n";
        expect_file![path.with_extension("expected")].assert_eq(&drawn);
        assert!(!findings.is_empty(), "{}", path.display());
        assert_sound(&sources, &findings);
    }
}

#[test]
fn every_code_has_a_page_and_a_bad_flow() {
    let mut found: BTreeSet<_> = bad()
        .iter()
        .flat_map(|path| {
            // Each of them is about the code it is named after.
            let (_, findings) = check_sources(&load(path));
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            findings.into_iter().map(|f| f.code).filter(move |code| name.starts_with(code))
        })
        .collect();
    let known: BTreeSet<_> = check::pages().iter().map(|page| page.code).collect();
    // These are larger than a fixture should be.
    let mut large = Sources::default();
    large.add("large.toml", "#".repeat(limits::FLOW_BYTES_MAX + 1));
    let state = |n: usize| format!("[states.s{n}]\ntype = \"hangup\"\n");
    let states: String = (0..=limits::STATES_MAX).map(state).collect();
    large.add("many.toml", format!("name = \"many\"\nstart = \"s0\"\n{states}"));
    let refused: BTreeSet<_> = check_sources(&large).1.iter().map(|finding| finding.code).collect();
    assert_eq!(refused, BTreeSet::from(["too-large", "too-many-states"]));
    found.extend(refused);
    let mut deep = Sources::default();
    for n in 0..18 {
        let end = if n == 0 { "\"hangup\"" } else { "\"return\"\noutcome = \"ok\"" };
        let go = match n {
            17 => "type = \"say\"\nprompt = \"a\"\nnext = \"end\"".to_owned(),
            n => format!("type = \"call\"\nflow = \"f{}\"\non = {{ ok = \"end\" }}", n + 1),
        };
        let flow = format!(
            "name = \"f{n}\"\nstart = \"go\"\n[states.go]\n{go}\n[states.end]\ntype = {end}\n"
        );
        deep.add(&format!("{n}.toml"), flow);
    }
    found.extend(check_sources(&deep).1.iter().map(|finding| finding.code));
    assert_eq!(found, known);
    assert!(explain("no-such-code").is_none());
}

#[test]
fn the_reader_reports_no_code_without_a_page() {
    let source = root().join("src");
    let mut wanted = vec![source.join("flow"), source.join("document"), source.join("document.rs")];
    while let Some(path) = wanted.pop() {
        if path.is_dir() {
            wanted.extend(entries(&path));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let before = ["Finding::error(", ".refuse("];
        let calls = before.iter().flat_map(|call| text.split(call).skip(1));
        for code in calls.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
        {
            assert!(explain(code).is_some(), "{} reports `{code}`", path.display());
        }
    }
}

#[test]
fn json_says_where_everything_is() {
    let path = folder("bad").join("loop-without-input.toml");
    let sources = load(&path);
    let (_, findings) = check_sources(&sources);
    let document: serde_json::Value =
        serde_json::from_str(&json::render(&findings, &sources)).unwrap();
    assert_eq!(document["version"], 1);
    let finding = &document["findings"][0];
    assert_eq!(finding["code"], "loop-without-input");
    assert_eq!(finding["severity"], "error");
    assert_eq!(finding["file"], "loop-without-input.toml");
    for key in ["line", "column", "end_line", "end_column"] {
        assert!(finding[key].as_u64().unwrap() >= 1, "{key}");
        assert!(finding["labels"][1][key].as_u64().unwrap() >= 1, "{key}");
    }
    assert!(finding["help"].is_string() && finding["labels"][1]["text"].is_string());
    let none: serde_json::Value = serde_json::from_str(&json::render(&[], &sources)).unwrap();
    assert_eq!(none, serde_json::json!({"version": 1, "findings": []}));
}

/// What must hold of any findings whatever.
fn assert_sound(sources: &Sources, findings: &[Finding]) {
    let mut sorted = findings.to_vec();
    sources.sort(&mut sorted);
    assert_eq!(sorted, findings, "in order, and none twice");
    for finding in findings {
        let page = check::pages().into_iter().find(|page| page.code == finding.code);
        assert_eq!(page.map(|page| page.severity), Some(finding.severity), "{}", finding.code);
        assert!(finding.message.starts_with(|c: char| !c.is_uppercase()), "{}", finding.message);
        assert!(!finding.message.ends_with('.'), "{}", finding.message);
        assert!(!finding.labels.is_empty());
        for label in &finding.labels {
            let text = sources.text(&label.place.file).unwrap();
            assert!(text.get(label.place.span.clone()).is_some(), "{label:?}");
        }
    }
    human::render(findings, sources, true);
    github::render(findings, sources);
    serde_json::from_str::<serde_json::Value>(&json::render(findings, sources)).unwrap();
    serde_json::from_str::<serde_json::Value>(&sarif::render(findings, sources)).unwrap();
}

/// Bits of the language, and of nothing, to put where they do not belong.
const BITS: [&str; 30] = [
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    "=",
    ",",
    "#",
    "\n",
    "\t",
    "{{",
    "}}",
    "{%",
    "|",
    "é",
    "\u{0}",
    "\u{202e}",
    "\"\"\"",
    "[states.x]\n",
    "next = ",
    "on = { ",
    "keys = { 1 = ",
    "type = \"menu\"\n",
    "requires = \"basic\"\n",
    "step_up = \"x\"\n",
    "true",
    "-1",
    "99999999999999999999",
    "[[a]]",
];

fn good_texts() -> Vec<String> {
    let sources = load(&folder("good"));
    sources.iter().map(|(_, text)| text.to_string()).collect()
}

#[derive(Clone, Debug)]
enum Change {
    Cut(Index, Index),
    Insert(Index, &'static str),
    Repeat(Index, Index),
    Truncate(Index),
    Swap(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Change::Cut(a, b)),
        (any::<Index>(), select(&BITS[..])).prop_map(|(a, bit)| Change::Insert(a, bit)),
        (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Change::Repeat(a, b)),
        any::<Index>().prop_map(Change::Truncate),
        (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Change::Swap(a, b)),
    ]
}

fn apply(text: &str, change: &Change) -> String {
    let places: Vec<_> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let at = |index: &Index| *index.get(&places);
    match change {
        Change::Cut(a, b) => {
            // A few characters, so that most of the text remains.
            let from = a.index(places.len());
            let to = (from + b.index(24)).min(places.len() - 1);
            text[..places[from]].to_owned() + &text[places[to]..]
        }
        Change::Insert(a, bit) => {
            let (before, after) = text.split_at(at(a));
            [before, bit, after].concat()
        }
        Change::Repeat(a, b) => {
            let (from, to) = (at(a).min(at(b)), at(a).max(at(b)));
            text[..to].to_owned() + &text[from..]
        }
        Change::Truncate(a) => text[..at(a)].to_owned(),
        Change::Swap(a, b) => {
            let mut lines: Vec<_> = text.lines().collect();
            if !lines.is_empty() {
                let (a, b) = (a.index(lines.len()), b.index(lines.len()));
                lines.swap(a, b);
            }
            lines.join("\n")
        }
    }
}

proptest! {
    #![proptest_config(Config { cases: 400, failure_persistence: None, ..Config::default() })]

    #[test]
    fn any_text_is_read_to_the_end(
        base in any::<Index>(),
        changes in prop::collection::vec(change(), 1..5),
    ) {
        let texts = good_texts();
        let changed = base.index(texts.len());
        let mut sources = Sources::default();
        for (number, text) in texts.iter().enumerate() {
            let mut text = text.clone();
            if number == changed {
                for change in &changes {
                    text = apply(&text, change);
                }
            }
            sources.add(&format!("{number}.toml"), text);
        }
        let (_, findings) = check_sources(&sources);
        assert_sound(&sources, &findings);
    }

    #[test]
    fn noise_is_read_to_the_end(bits in prop::collection::vec(select(&BITS[..]), 0..60)) {
        let mut sources = Sources::default();
        sources.add("noise.toml", bits.concat());
        let (_, findings) = check_sources(&sources);
        assert_sound(&sources, &findings);
    }
}

fn lines(head: &str, count: usize, line: impl Fn(usize) -> String) -> String {
    let lines = (0..count).map(line);
    std::iter::once(head.to_owned()).chain(lines).collect::<Vec<_>>().join("\n")
}

#[test]
fn monstrous_files_are_refused_in_time() {
    let monsters = [
        "x".repeat(10 << 20),
        format!("a = {}{}", "[".repeat(10_000), "]".repeat(10_000)),
        format!("[{}a]\n", "a.".repeat(10_000)),
        "a = 1\n".repeat(80_000),
        lines("", 20_000, |n| format!("key{n} = {n}")),
        lines("[states]", 9_000, |n| format!("s{n} = {n}")),
        lines("name = \"f\"\nstart = \"s0\"", 500, |n| {
            let keys: Vec<_> = (0..10).map(|k| format!("{k} = \"t{n}{k}\"")).collect();
            let keys = keys.join(", ");
            format!("[states.s{n}]\ntype = \"menu\"\nprompt = \"p\"\nkeys = {{ {keys} }}")
        }),
    ];
    for text in monsters {
        let before = on_cpu();
        let mut sources = Sources::default();
        sources.add("monster.toml", text);
        let (_, findings) = check_sources(&sources);
        assert!(findings.iter().any(|finding| finding.severity == Severity::Error));
        json::render(&findings, &sources);
        human::render(&findings, &sources, false);
        let (spent, length) =
            (on_cpu().saturating_sub(before), sources.iter().map(|(_, text)| text.len()).max());
        assert!(spent < LONGEST, "{length:?} bytes: {spent:?}, unoptimised");
    }
}

/// What one of them may take at work unoptimised, which is about twenty times what it takes otherwise.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(20);

/// The flows that are shipped, and those that calls of the tests go through, have no errors.
#[test]
fn flows_that_are_used_prove_what_they_require() {
    let root = root();
    for path in ["flows", "fixtures/calls/flows", "tests/it/e2e/desk.toml"] {
        let sources = load(&root.join(path));
        let (_, mut findings) = check_sources(&sources);
        findings.retain(|finding| finding.severity == Severity::Error);
        assert_eq!(human::render(&findings, &sources, false), "", "{path}");
    }
}

/// A flow's text without some lines of one state, and without the way of those who are denied.
fn without(text: &str, state: &str, keys: &[&str]) -> String {
    let mut within = false;
    let mut kept = String::new();
    for line in text.lines() {
        if line.starts_with('[') {
            within = line.starts_with(&format!("[states.{state}]"));
        }
        let key = line.split('=').next().unwrap().trim();
        if within && keys.contains(&key) {
            continue;
        }
        let mut line = line.to_owned();
        if within && keys.contains(&"requires") && key == "on" {
            let denied = line.find("denied = \"").unwrap();
            let end = denied + 10 + line[denied + 10..].find('"').unwrap() + 1;
            let end = end + line[end..].find(|c: char| c != ',' && c != ' ').unwrap();
            line.replace_range(denied..end, "");
            if line.trim_end().ends_with("{ }") {
                continue;
            }
        }
        kept += &line;
        kept.push('\n');
    }
    kept
}

/// Every guard of the shipped flows, taken away, is missed, save where nothing says that what is
/// behind it needs one.
#[test]
fn a_guard_that_is_taken_away_is_missed() {
    let sources = load(&root().join("flows"));
    let (flows, _) = check_sources(&sources);
    let mut unnoticed = Vec::new();
    let mut guards = 0;
    for flow in flows.iter() {
        for state in flow.states.values().filter(|state| state.requires.is_some()) {
            for keys in [&["step_up"][..], &["requires", "step_up"]] {
                let mut mutant = Sources::default();
                for (file, text) in sources.iter() {
                    let own = **file == *flow.file;
                    let cut = || without(text, state.name.as_str(), keys);
                    mutant.add(file, if own { cut() } else { text.to_string() });
                }
                let (_, findings) = check_sources(&mutant);
                let security = ["unproved", "disclosed-too-early", "notify-without-requires"];
                let (_, mut unreadable) = callgate::flow::read(&mutant);
                unreadable.retain(|finding| finding.code != "notify-without-requires");
                assert_eq!(unreadable, [], "{}", state.name);
                guards += 1;
                if !findings.iter().any(|finding| security.contains(&finding.code)) {
                    unnoticed.push(format!("{}.{} {}", flow.name, state.name, keys[0]));
                }
            }
        }
    }
    assert_eq!(guards, 14);
    // What is sent there goes to the number on file and tells nothing: the guard spares messages.
    assert_eq!(unnoticed, ["bank.address requires"]);
}
