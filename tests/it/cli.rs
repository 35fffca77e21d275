//! The command line on bad input: a sentence that says what to do, and the right exit code.

use std::process::{Command, Output};

use crate::support::house::{House, command_in};
use crate::support::process::Ran as _;
use crate::support::redis::RedisServer;
use crate::support::terminal::Terminal;
use crate::support::tree::root;

/// An address that nobody answers, for what must not get that far.
const NOBODY: &str = "http://127.0.0.1:9";

pub(crate) fn run(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.ran();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn serve(house: &House) -> (i32, String) {
    let (code, stdout, stderr) = run(house.command().args(["serve", "--config", "callgate.toml"]));
    assert_eq!(stdout, "");
    (code, stderr)
}

fn change(house: &House, file: &str, from: &str, to: &str) {
    let path = house.folder.path().join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn a_broken_flow_serves_nothing() {
    let house = House::set_up("memory:", NOBODY);
    change(&house, "flows/desk.toml", "next = \"who\"", "next = \"whoo\"");
    change(
        &house,
        "flows/desk.toml",
        "on = { ok = \"menu\", failed = \"sorry\", locked = \"sorry\" }",
        "on = { ok = \"menu\" }",
    );
    let (code, stderr) = serve(&house);
    assert_eq!(code, 1, "{stderr}");
    for part in [
        "unknown-state",
        "did you mean `who`",
        "unrouted-outcome",
        "flows/desk.toml:",
        "nothing is served",
    ] {
        assert!(stderr.contains(part), "{part} is not in\n{stderr}");
    }
}

#[test]
fn a_file_that_is_not_in_utf_8_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("old.toml"), b"name = \"gr\xfc\xdfe\"\n").unwrap();
    for command in ["check", "odds", "graph", "simulate"] {
        let (code, stdout, stderr) = run(command_in(folder.path()).args([command, "old.toml"]));
        let told = stdout + &stderr;
        assert_eq!(code, 1, "{command}: {told}");
        assert!(told.contains("the file is not in UTF-8"), "{command}: {told}");
        assert!(told.contains("old.toml:1:11"), "{command}: {told}");
    }
    let (code, _, stderr) = run(command_in(folder.path()).args(["fmt", "old.toml"]));
    let said = "`old.toml` is not in UTF-8 at line 1, column 11: save it in that encoding";
    assert!(code == 1 && stderr.contains(said), "{code} {stderr}");
    std::fs::write(folder.path().join("other.toml"), "name=\"other\"\n").unwrap();
    let (code, stdout, stderr) = run(command_in(folder.path()).args(["fmt", "."]));
    assert_eq!((code, &*stdout), (1, "./other.toml\n"), "the others are laid out: {stderr}");
}

#[test]
fn a_file_that_is_not_in_utf_8_keeps_no_other_from_being_checked() {
    let folder = tempfile::tempdir().unwrap();
    let flow = |name: &str, rest: &[u8]| {
        let head = format!("name = \"{name}\"\nstart = \"s\"\n[states.s]\n");
        std::fs::write(
            folder.path().join(format!("{name}.toml")),
            [head.as_bytes(), rest].concat(),
        )
        .unwrap();
    };
    let sub = "type = \"say\"\nnext = \"t\"\nprompt = \"Gr\u{fc}\u{df}e.\"\n\
        [states.t]\ntype = \"return\"\noutcome = \"ok\"\nfoo = 1\n";
    let latin_1: Vec<_> = sub.chars().map(|c| u8::try_from(c).unwrap()).collect();
    flow("sub", &latin_1);
    flow(
        "caller",
        b"type = \"call\"\nflow = \"sub\"\non = { ok = \"t\" }\n[states.t]\ntype = \"hangup\"\n",
    );
    flow("slip", b"type = \"say\"\nprompt = \"a\"\nnext = \"nowhere\"\n");
    let wide: Vec<_> = "name = \"wide\"".encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(folder.path().join("wide.toml"), [&[0xff, 0xfe][..], &wide].concat()).unwrap();
    let check = |path: &str| {
        let mut command = command_in(folder.path());
        run(command.args(["check", path, "--format", "json"]))
    };
    let found = |out: &str| -> Vec<String> {
        let report: serde_json::Value = serde_json::from_str(out).unwrap();
        let told = |it: &serde_json::Value| format!("{} {} {}", it["file"], it["line"], it["code"]);
        report["findings"].as_array().unwrap().iter().map(told).collect()
    };
    let (code, stdout, stderr) = check(".");
    assert_eq!(code, 1, "{stderr}");
    let of_sub = ["sub.toml\" 6 \"syntax\"", "sub.toml\" 10 \"unknown-key\""];
    let slip = "\"./slip.toml\" 6 \"unknown-state\"".to_owned();
    let all = [
        vec![slip],
        of_sub.map(|of| format!("\"./{of}")).to_vec(),
        vec!["\"./wide.toml\" 1 \"syntax\"".to_owned()],
    ];
    assert_eq!(found(&stdout), all.concat());
    // A flow that calls it has its errors.
    let (code, stdout, _) = check("caller.toml");
    assert_eq!((code, found(&stdout)), (1, of_sub.map(|of| format!("\"./{of}")).to_vec()));
    // One that has nothing to do with it has not.
    flow("slip", b"type = \"hangup\"\n");
    let (code, stdout, stderr) = check("slip.toml");
    assert_eq!((code, found(&stdout).len()), (0, 0), "{stderr}");
}

#[test]
fn a_wrong_configuration_is_told_at_its_line() {
    let house = House::set_up("memory:", NOBODY);
    change(&house, "callgate.toml", "public_url", "publik_url");
    change(&house, "callgate.toml", "flow = \"desk\"", "flow = \"desc\"");
    change(&house, "callgate.toml", "kind = \"file\"", "kind = \"files\"");
    let (code, stderr) = serve(&house);
    assert_eq!(code, 2, "{stderr}");
    for part in
        ["publik_url", "did you mean `public_url`?", "did you mean `file`?", "callgate.toml:1:"]
    {
        assert!(stderr.contains(part), "{part} is not in\n{stderr}");
    }
    let house = House::set_up("memory:", NOBODY);
    change(&house, "callgate.toml", "flow = \"desk\"", "flow = \"desc\"");
    let (code, stderr) = serve(&house);
    assert_eq!(code, 2);
    assert!(stderr.contains("did you mean `desk`?"), "{stderr}");
}

#[test]
fn a_line_leads_to_no_flow_that_is_there_to_be_called() {
    let house = House::set_up("memory:", NOBODY);
    let folder = root().join("flows");
    for flow in ["bank.toml", "verify.toml"] {
        std::fs::copy(folder.join(flow), house.folder.path().join("flows").join(flow)).unwrap();
    }
    change(&house, "callgate.toml", "flow = \"desk\"", "flow = \"verify\"");
    let (code, stderr) = serve(&house);
    assert_eq!(code, 2, "{stderr}");
    let told = "no call can begin in `verify`: `yes` has nothing to return to";
    assert!(stderr.contains(told) && stderr.contains("callgate.toml:11:"), "{stderr}");
}

#[test]
fn a_missing_configuration_or_secret_is_told() {
    let house = House::set_up("memory:", NOBODY);
    let (code, _, stderr) = run(house.command().args(["serve", "--config", "nowhere.toml"]));
    assert_eq!(code, 2);
    assert!(stderr.contains("cannot read `nowhere.toml`"), "{stderr}");
    let (code, _, stderr) = run(house.command().env_remove("TEST_AUTH_TOKEN").args([
        "serve",
        "--config",
        "callgate.toml",
    ]));
    assert_eq!(code, 2, "without a key nothing is served");
    assert!(stderr.contains("`TEST_AUTH_TOKEN` is not set"), "{stderr}");
    let (code, _, stderr) = run(house.command().env("CALLGATE_STATE_KEY", "c2hvcnQ=").args([
        "serve",
        "--config",
        "callgate.toml",
    ]));
    assert_eq!(code, 2);
    assert!(stderr.contains("32"), "{stderr}");
}

#[test]
fn broken_accounts_are_told_without_showing_a_secret() {
    let house = House::set_up("memory:", NOBODY);
    change(&house, "accounts.toml", "line = \"mobile\"", "line = \"mobil\"");
    let (code, stderr) = serve(&house);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("did you mean `mobile`?"), "{stderr}");
    change(&house, "accounts.toml", "pin_hash", "pin = \"730495\"\npin_hash");
    let (code, stderr) = serve(&house);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("pin = \"******\""), "{stderr}");
    for secret in ["730495", "argon2id", "+1500555"] {
        assert!(!stderr.contains(secret), "{secret} is in\n{stderr}");
    }
}

#[test]
fn a_secret_in_the_configuration_is_told_of_and_not_shown() {
    let house = House::set_up("memory:", NOBODY);
    let token = "0123456789abcdef0123456789abcdef";
    change(&house, "callgate.toml", "\"TEST_AUTH_TOKEN\"", &format!("\"{token}\""));
    change(&house, "callgate.toml", "[directory]", "[redis]\npassword = \"hunter2\"\n[directory]");
    change(&house, "callgate.toml", "\"memory:\"", "\"reddis://me:hunter2@host\"");
    let (code, stderr) = serve(&house);
    assert_eq!(code, 2, "{stderr}");
    for part in ["this is no variable's name", "`password_env`", "reddis://me:"] {
        assert!(stderr.contains(part), "{part} is not in\n{stderr}");
    }
    for secret in [token, "hunter2"] {
        assert!(!stderr.contains(secret), "{secret} is in\n{stderr}");
    }
}

#[test]
fn data_that_cannot_be_written_is_a_failure() {
    for args in [&["schema"][..], &["explain", "--all"], &["replay", "--filter", "bank.balance"]] {
        let full = std::fs::File::create("/dev/full").unwrap();
        let output = command_in(root()).args(args).stdout(full).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{args:?}: {stderr}");
        assert!(stderr.contains("cannot write to standard output"), "{stderr}");
    }
}

#[test]
fn a_file_that_is_not_there_is_an_error_of_the_command_line() {
    for args in [
        &["simulate", "flows/nothing.toml"][..],
        &["simulate", "bank", "--accounts", "nothing.toml"],
        &["odds", "bank", "--policy", "nothing.toml"],
        &["check", "flows/nothing.toml"],
        &["replay", "nothing.toml"],
    ] {
        let output = command_in(root()).args(args).ran();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(stderr.contains("nothing.toml"), "{stderr}");
    }
}

#[test]
fn a_port_in_use_is_told() {
    let house = House::set_up("memory:", NOBODY);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    change(
        &house,
        "callgate.toml",
        "admin_listen = \"127.0.0.1:0\"",
        &format!("admin_listen = \"{address}\""),
    );
    let (code, stderr) = serve(&house);
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.contains(&format!("cannot listen on {address}")), "{stderr}");
    assert!(stderr.contains("`admin_listen`"), "{stderr}");
}

/// A server waits for it (see `starts::away`); whoever types a command does not.
#[test]
fn an_unreachable_redis_is_told() {
    let redis = RedisServer::stopped(&[]);
    let house = House::set_up(&redis.url(), NOBODY);
    for command in [&["outbox", "list"][..], &["unlock", "12345678"], &["audit", "verify"]] {
        let mut command_line = house.command();
        let (code, _, stderr) = run(command_line.args(command).args(["--config", "callgate.toml"]));
        assert_eq!(code, 3, "{command:?}: {stderr}");
        assert!(stderr.contains("is it running"), "{command:?}: {stderr}");
    }
}

#[test]
fn a_corrupt_store_is_told_and_left_as_it_is() {
    let house = House::set_up("embedded:callgate.redb", NOBODY);
    let path = house.folder.path().join("callgate.redb");
    std::fs::write(&path, b"not a store at all").unwrap();
    let (code, stderr) = serve(&house);
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.contains("is not a callgate store"), "{stderr}");
    assert_eq!(std::fs::read(&path).unwrap(), b"not a store at all");
}

#[test]
fn check_reports_every_problem_of_every_file() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("a.toml", "name = \"a\"\nstart = \"s\"\n[states.s]\ntype = \"sya\"\n");
    write("b.toml", "name = \"b\"\nstart = \"x\"\n[states.s]\ntype = \"hangup\"\nprompt = \"Bye\n");
    let (code, stdout, _) = run(command_in(folder.path()).args(["check", ".", "--format", "json"]));
    assert_eq!(code, 1);
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["version"], 1);
    let findings = report["findings"].as_array().unwrap();
    let found: Vec<_> = findings
        .iter()
        .map(|f| (f["code"].as_str().unwrap(), f["line"].as_u64().unwrap()))
        .collect();
    assert!(found.contains(&("unknown-type", 4)), "{found:?}");
    assert!(found.contains(&("syntax", 5)), "{found:?}");
    assert!(found.contains(&("unknown-state", 2)), "{found:?}");
    for finding in findings {
        assert!(finding["file"].as_str().unwrap().contains(".toml"));
        assert!(finding["column"].as_u64().unwrap() > 0);
        assert!(!finding["message"].as_str().unwrap().is_empty());
        assert_eq!(finding["severity"], "error");
    }
    let (code, stdout, _) = run(command_in(folder.path()).args(["check", "."]));
    assert_eq!(code, 1);
    assert!(stdout.contains("did you mean `say`?") && stdout.contains("a.toml:4:"), "{stdout}");
    let (code, _, stderr) = run(command_in(folder.path()).args(["check", "nowhere"]));
    assert_eq!(code, 2);
    assert!(stderr.contains("there is no `nowhere`"), "{stderr}");
}

#[test]
fn a_flow_is_no_sounder_than_those_that_it_calls() {
    let folder = tempfile::tempdir().unwrap();
    let caller = r#"
name = "caller"
start = "help"
[levels]
known = { any = ["pin"] }
[states.help]
type = "call"
flow = "helper"
on = { ok = "bye" }
[states.bye]
type = "hangup"
"#;
    std::fs::write(folder.path().join("caller.toml"), caller).unwrap();
    let check = |helper: &str| {
        let helper = format!("name = \"helper\"\nstart = \"begin\"\n{helper}");
        std::fs::write(folder.path().join("helper.toml"), helper).unwrap();
        let (exit, told, said) = run(command_in(folder.path()).args(["check", "caller.toml"]));
        (exit, told + &said)
    };
    let end = "[states.end]\ntype = \"return\"\noutcome = \"ok\"\n";
    let say = "[states.begin]\ntype = \"say\"\nprompt = \"One moment.\"\nnext = \"end\"\n";
    assert_eq!(check(&format!("{say}{end}")).0, 0);
    // It cannot be read, so nothing is proved of either.
    let (exit, told) = check(&format!("{say}{end}on = {{ ok = \"end\" }}\n"));
    assert_eq!(exit, 1, "{told}");
    assert!(told.contains("helper.toml"), "{told}");
    // It is reached by whoever calls, and asks for what nobody has proved.
    let (exit, told) = check(&format!("{say}{end}requires = \"known\"\n"));
    assert_eq!(exit, 1, "{told}");
    assert!(told.contains("helper.toml"), "{told}");
}

#[test]
fn a_sub_flow_has_what_the_flows_beside_it_pass_in() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let caller = r#"
name = "caller"
start = "who"
[disclose]
street = "known"
[levels]
known = { any = ["pin"] }
[states.who]
type = "identify"
by = ["digits"]
prompt = "Your number?"
on = { found = "pin", unknown = "pin" }
[states.pin]
type = "gather_pin"
prompt = "Your PIN?"
on = { ok = "set", failed = "set", locked = "set" }
[states.set]
type = "set"
values = { why = "a test" }
next = "help"
[states.help]
type = "call"
flow = "helper"
with = { reason = "why" }
on = { ok = "bye" }
[states.bye]
type = "hangup"
"#;
    let helper = r#"
name = "helper"
start = "begin"
[states.begin]
type = "say"
prompt = "For {{ reason }}."
next = "more"
[states.more]
type = "say"
requires = "known"
step_up = "end"
prompt = "You live in {{ account.street }}."
on = { denied = "end" }
next = "end"
[states.end]
type = "return"
outcome = "ok"
"#;
    write("caller.toml", caller);
    write("helper.toml", helper);
    let on = |args: &[&str]| run(command_in(folder.path()).args(args));
    let (exit, told, said) = on(&["check", "helper.toml", "--deny-warnings"]);
    assert_eq!((exit, told.as_str()), (0, ""), "{said}");
    assert_eq!(on(&["graph", "helper.toml", "--format", "dot"]).0, 0);
    let (exit, _, said) = on(&["odds", "helper.toml"]);
    assert!(exit == 2 && said.contains("no call begins in `helper`"), "{said}");
    // What is wrong with its callers is told of them alone, and what is wrong with it is told.
    write("caller.toml", &caller.replace("next = \"help\"", "next = \"hlep\""));
    assert_eq!(on(&["graph", "helper.toml", "--format", "dot"]).0, 0);
    let (_, told, _) = on(&["check", "helper.toml"]);
    assert!(!told.contains("caller.toml"), "{told}");
    write("caller.toml", caller);
    write("helper.toml", &helper.replace("{{ reason }}", "{{ raeson }}"));
    let (exit, told, _) = on(&["check", "helper.toml"]);
    assert!(exit == 1 && told.contains("nothing ever sets `raeson`"), "{told}");
}

#[test]
fn what_is_too_large_to_look_at_is_refused() {
    use std::fmt::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let mut flow = String::from(
        "name = \"large\"\nstart = \"s0\"\n[levels]\nl = { any = [\"pin\"] }\n[states.bye]\ntype = \"hangup\"\n",
    );
    for number in 0..=2_000 {
        let next = if number == 2_000 { "bye".to_owned() } else { format!("s{}", number + 1) };
        let _ = write!(
            flow,
            "[states.s{number}]\ntype = \"say\"\nprompt = \"a\"\nrequires = \"l\"\n\
             on = {{ denied = \"bye\" }}\nnext = \"{next}\"\n"
        );
    }
    std::fs::write(folder.path().join("large.toml"), flow).unwrap();
    let on = |args: &[&str]| run(command_in(folder.path()).args(args));
    for command in ["odds", "statement"] {
        let (exit, told, said) = on(&[command, "large.toml"]);
        assert_eq!((exit, told.as_str()), (2, ""), "{said}");
        assert!(said.contains("2001 states ask for something"), "{said}");
    }
    let (exit, told, said) = on(&["graph", "large.toml"]);
    assert_eq!((exit, told.as_str()), (2, ""), "{said}");
    assert!(said.contains("a picture of 2002 states is too large"), "{said}");
    assert_eq!(on(&["graph", "large.toml", "--format", "mermaid"]).0, 0);
}

#[test]
fn the_schema_names_every_state_type() {
    let folder = tempfile::tempdir().unwrap();
    let (code, stdout, _) = run(command_in(folder.path()).arg("schema"));
    assert_eq!(code, 0);
    let schema: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let types = schema["properties"]["states"]["additionalProperties"]["oneOf"].as_array().unwrap();
    let names: Vec<_> = types.iter().map(|of| of["title"].as_str().unwrap()).collect();
    for name in callgate::flow::states::TYPES.iter().map(|of| of.name) {
        assert!(names.contains(&name), "{name}");
    }
}

#[test]
fn a_code_that_is_none_is_told_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let explain = |code: &str| run(command_in(folder.path()).args(["explain", code]));
    let words = "help: the words of flows are in `callgate explain --language`, those of the \
        configuration in `--configuration`\n";
    let (exit, told, said) = explain("unrouted-outcom");
    assert_eq!((exit, told.as_str()), (2, ""));
    assert_eq!(
        said,
        format!(
            "error: there is no code, state type or section `unrouted-outcom`; did you mean `unrouted-outcome`?\n{words}"
        )
    );
    let (exit, _, said) = explain("birthday");
    assert_eq!(exit, 2);
    assert_eq!(
        said,
        format!(
            "error: there is no code, state type or section `birthday`; `callgate explain --all` prints them all\n{words}"
        )
    );
}

#[test]
fn usage_errors_exit_with_two() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(command_in(folder.path()).arg("frobnicate")).0, 2);
    assert_eq!(run(command_in(folder.path()).args(["explain", "no-such-code"])).0, 2);
    assert_eq!(run(command_in(folder.path()).arg("--help")).0, 0);
}

/// Bash takes the completions, and offers what there is.
#[test]
fn completions_are_taken_by_the_shell() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, stdout, _) = run(command_in(folder.path()).args(["completions", shell]));
        assert_eq!(code, 0, "{shell}");
        std::fs::write(folder.path().join(shell), stdout).unwrap();
    }
    let script = "source ./bash && complete -p callgate && COMP_WORDS=(callgate simu) COMP_CWORD=1 \
        && _callgate callgate simu callgate && echo \"${COMPREPLY[@]}\" \
        && COMP_WORDS=(callgate replay --layout '') COMP_CWORD=3 \
        && _callgate callgate '' --layout && echo \"${COMPREPLY[@]}\"";
    let (code, stdout, stderr) =
        run(Command::new("bash").current_dir(folder.path()).args(["-c", script]));
    assert_eq!(code, 0, "{stdout}{stderr}");
    let lines: Vec<_> = stdout.lines().collect();
    assert!(lines[0].contains("-F _callgate"), "{stdout}");
    assert_eq!(lines[1..], ["simulate", "auto unified side-by-side"], "{stdout}{stderr}");

    let script =
        "source ./fish; complete -C 'callgate simu'; complete -C 'callgate replay --layout '";
    let (code, stdout, stderr) =
        run(Command::new("fish").current_dir(folder.path()).args(["-N", "-c", script]));
    assert_eq!(code, 0, "{stdout}{stderr}");
    let offered: Vec<_> = stdout.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(offered, ["simulate", "auto", "side-by-side", "unified"], "{stdout}{stderr}");

    // It completes for who types alone.
    std::fs::rename(folder.path().join("zsh"), folder.path().join("_callgate")).unwrap();
    let zsh = Terminal::running("zsh", &["-f", "-i"], folder.path(), (24, 80));
    zsh.types(
        "PROMPT='> '; fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D; echo rea''dy\n",
    );
    zsh.answers("\nready", "callgate simu\t");
    zsh.answers("callgate simulate", "\u{15}callgate replay --layout \t");
    zsh.shows("side-by-side");
    zsh.shows("unified");
}

#[test]
fn simulate_says_why_nothing_goes_to_the_contact_on_file() {
    let folder = tempfile::tempdir().unwrap();
    let sends = |name: &str, of: &str, next: &str| {
        let on = match of {
            "callback" => format!(
                "ok = \"bye\", failed = \"bye\", no_answer = \"bye\", unavailable = \"{next}\", limited = \"bye\""
            ),
            _ => format!("sent = \"bye\", unavailable = \"{next}\", limited = \"bye\""),
        };
        format!("[states.{name}]\ntype = \"{of}\"\naccept = [\"enumeration\"]\non = {{ {on} }}\n")
    };
    let flow = format!(
        "name = \"desk\"\nstart = \"who\"\n[states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 4\n\
         prompt = \"Who?\"\non = {{ found = \"text\", unknown = \"text\" }}\n{}{}{}[states.bye]\ntype = \"hangup\"\n",
        sends("text", "send_sms_otp", "ring"),
        sends("ring", "callback", "mail"),
        sends("mail", "send_email_otp", "bye"),
    );
    let accounts = "[[accounts]]\nid = \"1111\"\n\
        phones = [{ number = \"+15005550010\", line = \"landline\", since = \"2026-11-20\" }, \
        { number = \"+447700900123\", line = \"mobile\", since = \"2024-01-01\" }]\n\
        email = { address = \"ada@example.com\", since = \"2026-11-21\" }\n[[accounts]]\nid = \"2222\"\n\
        [[accounts]]\nid = \"3333\"\n\
        phones = [{ number = \"+15005550011\", line = \"mobile\", since = \"2024-01-01\" }]\n";
    std::fs::create_dir(folder.path().join("flows")).unwrap();
    for (file, text) in [("flows/desk.toml", flow.as_str()), ("accounts.toml", accounts)] {
        std::fs::write(folder.path().join(file), text).unwrap();
    }
    let told = |id: &str| {
        std::fs::write(folder.path().join("keys"), format!("{id}\n")).unwrap();
        let keys = std::fs::File::open(folder.path().join("keys")).unwrap();
        let simulate = ["simulate", "desk", "--accounts", "accounts.toml"];
        let (code, stdout, stderr) = run(command_in(folder.path()).args(simulate).stdin(keys));
        assert_eq!(code, 0, "{stdout}{stderr}");
        stdout
            .lines()
            .filter(|line| line.contains("unavailable"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        told("1111"),
        [
            "  [`text` is unavailable: +15005550010 is a landline, which gets no messages]",
            "  [`text` is unavailable: +447700900123 is in a country that gets no messages and calls]",
            "  [`ring` is unavailable: +15005550010 is on file since 2026-11-20, and is used after 30 days]",
            "  [`ring` is unavailable: +447700900123 is in a country that gets no messages and calls]",
            "  [`mail` is unavailable: ada@example.com is on file since 2026-11-21, and is used after 30 days]",
        ]
    );
    assert_eq!(
        told("2222"),
        [
            "  [`text` is unavailable: no telephone is on file]",
            "  [`ring` is unavailable: no telephone is on file]",
            "  [`mail` is unavailable: no e-mail address is on file]",
        ]
    );
    assert_eq!(told("3333"), [""; 0]);
}
