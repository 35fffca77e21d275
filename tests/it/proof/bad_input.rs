//! Files that nobody should write: each gets a finding or a plain refusal, and none brings the checker
//! down or keeps it busy. The fuzzer is seeded, so that what it finds is found again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use callgate::check::check_sources;
use callgate::diagnostic::Sources;
use callgate::render::{github, human, json};

use super::random::Dice;

/// Files that the fuzzer makes.
const FUZZED: usize = 4_000;

fn check(bytes: &[u8]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flow.toml");
    fs::write(&file, bytes).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
    let output = command.arg("check").arg(&file).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code(), said)
}

const FLOW: &str = "name = \"f\"\nstart = \"a\"\n[states.a]\ntype = \"hangup\"\n";

#[test]
fn a_file_that_is_no_flow_is_refused_plainly() {
    let deep = |open: &str, close: &str| {
        format!("{FLOW}[x]\na = {}1{}", open.repeat(10_000), close.repeat(10_000))
    };
    let files: [(Vec<u8>, i32, &str); 6] = [
        (vec![b'x'; 10 << 20], 3, "far too large"),
        (b"name = \"\xff\xfe\"\n".to_vec(), 3, "UTF-8"),
        (deep("[", "]").into_bytes(), 1, "error["),
        (deep("{ a = ", " }").into_bytes(), 1, "error["),
        (FLOW.replace("type", "[states.a.a]\ntype").repeat(3).into_bytes(), 1, "error["),
        (vec![0; 64], 1, "error["),
    ];
    for (bytes, code, why) in files {
        let (exit, said) = check(&bytes);
        assert!(exit == Some(code) && said.contains(why), "{exit:?}: {said:.300}");
    }
}

#[test]
fn a_name_that_looks_like_another_is_a_finding_that_shows_what_it_is() {
    for name in ["b\u{0430}nk", "a\u{202e}b", "a\u{0}b", "a\u{200b}", "a\u{1b}[31m", "a b"] {
        let (exit, said) =
            check(FLOW.replace("\"f\"", &toml_edit::Value::from(name).to_string()).as_bytes());
        assert_eq!(exit, Some(1), "{name:?}: {said}");
        assert!(said.contains("bad-name") || said.contains("syntax"), "{name:?}: {said}");
        assert!(!said.contains(['\u{202e}', '\u{0}']) && !said.contains("\u{1b}[31mb"), "{said:?}");
    }
}

#[test]
fn a_flow_that_calls_itself_is_a_finding() {
    let flow = "name = \"f\"\nstart = \"a\"\n[states.a]\ntype = \"call\"\nflow = \"f\"\non = { ok = \"b\" }\n\
        [states.b]\ntype = \"return\"\noutcome = \"ok\"\n";
    let (exit, said) = check(flow.as_bytes());
    assert!(exit == Some(1) && said.contains("recursive-call"), "{said}");
}

/// The checker's work does not grow with the ways through a condition, a menu or a heap of step-ups,
/// however many those are.
#[test]
fn what_branches_without_end_is_checked_all_the_same() {
    let head = "name = \"f\"\nstart = \"a\"\n[levels]\nl = { any = [\"pin\", \"sms_otp\"] }\n";
    let either = "{ any = [{ var = \"v\", equals = 1 }, { open = \"h\" }, { level = \"l\" }] }";
    let condition = vec![either; 64].join(", ");
    let branch = format!(
        "{head}[hours.h]\nzone = \"UTC\"\nopen = [\"mon-fri 09:00-17:00\"]\n[states.a]\ntype = \"set\"\n\
         values = {{ v = 1 }}\nnext = \"b\"\n[states.b]\ntype = \"branch\"\n\
         cases = [{{ when = {{ all = [{condition}] }}, next = \"c\" }}]\notherwise = \"c\"\n\
         [states.c]\ntype = \"hangup\"\n"
    );
    let (_, findings) = check_sources(&one(&branch));
    assert!(findings.is_empty(), "{findings:?}");

    let mut heap = head.to_owned();
    for n in 0..200 {
        let (next, other) = ((n + 1) % 200, (n * 7 + 3) % 200);
        heap = format!(
            "{heap}[states.{}]\ntype = \"menu\"\nprompt = \"?\"\nrequires = \"l\"\nstep_up = \"s{other}\"\n\
             keys = {{ 1 = \"s{next}\", 2 = \"back\" }}\n\
             on = {{ denied = \"s{next}\", no_input = \"bye\", no_match = \"bye\" }}\n",
            if n == 0 { "a".to_owned() } else { format!("s{n}") }
        );
    }
    heap = heap.replace("\"s0\"", "\"a\"");
    heap += "[states.back]\ntype = \"return\"\n[states.bye]\ntype = \"hangup\"\n";
    let (_, findings) = check_sources(&one(&heap));
    let told = |code: &str| findings.iter().any(|finding| finding.code == code);
    assert!(told("unproved") || told("loop-without-input"), "{findings:?}");
}

fn one(text: &str) -> Sources {
    let mut sources = Sources::default();
    sources.add("flow.toml", text);
    sources
}

fn corpus() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<PathBuf> =
        ["flows", "fixtures/flows", "fixtures/calls/flows"].map(|f| root.join(f)).into();
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                texts.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    // One is large on purpose.
    texts.retain(|text| text.len() < 20_000);
    texts
}

/// Where words, numbers, quotes and signs of a text begin.
fn tokens(text: &str) -> Vec<usize> {
    let mut before = ' ';
    let mut starts = Vec::new();
    for (at, c) in text.char_indices() {
        if !(c.is_alphanumeric() && before.is_alphanumeric()) {
            starts.push(at);
        }
        before = c;
    }
    starts.push(text.len());
    starts
}

fn mutated(dice: &mut Dice, corpus: &[String]) -> String {
    let mut text = dice.one(corpus).clone();
    for _ in 0..=dice.below(4) {
        let starts = tokens(&text);
        let from = dice.below(starts.len());
        let to = (from + dice.below(12)).min(starts.len() - 1);
        let (from, to) = (starts[from], starts[to]);
        text = match dice.below(6) {
            0 => text[..from].to_owned() + &text[to..],
            1 => text[..to].to_owned() + &text[from..],
            2 => {
                let other = dice.one(corpus);
                let starts = tokens(other);
                let at = dice.below(starts.len());
                let end = (at + dice.below(12)).min(starts.len() - 1);
                text[..from].to_owned() + &other[starts[at]..starts[end]] + &text[to..]
            }
            3 => {
                // A byte, where that still makes a text.
                let mut bytes = text.clone().into_bytes();
                if !bytes.is_empty() {
                    let at = dice.below(bytes.len());
                    bytes[at] = u8::try_from(dice.below(256)).unwrap();
                }
                String::from_utf8(bytes).unwrap_or(text)
            }
            4 => {
                let number = *dice.one(&["0", "-1", "1e308", "99999999999999999999", "0x", "\"\""]);
                text[..from].to_owned() + number + &text[to..]
            }
            _ => {
                // The value of one key under another.
                let mut lines: Vec<_> = text.lines().collect();
                if !lines.is_empty() {
                    let (a, b) = (dice.below(lines.len()), dice.below(lines.len()));
                    lines.swap(a, b);
                }
                lines.join("\n")
            }
        };
    }
    text
}

#[test]
fn whatever_is_made_of_a_flow_is_read_and_checked_to_the_end() {
    let corpus = corpus();
    let mut dice = Dice(7);
    let (mut well, mut bad) = (0, 0);
    for _ in 0..FUZZED {
        let text = mutated(&mut dice, &corpus);
        let sources = one(&text);
        let (_, findings) = check_sources(&sources);
        for label in findings.iter().flat_map(|finding| &finding.labels) {
            assert!(text.get(label.place.span.clone()).is_some(), "{label:?} of\n{text}");
        }
        human::render(&findings, &sources, false);
        github::render(&findings, &sources);
        serde_json::from_str::<serde_json::Value>(&json::render(&findings, &sources)).unwrap();
        *if findings.is_empty() { &mut well } else { &mut bad } += 1;
    }
    assert!(well > 10 && bad > 50, "{well} well, {bad} not");
}
