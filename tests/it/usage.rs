//! What `--help` says, and what somebody is told who mistypes.

use crate::cli::run;
use crate::support::house::command_in;
use crate::support::tree::root;

/// An address that nobody answers.
const NOBODY: &str = "http://127.0.0.1:9";

/// As `check` prints it, brackets and all; and words of flows and of configurations are found elsewhere.
#[test]
fn a_code_may_stand_in_its_brackets() {
    let folder = tempfile::tempdir().unwrap();
    let explain = |code: &str| run(command_in(folder.path()).args(["explain", code]));
    let plain = explain("unproved");
    assert_eq!(plain.0, 0);
    for printed in ["[unproved]", "error[unproved]", "error[unproved]:"] {
        assert_eq!(explain(printed), plain, "{printed}");
    }
    let (exit, _, said) = explain("requires");
    assert_eq!(exit, 2);
    assert!(said.contains("callgate explain --language"), "{said}");
}

/// What `--help` shows to be run is there in this repository.
#[test]
fn the_files_in_examples_are_there() {
    let root = root();
    let mut seen = 0;
    for command in ["check", "replay", "graph", "simulate", "odds", "statement", "fmt"] {
        let (_, help, _) = run(command_in(root).args([command, "--help"]));
        let files = help.split_whitespace().filter(|word| word.ends_with("bank.balance.toml"));
        for file in files {
            assert!(root.join(file).is_file(), "{command}: {file}");
            seen += 1;
        }
    }
    assert!(seen >= 3, "{seen}");
}

/// What stands behind the options has its own ends of lines: none is so long that it is broken once more.
#[test]
fn examples_and_exit_codes_are_not_broken_twice() {
    let folder = tempfile::tempdir().unwrap();
    let commands: [&[&str]; 8] = [
        &["serve"],
        &["check"],
        &["replay"],
        &["audit", "verify"],
        &["outbox"],
        &["hash-pin"],
        &["unlock"],
        &["health"],
    ];
    for command in commands {
        let (_, help, _) = run(command_in(folder.path()).args(command).arg("--help"));
        let (_, after) = help.split_once("-h, --help").unwrap();
        let lines: Vec<_> = after.lines().collect();
        for pair in lines.windows(2) {
            let broken = pair[0].len() > 88 && pair[1].split_whitespace().count() == 1;
            assert!(!broken, "{command:?}: {pair:?}");
        }
    }
}

#[test]
fn what_is_asked_for_its_health_must_be_an_address() {
    let folder = tempfile::tempdir().unwrap();
    for none in ["127.0.0.1:8081", "health", "ftp://127.0.0.1/", "http://"] {
        let (code, _, stderr) = run(command_in(folder.path()).args(["health", none]));
        assert_eq!(code, 2, "{none}: {stderr}");
        assert!(stderr.contains("http://127.0.0.1:8081/health/ready"), "{none}: {stderr}");
    }
    let (code, _, stderr) = run(command_in(folder.path()).args(["health", NOBODY]));
    assert_eq!(code, 3, "{stderr}");
}

#[test]
fn transcripts_away_from_their_flows_are_told_how_to_name_them() {
    let folder = tempfile::tempdir().unwrap();
    let call = "flow = \"f\"\n[[turn]]\nring = true\n";
    std::fs::write(folder.path().join("call.toml"), call).unwrap();
    let (code, _, stderr) = run(command_in(folder.path()).args(["replay", "call.toml"]));
    assert_eq!(code, 2);
    assert!(stderr.contains("`--flows`"), "{stderr}");
}

/// A flow is meant by its name or by its file, whichever command is asked, and what else is called so hides neither.
#[test]
fn a_flow_is_found_by_its_name_and_by_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let flow = |file: &str, name: &str| {
        let text = format!(
            "name = \"{name}\"\nstart = \"a\"\n[states.a]\ntype = \"hangup\"\nprompt = \"This is {name}.\"\n"
        );
        let file = folder.path().join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    flow("flows/order.toml", "orders");
    flow("flows/bank.toml", "bank");
    flow("flows/within/other.toml", "other");
    flow("beside.toml", "beside");
    flow("order/any.toml", "any");
    std::fs::write(folder.path().join("bank"), "no flow").unwrap();
    let ask = |arguments: &[&str]| {
        let output = command_in(folder.path()).args(arguments).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    for (given, name) in [
        ("orders", "orders"),
        ("order", "orders"),
        ("order.toml", "orders"),
        ("flows/order.toml", "orders"),
        ("beside.toml", "beside"),
        ("flows/within/other.toml", "other"),
    ] {
        let (code, said) = ask(&["simulate", given]);
        assert!(code == Some(0) && said.contains(&format!("This is {name}.")), "{given}: {said}");
        let (code, drawn) = ask(&["graph", given]);
        let title = format!("<title>{name}</title>");
        assert!(code == Some(0) && drawn.contains(&title), "{given}: {drawn}");
    }
    let (code, said) = ask(&["simulate", "bank"]);
    assert!(code == Some(0) && said.contains("This is bank."), "{said}");
    let (code, drawn) = ask(&["graph", "bank"]);
    assert!(code == Some(0) && drawn.contains("<title>bank</title>"), "{drawn}");
    for twice in [["check", "flows", "flows"], ["check", "flows/bank.toml", "flows"]] {
        let (code, said) = ask(&twice);
        assert_eq!(code, Some(0), "{said}");
    }
    let (code, said) = ask(&["simulate", "other"]);
    let named = "error: there is no flow `other`; there are: bank, orders; \
                 flows in folders within it are not read: `flows/within`\n";
    assert_eq!((code, said.as_str()), (Some(2), named));
    let (code, said) = ask(&["check", "flows"]);
    let unread = "flows in `flows/within` are not read: name that folder too\n";
    assert!(code == Some(0) && said.contains(unread), "{said}");
    let (_, said) = ask(&["check", "flows", "flows/within"]);
    assert!(!said.contains("not read"), "{said}");
    let (code, said) = ask(&["check", "."]);
    assert!(code == Some(0) && said.contains("flows in `./flows` are not read"), "{said}");
    let (code, said) = ask(&["check", ".", "flows", "order"]);
    assert!(code == Some(0) && said.contains("`flows/within`") && !said.contains("`./"), "{said}");
}
