//! Files that nobody should write: each gets a finding or a plain refusal, and none brings the checker
//! down or keeps it busy.

use std::fs;
use std::process::Command;
use std::time::Duration;

use callgate::check::{arrivals, check_sources};
use callgate::diagnostic::{Severity, Sources};

use crate::support::process::Ran as _;
use crate::support::work::on_cpu;

/// Memory that a check may ask for.
const MEMORY_KIB: usize = 1 << 20;
/// How long one may be worked on; a second is enough, but this is unoptimised.
const WORK_MAX: Duration = Duration::from_secs(10);

fn check(bytes: &[u8]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flow.toml");
    fs::write(&file, bytes).unwrap();
    // With more memory or work than that it would be killed.
    let work_s = WORK_MAX.as_secs();
    let limited =
        format!("ulimit -v {MEMORY_KIB} && ulimit -t {work_s} && exec \"$0\" check \"$1\"");
    let mut command = Command::new("sh");
    command.args(["-c", &limited, env!("CARGO_BIN_EXE_callgate")]).arg(&file);
    let output = command.ran();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code(), said)
}

const FLOW: &str = "name = \"f\"\nstart = \"a\"\n[states.a]\ntype = \"hangup\"\n";

#[test]
fn a_file_that_is_no_flow_is_refused_plainly() {
    let deep = |open: &str, close: &str| {
        format!("{FLOW}[x]\na = {}1{}", open.repeat(10_000), close.repeat(10_000))
    };
    let files: [(Vec<u8>, i32, &str); 7] = [
        (vec![b'x'; 10 << 20], 1, "larger than 4 MiB"),
        (vec![b'x'; 20 << 20], 3, "far too large"),
        (b"name = \"\xff\xfe\"\n".to_vec(), 1, "UTF-8"),
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

/// Flows that call each other twice, one inside the other: what they cost adds up and does not multiply.
#[test]
fn sub_flows_inside_sub_flows_are_walked_once_each() {
    const DEEP: usize = 14;
    let mut sources = Sources::default();
    for n in 0..DEEP {
        let called = |to: &str| {
            format!(
                "type = \"call\"\nflow = \"f{}\"\non = {{ ok = \"{to}\", failed = \"bye\" }}\n",
                n + 1
            )
        };
        let (one, two) = if n + 1 < DEEP {
            (called("two"), called("ok"))
        } else {
            let say = |to: &str| format!("type = \"say\"\nprompt = \"So.\"\nnext = \"{to}\"\n");
            (say("two"), say("ok"))
        };
        let end = if n == 0 { "hangup\"" } else { "return\"\noutcome = \"ok\"" };
        let bye = if n == 0 { "hangup\"" } else { "return\"\noutcome = \"failed\"" };
        sources.add(
            &format!("{n}.toml"),
            format!(
                "name = \"f{n}\"\nstart = \"ask\"\n[states.ask]\ntype = \"menu\"\nprompt = \"Press 1.\"\n\
                 keys = {{ 1 = \"one\" }}\non = {{ no_input = \"bye\", no_match = \"bye\" }}\n\
                 [states.one]\n{one}[states.two]\n{two}[states.ok]\ntype = \"{end}\n\
                 [states.bye]\ntype = \"{bye}\n"
            ),
        );
    }
    let before = on_cpu();
    let (flows, findings) = check_sources(&sources);
    assert!(findings.is_empty(), "{findings:?}");
    assert!(
        arrivals(&flows, "f0").len() < 20 * DEEP,
        "each state a few times, and not 2 to the 14th"
    );
    let spent = on_cpu().saturating_sub(before);
    assert!(spent < WORK_MAX, "{spent:?}");
}

/// A flow that calls itself is followed until nothing new is known, and what is wrong in it is found.
#[test]
fn a_flow_that_calls_itself_is_walked_to_the_end() {
    let flow = "name = \"f\"\nstart = \"who\"\n[levels]\nl = { any = [\"pin\"], within = \"2m\" }\n\
        [states.who]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\n\
        on = { found = \"pin\", unknown = \"pin\" }\n[states.pin]\ntype = \"gather_pin\"\nprompt = \"PIN?\"\n\
        digits = 6\non = { ok = \"more\", failed = \"bye\", locked = \"bye\" }\n[states.more]\ntype = \"menu\"\n\
        prompt = \"Press 1 or 2.\"\nkeys = { 1 = \"again\", 2 = \"secret\" }\n\
        on = { no_input = \"bye\", no_match = \"bye\" }\n[states.again]\ntype = \"call\"\nflow = \"f\"\n\
        on = { done = \"secret\" }\n[states.secret]\ntype = \"say\"\nprompt = \"s\"\nrequires = \"l\"\n\
        next = \"back\"\n[states.back]\ntype = \"return\"\noutcome = \"done\"\n\
        [states.bye]\ntype = \"hangup\"\n";
    let (_, findings) = check_sources(&one(flow));
    let told = |code: &str| findings.iter().any(|finding| finding.code == code);
    assert!(told("recursive-call") && told("unproved"), "{findings:?}");
    assert!(!findings.iter().any(|finding| finding.message.contains("too many ways")));
}

/// Of a flow with more ways than are looked at it is told that nothing is proved, and nothing that some of the ways
/// would say.
#[test]
fn more_ways_than_are_looked_at_are_an_error() {
    const LONG: usize = 1_100;
    let mut flow = "name = \"f\"\nstart = \"who\"\n[levels]\nl = { any = [\"pin\"] }\n[budget]\nper_year = 0.000001\n\
        [states.who]\ntype = \"identify\"\nby = [\"digits\"]\nprompt = \"Who?\"\non = { found = \"hub\", unknown = \"hub\" }\n\
        [states.hub]\ntype = \"menu\"\nprompt = \"?\"\n\
        keys = { 1 = \"pin\", 2 = \"word\", 3 = \"ring\", 4 = \"sms\", 5 = \"mail\", 6 = \"web\", 7 = \"s0\", 8 = \"told\" }\n\
        on = { no_input = \"bye\", no_match = \"bye\" }\n\
        [states.sms]\ntype = \"send_sms_otp\"\non = { sent = \"code\", unavailable = \"hub\", limited = \"hub\" }\n\
        [states.mail]\ntype = \"send_email_otp\"\non = { sent = \"code\", unavailable = \"hub\", limited = \"hub\" }\n\
        [states.code]\ntype = \"gather_otp\"\nprompt = \"?\"\n\
        on = { ok = \"hub\", failed = \"hub\", expired = \"hub\", undelivered = \"hub\" }\n\
        [states.ring]\ntype = \"callback\"\n\
        on = { ok = \"hub\", failed = \"hub\", no_answer = \"hub\", unavailable = \"hub\", limited = \"hub\" }\n\
        [states.told]\ntype = \"hangup\"\nrequires = \"l\"\nstep_up = \"pin\"\non = { denied = \"bye\" }\nprompt = \"So.\"\n\
        [states.bye]\ntype = \"hangup\"\n"
        .to_owned();
    for (name, of) in
        [("pin", "gather_pin"), ("word", "gather_passcode"), ("web", "gather_service_code")]
    {
        let on = "on = { ok = \"hub\", failed = \"hub\", locked = \"hub\" }";
        let purpose = if name == "web" { "purpose = \"web\"\n" } else { "" };
        flow += &format!("[states.{name}]\ntype = \"{of}\"\n{purpose}prompt = \"?\"\n{on}\n");
    }
    for n in 0..LONG {
        let next = n + 1;
        flow += &format!(
            "[states.s{n}]\ntype = \"branch\"\ncases = [{{ when = {{ risk = \"high\" }}, next = \"s{next}\" }}]\n\
             otherwise = \"s{next}\"\n"
        );
    }
    flow += &format!("[states.s{LONG}]\ntype = \"hangup\"\n");
    let (_, findings) = check_sources(&one(&flow));
    let told = |code: &str| findings.iter().filter(|it| it.code == code).collect::<Vec<_>>();
    let [unproved] = &told("unproved")[..] else { panic!("{findings:?}") };
    assert_eq!(unproved.message, "there are too many ways through flow `f` to prove anything");
    assert_eq!(unproved.severity, Severity::Error);
    assert!(told("over-budget").is_empty(), "{findings:?}");
}

fn one(text: &str) -> Sources {
    let mut sources = Sources::default();
    sources.add("flow.toml", text);
    sources
}
