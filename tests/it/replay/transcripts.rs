//! The shipped transcripts pass, and a transcript that should not pass fails and says why.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use callgate::cli::Exit;
use callgate::cli::replay::{Args, Arranged, Format, run_with};
use callgate::diagnostic::any_error;
use callgate::replay::folder::{Outcome, Wish, flows, run_all};
use callgate::replay::{Layout, Report, Transcript, run};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::flows::load;
use crate::support::house::command_in;
use crate::support::tree::root;

fn args(paths: &[PathBuf], flows: PathBuf) -> Args {
    Args {
        paths: paths.to_vec(),
        bless: false,
        twiml: false,
        filter: None,
        junit: None,
        layout: Arranged::Auto,
        flows: Some(flows),
        coverage: false,
        skeletons: None,
        against: None,
        format: Format::Text,
        last: None,
        from_journal: None,
        flow: None,
        accounts: None,
        public_url: None,
        auth_token_env: None,
        auth_token_file: None,
        output: None,
        config: None,
    }
}

/// The exit code, what is printed, and what is complained of.
fn replay(args: &Args) -> (Exit, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = run_with(args, &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// The shipped flows and transcripts in a folder of their own.
fn copy() -> (TempDir, PathBuf, PathBuf) {
    let folder = TempDir::new().unwrap();
    let (flows, calls) = (folder.path().join("flows"), folder.path().join("calls"));
    copy_folder(&root().join("flows"), &flows);
    copy_folder(&root().join("fixtures/calls"), &calls);
    (folder, flows, calls)
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let into = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &into);
        } else {
            fs::copy(entry.path(), into).unwrap();
        }
    }
}

fn texts(folder: &Path) -> Vec<(PathBuf, String)> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.is_file()).collect();
    files.sort();
    files.into_iter().map(|file| (file.clone(), fs::read_to_string(file).unwrap())).collect()
}

async fn run_text(text: &str) -> Report {
    let (transcript, findings) = Transcript::read("t.toml", text);
    assert!(!any_error(&findings), "{findings:#?}");
    let flows = flows(&root().join("flows")).unwrap();
    run(&transcript.unwrap(), &flows).await
}

/// What came of the shipped transcripts, which are run once for all who look at that.
fn shipped() -> &'static [Outcome] {
    static OUTCOMES: LazyLock<Vec<Outcome>> = LazyLock::new(|| {
        let wish = Wish {
            paths: vec![root().join("fixtures/calls")],
            flows: root().join("flows"),
            ..Wish::default()
        };
        Runtime::new().unwrap().block_on(run_all(&wish)).unwrap()
    });
    &OUTCOMES
}

#[test]
fn all_shipped_transcripts_pass() {
    assert!(shipped().len() >= 30);
    for outcome in shipped() {
        assert!(outcome.passed(), "{}", outcome.lines(Layout::Unified).join("\n"));
    }
}

#[test]
fn the_flows_beside_the_transcripts_are_well() {
    for folder in ["flows", "fixtures/calls/flows"] {
        let (_, findings) = callgate::flow::read(&load(&root().join(folder)));
        assert_eq!(findings, [], "{folder}");
    }
}

/// Every state of every flow is entered in some transcript, and every outcome that a type of state can
/// have is had by some state of it.
#[test]
fn every_state_is_entered_and_every_outcome_is_had() {
    let hops: Vec<_> = shipped().iter().flat_map(|outcome| &outcome.report.hops).collect();
    let entered: BTreeSet<_> = hops.iter().map(|hop| (&hop.at.flow, &hop.at.state)).collect();
    let mut types = BTreeSet::new();
    let mut had = BTreeSet::new();
    for folder in ["flows", "fixtures/calls/flows"] {
        let flows = flows(&root().join(folder)).unwrap();
        for (flow, state) in flows.iter().flat_map(|f| f.states.values().map(move |s| (f, s))) {
            assert!(entered.contains(&(&flow.name, &state.name)), "{}.{}", flow.name, state.name);
            types.insert(state.type_name());
            let own =
                hops.iter().filter(|hop| hop.at.flow == flow.name && hop.at.state == state.name);
            had.extend(own.filter_map(|hop| Some((state.type_name(), hop.outcome.clone()?))));
        }
    }
    for of in callgate::flow::states::TYPES {
        assert!(types.contains(of.name), "{}", of.name);
        for outcome in of.outcomes {
            assert!(
                had.contains(&(of.name, outcome.clone())),
                "{} never ends with {outcome}",
                of.name
            );
        }
    }
}

/// Whoever changes one word of a prompt is told of exactly the calls in which it is heard, and
/// blessing changes exactly those files.
#[test]
fn a_changed_word_fails_the_calls_that_speak_it_and_no_other() {
    let (_folder, flows, calls) = copy();
    let bank = flows.join("bank.toml");
    let text = fs::read_to_string(&bank).unwrap();
    let (old, new) = ("Your balance is {{", "Your present balance is {{");
    assert_eq!(text.matches(old).count(), 1);
    fs::write(&bank, text.replace(old, new)).unwrap();
    let before = texts(&calls);
    let speak: Vec<_> = before
        .iter()
        .filter(|(_, text)| text.contains("\"Your balance is "))
        .map(|(file, _)| file.clone())
        .collect();
    assert!(speak.len() > 3);

    let mut args = args(std::slice::from_ref(&calls), flows);
    let (code, out, _) = replay(&args);
    assert_eq!(code, Exit::Findings);
    for (file, _) in &before {
        let named = out.contains(&format!("{}:", file.display()));
        assert_eq!(named, speak.contains(file), "{}", file.display());
    }
    assert!(out.contains("- Your balance is 1,234 dollars and 56 cents."), "{out}");
    assert!(out.contains("+ Your present balance is 1,234 dollars and 56 cents."), "{out}");
    assert_eq!(texts(&calls), before, "nothing is written without being asked");

    args.bless = true;
    let (code, _, _) = replay(&args);
    assert_eq!(code, Exit::Well);
    let changed = texts(&calls).into_iter().zip(before);
    for ((file, after), (_, before)) in changed {
        assert_eq!(after != before, speak.contains(&file), "{}", file.display());
        assert_eq!(after.replace("present balance", "balance"), before, "{}", file.display());
    }
    args.bless = false;
    args.filter = Some("bank.".into());
    assert_eq!(replay(&args).0, Exit::Well);
}

/// What is printed for people, as it is printed.
#[test]
fn a_difference_is_shown_above_each_other_or_side_by_side() {
    let (folder, flows, calls) = copy();
    let bank = flows.join("bank.toml");
    let text = fs::read_to_string(&bank).unwrap();
    fs::write(&bank, text.replace("Your balance is {{", "Your present balance is {{")).unwrap();
    let mut args = args(&[calls.join("bank.balance.toml")], flows);
    let place = format!("{}/", folder.path().display());
    let mut shown = |layout| {
        args.layout = layout;
        replay(&args).1.replace(&place, "")
    };
    let unified = shown(Arranged::Unified);
    assert_eq!(shown(Arranged::Auto), unified, "what is no terminal gets the plain form");
    expect_test::expect![[r#"
        calls/bank.balance.toml:51: after `otp = "last"` other words are heard
            - Your balance is 1,234 dollars and 56 cents.
            + Your present balance is 1,234 dollars and 56 cents.
              To hear the menu again, press 1. If that was all, you may hang up.
        0 calls as expected, 1 not; 6 turns
    "#]]
    .assert_eq(&unified);
    expect_test::expect![[r#"
        calls/bank.balance.toml:51: after `otp = "last"` other words are heard
              to come                                                │   came
            - Your balance is 1,234 dollars and 56 cents.            │ + Your present balance is 1,234 dollars and 56 cents.
              To hear the menu again, press 1. If that was all, you  │   To hear the menu again, press 1. If that was all, you
              may hang up.                                           │   may hang up.
        0 calls as expected, 1 not; 6 turns
    "#]].assert_eq(&shown(Arranged::SideBySide));
}

const BEGIN: &str = "flow = \"bank\"\nopen = true\n";
const KNOWN: &str = "[[accounts]]\nid = \"12345678\"\npin = \"730495\"\nphones = [{ number = \"+15005550010\", line = \"mobile\", since = \"2024-01-01\" }]\n";

#[tokio::test]
async fn an_expectation_that_is_wrong_is_said_with_what_came() {
    let turns = "[[turn]]\nring = true\nstate = \"menu\"\nsays = [\"Hello.\"]\nfacts = [\"pin\"]\nlocale = \"es-MX\"\nend = \"hangup\"\nanswered = \"replayed\"\ntwiml = \"<Response/>\"\n";
    let report = run_text(&format!("{BEGIN}{turns}")).await;
    let keys: Vec<_> = report.differences.iter().map(|it| it.key.unwrap()).collect();
    assert_eq!(keys, ["says", "state", "facts", "end", "locale", "answered", "twiml"]);
    assert_eq!(report.differences[0].wanted, ["Hello."]);
    assert_eq!(report.differences[0].came[0], "Thank you for calling Acme Bank.");
    assert_eq!(report.differences[1].came, ["welcome"]);
}

#[tokio::test]
async fn an_effect_that_was_not_expected_fails() {
    let turns = "[[turn]]\nring = true\n[[turn]]\nsilence = true\n[[turn]]\ndigits = \"12345678\"\n[[turn]]\ndigits = \"1\"\n";
    let report = run_text(&format!("{BEGIN}{KNOWN}{turns}")).await;
    assert_eq!(report.differences.len(), 1, "{report:#?}");
    let difference = &report.differences[0];
    assert_eq!(difference.key, Some("effects"));
    assert_eq!(
        difference.message,
        "after `digits = \"1\"` something is done in the world that was not expected"
    );
    assert!(difference.came[0].starts_with("send_sms +15005550010: "), "{difference:?}");
    assert!(difference.came[0].contains("<code>"), "{difference:?}");
}

#[tokio::test]
async fn an_effect_that_did_not_come_fails() {
    let turns = "[[turn]]\nring = true\neffects = [\"place_call +15005550010\"]\n";
    let report = run_text(&format!("{BEGIN}{turns}")).await;
    assert_eq!(report.differences[0].wanted, ["place_call +15005550010"]);
}

#[tokio::test]
async fn what_cannot_happen_is_said() {
    for (turns, message) in [
        ("[[turn]]\ndigits = \"1\"", "nobody has rung yet: begin with `ring = true`"),
        (
            "[[turn]]\nring = true\n[[turn]]\notp = \"last\"",
            "no such message was sent in this call",
        ),
        ("[[turn]]\nring = true\n[[turn]]\ncallback = \"busy\"", "there is no callback leg"),
        (
            "[[turn]]\nring = true\n[[turn]]\ndial = \"busy\"",
            "the inbound leg listens, so no dial can end",
        ),
        (
            "[[turn]]\nring = true\n[[turn]]\nhangup = true\n[[turn]]\nsilence = true",
            "the inbound leg is hung up, so nothing can be keyed or said",
        ),
    ] {
        let report = run_text(&format!("{BEGIN}{turns}\n")).await;
        assert_eq!(report.differences.last().unwrap().message, message, "{turns}");
    }
}

#[tokio::test]
async fn a_call_that_goes_on_must_say_so() {
    let report = run_text("flow = \"bank\"\n[[turn]]\nring = true\n").await;
    assert!(report.differences[0].message.contains("the call has not ended"), "{report:#?}");
    let report = run_text("flow = \"bnak\"\n[[turn]]\nring = true\n").await;
    assert_eq!(report.differences[0].message, "there is no flow `bnak`");
}

#[test]
fn a_transcript_is_read_strictly() {
    for (text, code, words) in [
        ("flow = \"bank\"\ntrun = []\n[[turn]]\nring = true\n", "unknown-key", "`trun`"),
        ("flow = \"bank\"\n[[turn]]\nring = true\nsay = []\n", "unknown-key", "`say`"),
        ("flow = \"bank\"\n[[turn]]\nstate = \"menu\"\n", "bad-turn", "nothing happens"),
        ("flow = \"bank\"\n[[turn]]\nring = true\npoll = true\n", "bad-turn", "one thing"),
        ("flow = \"bank\"\n[[turn]]\nring = false\n", "bad-turn", "leave it out"),
        ("flow = \"bank\"\n[[turn]]\ndigits = \"12a\"\n", "bad-digits", "keys"),
        ("flow = \"bank\"\n[[turn]]\nwait = \"soon\"\n", "bad-duration", "soon"),
        ("flow = \"bank\"\n[[turn]]\notp = \"first\"\n", "unknown-value", "first"),
        ("flow = \"bank\"\nclock = \"noon\"\n[[turn]]\nring = true\n", "bad-date", "noon"),
        ("flow = \"bank\"\nfrom = \"555\"\n[[turn]]\nring = true\n", "bad-number", "from"),
        ("flow = \"bank\"\n[[turn]]\nring = true\nfacts = [\"pni\"]\n", "unknown-fact", "pni"),
        ("flow = \"bank\"\n", "missing-key", "turn"),
        ("flow = \"bank\"\n[policy.otp]\nttl = 5\n[[turn]]\nring = true\n", "unknown-key", "ttl"),
    ] {
        let (transcript, findings) = Transcript::read("t.toml", text);
        assert!(transcript.is_none(), "{text}");
        let found = findings.iter().any(|it| it.code == code && it.message.contains(words));
        assert!(found, "{text}: {findings:#?}");
    }
}

#[test]
fn what_is_wrong_has_its_file_and_line_and_the_right_exit_code() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("bank.wrong.toml");
    fs::write(&file, "flow = \"bank\"\n\n[[turn]]\nrin = true\n").unwrap();
    let (code, out, _) = replay(&args(std::slice::from_ref(&file), root().join("flows")));
    assert_eq!(code, Exit::Findings);
    assert!(out.contains(&format!("{}:4:1: error[unknown-key]", file.display())), "{out}");

    fs::write(&file, "flow = \"bank\"\nopen = true\n[[turn]]\nring = true\nstate = \"x\"\n")
        .unwrap();
    let (code, out, _) = replay(&args(std::slice::from_ref(&file), root().join("flows")));
    assert_eq!(code, Exit::Findings);
    assert!(out.contains(&format!("{}:5: after `ring = true`", file.display())), "{out}");

    let nothing = args(&[folder.path().join("nowhere")], root().join("flows"));
    assert_eq!(replay(&nothing).0, Exit::Usage);
    assert_eq!(
        replay(&args(std::slice::from_ref(&file), folder.path().join("nowhere"))).0,
        Exit::Usage
    );
    let mut filtered = args(&[file], root().join("flows"));
    filtered.filter = Some("balance".into());
    assert_eq!(replay(&filtered).0, Exit::Usage);
}

#[test]
fn build_servers_get_what_they_read() {
    let folder = TempDir::new().unwrap();
    let junit = folder.path().join("out.xml");
    let file = folder.path().join("bank.wrong.toml");
    fs::write(&file, "flow = \"bank\"\nopen = true\n[[turn]]\nring = true\nsays = [\"<&>\\u0001\\uFFFE\\uFFFF\"]\n")
        .unwrap();
    let mut args =
        args(&[root().join("fixtures/calls/bank.balance.toml"), file], root().join("flows"));
    args.junit = Some(junit.clone());
    assert_eq!(replay(&args).0, Exit::Findings);
    let xml = fs::read_to_string(junit).unwrap();
    assert!(xml.contains("tests=\"2\" failures=\"1\""), "{xml}");
    assert!(xml.contains("<testcase name=\"bank.wrong\""), "{xml}");
    assert!(xml.contains("- &lt;&amp;&gt;\n"), "{xml}");
}

/// What is heard tells nobody whether an account exists: the same calls, to somebody and to nobody.
#[test]
fn nobody_learns_which_accounts_exist() {
    let calls = root().join("fixtures/calls");
    let heard = |name: &str| -> Vec<String> {
        let text = fs::read_to_string(calls.join(name)).unwrap();
        let transcript: toml::Table = text.parse().unwrap();
        let says =
            transcript["turn"].as_array().unwrap().iter().filter_map(|turn| turn.get("says"));
        says.map(ToString::to_string).collect()
    };
    for (somebody, nobody) in [
        ("bank.pin_wrong.toml", "bank.pin_unknown.toml"),
        ("bank.code_wrong.toml", "bank.code_unknown.toml"),
        ("clinic.callback_unanswered.toml", "clinic.callback_unknown.toml"),
    ] {
        assert_eq!(heard(somebody), heard(nobody));
        assert!(heard(somebody).len() > 4);
    }
}

/// What a pull request does to calls that were made: who gets in now, and what they hear.
#[test]
fn other_flows_tell_who_would_get_in() {
    let (folder, flows, calls) = copy();
    let new = folder.path().join("new");
    copy_folder(&flows, &new);
    let bank = new.join("bank.toml");
    let text = fs::read_to_string(&bank).unwrap();
    let old =
        "requires = \"strong\"\nstep_up  = \"prove\"\non       = { denied = \"not_proved\" }\n";
    assert!(text.contains(old));
    let open = text.replace(old, "").replace("balance      = \"strong\"", "");
    let open = open.replace("Your balance is {{ account.balance | money }}.", "It is high.");
    let open = open.replace("Su saldo es de {{ account.balance | money }}.", "Es alto.");
    fs::write(&bank, open).unwrap();
    let mut args = args(&[calls], flows);
    args.against = Some(new.clone());
    args.filter = Some("bank.".into());
    let (code, out, err) = replay(&args);
    assert_eq!((code, err.as_str()), (Exit::Findings, ""), "{out}");
    let of = |name: &str| {
        let from = out.find(&format!("{name}.toml\n")).unwrap_or_else(|| panic!("{name}\n{out}"));
        out[from..].split("\n/").next().unwrap().to_owned()
    };
    assert!(of("bank.code_wrong").contains("gets in: bank.balance"), "{out}");
    assert!(of("bank.balance").contains("less"), "{out}");
    assert!(of("bank.balance").contains("+ It is high."), "{out}");
    assert!(!out.contains("bank.agent.toml"), "{out}");
    assert!(of("bank.balance").contains("no longer reaches the level: basic, strong"), "{out}");
    let who = out.lines().last().unwrap();
    assert!(who.contains("would get in without what is asked of them today"), "{out}");
    assert!(who.contains("bank.code_wrong.toml"), "{out}");
    assert!(!who.contains("bank.balance.toml"), "who had proved it got in before: {out}");

    args.filter = Some("bank.c".into());
    args.format = Format::Json;
    let json: serde_json::Value = serde_json::from_str(&replay(&args).1).unwrap();
    assert!(!json["changed"].as_array().unwrap().is_empty());
    args.format = Format::Markdown;
    assert!(replay(&args).1.contains("```diff"));
    args.against = Some(root().join("flows"));
    assert_eq!(replay(&args).0, Exit::Well, "the same flows do the same");
}

#[test]
fn coverage_names_what_no_transcript_reaches() {
    let mut args = args(&[root().join("fixtures/calls")], root().join("flows"));
    args.filter = Some("bank.balance.toml".into());
    args.coverage = true;
    let (code, out, _) = replay(&args);
    assert_eq!(code, Exit::Well, "{out}");
    let from = out.find("\n  balance ").unwrap();
    let rows: Vec<_> = out[from..]
        .lines()
        .skip(1)
        .take(3)
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(rows, ["balance 2 next 1 basic+strong 1", "denied 0", "step_up 1 no level 1"]);
    for missing in ["spanish is never entered", "welcome: no_match", "more: 1", "code: failed"] {
        assert!(out.contains(&format!("    {missing}\n")), "{missing}\n{out}");
    }
}

/// A key that says the menu again is a way out like others, and a key that is none is not.
#[test]
fn a_way_back_to_the_same_state_is_covered() {
    let folder = TempDir::new().unwrap();
    let (calls, flows) = (folder.path().join("calls"), folder.path().join("flows"));
    for folder in [&calls, &flows] {
        fs::create_dir(folder).unwrap();
    }
    let flow = "name = \"m\"\nstart = \"menu\"\n[states.menu]\ntype = \"menu\"\nprompt = \"Press 1, or 9 for this menu.\"\n\
                keys = { 1 = \"bye\", 9 = \"menu\" }\non = { no_input = \"bye\", no_match = \"bye\" }\n\
                [states.bye]\ntype = \"hangup\"\n";
    fs::write(flows.join("m.toml"), flow).unwrap();
    let call = |keys: &[&str]| {
        let turns: Vec<_> =
            keys.iter().map(|key| format!("[[turn]]\ndigits = \"{key}\"\n")).collect();
        let turns = turns.concat();
        let text = format!("flow = \"m\"\n[[turn]]\nring = true\n{turns}");
        fs::write(calls.join("m.toml"), text).unwrap();
        let mut args = args(std::slice::from_ref(&calls), flows.clone());
        args.coverage = true;
        let (code, out, err) = replay(&args);
        assert_eq!(code, Exit::Well, "{out}{err}");
        let rows = out.lines().skip_while(|line| !line.starts_with("  menu ")).take(2);
        let row = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        rows.map(row).collect::<Vec<_>>()
    };
    assert_eq!(call(&["9", "9", "1"]), ["menu 3 1 1 no level 1", "9 2 no level 2"]);
    assert_eq!(call(&["5", "1"]), ["menu 1 1 1 no level 1", "9 0"]);
}

/// What no transcript reaches comes as transcripts, which run and reach it.
#[test]
fn what_is_missing_comes_as_transcripts_that_reach_it() {
    let folder = TempDir::new().unwrap();
    let calls = folder.path().join("calls");
    fs::create_dir(&calls).unwrap();
    let one = "bank.balance.toml";
    fs::copy(root().join("fixtures/calls").join(one), calls.join(one)).unwrap();
    let mut args = args(std::slice::from_ref(&calls), root().join("flows"));
    args.coverage = true;
    args.skeletons = Some(calls.join("new"));
    let (code, before, err) = replay(&args);
    assert_eq!(code, Exit::Well, "{before}{err}");
    let written = texts(&calls.join("new"));
    assert!(
        err.contains(&format!(
            "note: {} transcripts written to {}\n",
            written.len(),
            calls.join("new").display()
        )),
        "{err}"
    );
    assert!(written.len() > 20, "{err}");
    for (file, text) in &written {
        assert!(text.starts_with("# No transcript came to the way out "), "{}", file.display());
    }
    args.paths = vec![calls.join(one)];
    let (code, _, err) = replay(&args);
    assert_eq!(code, Exit::Usage, "a file that is there stays: {err}");
    assert!(err.contains("is there already"), "{err}");
    assert_eq!(texts(&calls.join("new")), written);

    args.skeletons = None;
    args.paths = vec![calls];
    let (code, after, err) = replay(&args);
    assert_eq!(code, Exit::Well, "they pass: {after}{err}");
    expect_test::expect![[r"
        91 calls as expected, 0 not; 694 turns
        bank: 22 of 22 states entered, 60 of 62 ways out taken, 135 of 146 cells of a way out and the levels met
        verify: 7 of 8 states entered, 8 of 19 ways out taken, 11 of 105 cells of a way out and the levels met"]].assert_eq(
        &after.lines().filter(|line| !line.starts_with("  ")).collect::<Vec<_>>().join("\n"),
    );
}

/// Who begins has none.
#[test]
fn a_folder_without_transcripts_lacks_all_of_them() {
    let calls = TempDir::new().unwrap();
    let mut args = args(&[calls.path().to_owned()], root().join("flows"));
    let (code, _, err) = replay(&args);
    assert_eq!(code, Exit::Usage, "{err}");
    assert!(err.contains("no transcript to run there"), "{err}");
    args.coverage = true;
    args.skeletons = Some(calls.path().join("new"));
    let (code, out, err) = replay(&args);
    assert_eq!(code, Exit::Well, "{out}{err}");
    let written = texts(&calls.path().join("new"));
    let of = |flow: &str| written.iter().filter(|(_, text)| text.contains(flow)).count();
    let (bank, clinic) = (of("\nflow = \"bank\"\n"), of("\nflow = \"clinic\"\n"));
    assert!(bank > 20 && clinic > 20 && bank + clinic == written.len(), "{bank} {clinic} {err}");
    (args.coverage, args.skeletons) = (false, None);
    let (code, out, err) = replay(&args);
    assert_eq!(code, Exit::Well, "they pass: {out}{err}");
}

/// What file names have not is told apart in them: two keys, two phrases, a small letter and a capital.
#[test]
fn transcripts_of_ways_that_are_spelled_alike_are_called_otherwise() {
    let folder = TempDir::new().unwrap();
    let (flows, calls) = (folder.path().join("flows"), folder.path().join("calls"));
    for folder in [&flows, &calls] {
        fs::create_dir(folder).unwrap();
    }
    let flow = "name = \"m\"\nstart = \"menu\"\n[states.menu]\ntype = \"menu\"\n\
                prompt = \"Press star or hash, or say oui or où.\"\n\
                keys = { \"*\" = \"bye\", \"#\" = \"Bye\", 1 = \"bye\", 2 = \"Bye\" }\n\
                phrases = { \"où\" = \"where\", \"oü\" = \"there\" }\n\
                on = { no_input = \"bye\", no_match = \"bye\" }\n\
                [states.bye]\ntype = \"say\"\nprompt = \"a\"\nnext = \"end\"\n\
                [states.Bye]\ntype = \"say\"\nprompt = \"b\"\nnext = \"end\"\n\
                [states.where]\ntype = \"hangup\"\n[states.there]\ntype = \"hangup\"\n\
                [states.end]\ntype = \"hangup\"\n";
    fs::write(flows.join("m.toml"), flow).unwrap();
    fs::write(calls.join("m.toml"), "flow = \"m\"\nopen = true\n[[turn]]\nring = true\n").unwrap();
    let mut args = args(std::slice::from_ref(&calls), flows);
    args.coverage = true;
    args.skeletons = Some(calls.join("new"));
    let (code, out, err) = replay(&args);
    assert_eq!(code, Exit::Well, "{out}{err}");
    let names: Vec<_> = texts(&calls.join("new"))
        .into_iter()
        .map(|(file, _)| file.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    expect_test::expect![[r#"
        [
            "m.menu-_o__-2.toml",
            "m.menu-_o__.toml",
            "m.menu-hash.toml",
            "m.menu-no_input.toml",
            "m.menu-no_match.toml",
            "m.menu-star.toml",
        ]
    "#]]
    .assert_debug_eq(&names);
    args.skeletons = None;
    let (code, out, err) = replay(&args);
    assert_eq!(code, Exit::Well, "they pass: {out}{err}");
    assert!(out.starts_with("7 calls as expected, 0 not;"), "{out}");
}

#[test]
fn a_transcript_that_is_no_text_keeps_no_other_from_running() {
    let folder = tempfile::tempdir().unwrap();
    let calls = root().join("fixtures/calls");
    fs::create_dir(folder.path().join("flows")).unwrap();
    for file in ["passcode.words.toml", "flows/passcode.toml"] {
        fs::copy(calls.join(file), folder.path().join(file)).unwrap();
    }
    fs::write(folder.path().join("old.toml"), b"# gr\xfc\xdfe\n").unwrap();
    for more in [&[][..], &["--bless"]] {
        let arguments = [&["replay", "."], more].concat();
        let output = command_in(folder.path()).args(&arguments).output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stdout}");
        assert!(
            stdout.contains("old.toml:1:5: error[syntax]: the file is not in UTF-8"),
            "{stdout}"
        );
        assert!(stdout.contains("1 call ") && stdout.contains("1 not;"), "{stdout}");
    }
}
