//! What the documents show is what the program does.

use std::process::Stdio;

use callgate::check::check_sources;
use callgate::diagnostic::Sources;
use callgate::replay::transcript as t;

use crate::support::house::command_in;
use crate::support::process::Ran as _;
use crate::support::tree::{root, text};

fn readme() -> String {
    text("README.md")
}

/// The blocks of a kind, as they stand between the fences.
fn blocks(kind: &str) -> Vec<String> {
    let text = readme();
    let parts: Vec<_> = text.split("```").map(str::to_owned).collect();
    let inside = parts.into_iter().skip(1).step_by(2);
    inside.filter_map(|block| block.strip_prefix(&format!("{kind}\n")).map(str::to_owned)).collect()
}

#[test]
fn the_readmes_flow_has_no_findings() {
    let flow = blocks("toml").into_iter().find(|block| block.contains("[states.")).unwrap();
    let mut sources = Sources::default();
    sources.add("hello.toml", flow);
    assert_eq!(check_sources(&sources).1, []);
}

#[test]
fn the_readmes_picture_is_what_graph_draws() {
    let flow = blocks("toml").into_iter().find(|block| block.contains("[states.")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hello.toml"), flow).unwrap();
    let output = command_in(folder.path()).args(["graph", "hello.toml"]).ran();
    assert!(output.status.success());
    let picture = String::from_utf8(output.stdout).unwrap();
    expect_test::expect_file!["../../docs/hello.svg"].assert_eq(&picture);
}

#[test]
fn the_reference_of_the_language_is_what_explain_prints() {
    let folder = tempfile::tempdir().unwrap();
    let printed = |argument: &str| {
        let output = command_in(folder.path()).args(["explain", argument]).ran();
        assert!(output.status.success(), "{argument}");
        String::from_utf8(output.stdout).unwrap()
    };
    let reference = printed("--language");
    expect_test::expect_file!["../../docs/flows.md"].assert_eq(&reference);
    for of in callgate::flow::states::TYPES {
        let page = printed(of.name);
        for key in of.keys {
            assert!(page.contains(&format!("| `{}`", key.name)), "{}: {}", of.name, key.name);
        }
        assert!(reference.contains(&of.page()), "{}", of.name);
    }
}

#[test]
fn the_references_examples_have_no_findings() {
    let text = callgate::flow::reference::reference();
    let mut blocks = text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let flow = blocks.next().unwrap();
    let check = |flow: String| {
        let mut sources = Sources::default();
        sources.add("example.toml", flow);
        check_sources(&sources).1
    };
    assert_eq!(check(flow.to_owned()), []);
    // The others are parts of a flow: they are read within the first.
    let mut parts = 0;
    for part in blocks {
        let levels = part.contains("[levels]");
        let flow = if levels {
            flow.replace("[levels]\nknown = { any = [\"pin\"] }\n", "")
        } else {
            flow.into()
        };
        let flow = if levels { flow.replace("\"known\"", "\"basic\"") } else { flow };
        let found = check(format!("{flow}\n{part}"));
        assert!(found.iter().all(|it| it.code == "unused"), "{part}\n{found:?}");
        parts += 1;
    }
    assert!(parts >= 3);
}

#[test]
fn the_readmes_call_is_what_simulate_prints() {
    use std::io::Write as _;
    let call = blocks("console").into_iter().find(|block| block.contains("simulate")).unwrap();
    let lines: Vec<_> = call.lines().skip(1).collect();
    let spoken = |line: &&&str| line.starts_with('▸') || line.starts_with("  [");
    let keyed: Vec<_> =
        lines.iter().filter(|line| !spoken(line)).map(|line| format!("{line}\n")).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut child = command_in(folder.path())
        .args(["simulate", "bank"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(keyed.concat().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let expected: Vec<_> = lines.iter().filter(spoken).map(ToString::to_string).collect();
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn the_readmes_hole_is_what_check_finds() {
    let shown = blocks("console").into_iter().find(|block| block.contains("error[")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let flows = folder.path().join("flows");
    std::fs::create_dir(&flows).unwrap();
    for name in ["bank.toml", "verify.toml"] {
        let from = root().join("flows").join(name);
        let text = std::fs::read_to_string(from).unwrap();
        // The first that requires it is the balance.
        std::fs::write(
            flows.join(name),
            text.replacen("requires = \"strong\"", "requires = \"basic\"", 1),
        )
        .unwrap();
    }
    let output = command_in(folder.path()).args(["check", "flows/bank.toml"]).ran();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(shown, format!("$ callgate check flows/bank.toml\n{said}"));
}

#[test]
fn the_readmes_configuration_is_read() {
    let config = blocks("toml").into_iter().find(|block| block.contains("public_url")).unwrap();
    let accounts = blocks("toml").into_iter().find(|block| block.contains("[[accounts]]")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("flows")).unwrap();
    for name in ["bank.toml", "verify.toml"] {
        let from = root().join("flows").join(name);
        std::fs::copy(from, folder.path().join("flows").join(name)).unwrap();
    }
    std::fs::write(folder.path().join("callgate.toml"), config).unwrap();
    let kept: Vec<_> = accounts.lines().filter(|line| !line.starts_with("pin_hash")).collect();
    let accounts = kept.join("\n");
    std::fs::write(folder.path().join("accounts.toml"), accounts).unwrap();
    // All is well but the address, which is taken: the configuration was read to its end.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let path = folder.path().join("callgate.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("\"0.0.0.0:8080\""));
    std::fs::write(&path, text.replace("0.0.0.0:8080", &address)).unwrap();
    let output = command_in(folder.path())
        .arg("serve")
        .env("TWILIO_AUTH_TOKEN", "the-token-of-the-provider")
        .env("SMTP_URL", "smtps://bank:word@mail.example.com")
        .env("CALLGATE_OPS_TOKEN", "the-token-of-the-operator")
        .ran();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains(&format!("cannot listen on {address}")), "{stderr}");
}

/// The words of a table.
fn words<T>(table: &[(&'static str, T)]) -> Vec<&'static str> {
    table.iter().map(|(word, _)| *word).collect()
}

/// The page on transcripts has every key and every word that they take, and its example runs as it says.
#[test]
fn the_page_on_transcripts_is_whole_and_its_example_runs() {
    let root = root();
    let page = std::fs::read_to_string(root.join("docs/transcripts.md")).unwrap();
    let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ada.toml"), example).unwrap();
    let replay = |text: &str| {
        std::fs::write(folder.path().join("ada.toml"), text).unwrap();
        let mut command = command_in(folder.path());
        let output = command.args(["replay", "ada.toml", "--flows"]).arg(root.join("flows"));
        let output = output.ran();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(replay(example), (Some(0), "1 call as expected, 0 not; 6 turns\n".into()));
    assert_eq!(replay(&example.replace("\"last\"", "\"wrong\"")).0, Some(1));

    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let row = |key: &str| {
        let head = format!("| `{key}` |");
        *rows.iter().find(|row| row.starts_with(&head)).expect(key)
    };
    for key in callgate::replay::INPUTS.into_iter().chain(callgate::replay::KEYS) {
        row(key);
    }
    for (key, words) in [
        ("on", words(&t::ROLES)),
        ("refused", words(&t::REFUSALS)),
        ("verify", words(&t::CHECKS)),
        ("end", words(&t::ENDS)),
        ("answered", words(&t::SERVED)),
        ("callback", words(&t::FATES)),
        ("dial", words(&t::DIALS)),
        ("queue", words(&t::QUEUES)),
        ("whisper", words(&t::SPECIALISTS)),
        ("service_code", words(&t::WEB_LEVELS)),
        ("callback_code", words(&t::SPOKEN)),
        ("message_status", words(&t::MESSAGES)),
        ("attestation", words(&callgate::flow::condition::ATTESTATIONS)),
        ("signals", words(&callgate::engine::risk::SIGNALS)),
        ("lookup", words(&callgate::engine::eligibility::Fit::ALL)),
    ] {
        for word in words {
            assert!(row(key).contains(&format!("`{word}`")), "{key}: {word}");
        }
    }
}
