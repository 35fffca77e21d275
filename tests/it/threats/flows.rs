//! Flows: what the checker refuses before it is live, and what the machine refuses all the same.

use std::time::Duration;

use callgate::check::check_sources;
use callgate::diagnostic::{Severity, Sources};
use callgate::engine::event::{AnsweredBy, DialStatus, Heard};
use callgate::engine::reply::Verb;
use callgate::flow::level::Fact;
use callgate::limits;

use super::office::{ACCOUNT, DESK, Office, PIN, account};
use crate::support::eventually::eventually;
use crate::support::house::House;
use crate::support::process::Ran as _;
use crate::support::provider::Provider;
use crate::support::telephone::Telephone;
use crate::support::tree::root;

/// The codes of the errors in a flow.
fn errors(text: &str) -> Vec<String> {
    let mut sources = Sources::default();
    sources.add("flow.toml", text);
    let findings = check_sources(&sources).1;
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(|finding| finding.code.to_string()).collect()
}

fn bad(name: &str) -> Vec<String> {
    let folder = root().join("fixtures/flows/bad");
    errors(&std::fs::read_to_string(folder.join(format!("{name}.toml"))).unwrap())
}

fn has(errors: &[String], code: &str) -> bool {
    errors.iter().any(|error| error == code)
}

/// A desk at which a caller may say that they are somebody else.
fn who_again() -> String {
    DESK.replace("9 = \"bye\" }", "8 = \"who\", 9 = \"bye\" }")
        .replace(
            "To end the call press 9.",
            "For another account press 8. To end the call press 9.",
        )
        .replace(
            "{ found = \"pin\", unknown = \"pin\" }",
            "{ found = \"menu\", unknown = \"menu\" }",
        )
        .replace("step_up = \"prove\"", "step_up = \"pin\"")
        .replace("any = [\"sms_otp\", \"callback\"]", "any = [\"pin\"]")
        .replace(
            "on = { ok = \"menu\", failed = \"sorry\", locked = \"sorry\" }",
            "on = { ok = \"done\", failed = \"done\", locked = \"done\" }",
        )
}

#[tokio::test]
async fn t33_what_was_proved_of_one_account_is_not_of_another() {
    let other = "20000002";
    let accounts = account(ACCOUNT, "2024-01-01")
        + &account(other, "2024-01-01")
            .replace("1234.56", "98765.43")
            .replace("5550010", "5550011");
    let office = Office::fresh(&who_again(), &accounts);
    let mut line = office.ring("CA1").await;
    line.key(ACCOUNT).await;
    line.key("1").await;
    line.key(PIN).await;
    assert!(
        line.spoken().starts_with("Your balance is 1,234 dollars and 56 cents."),
        "{}",
        line.spoken()
    );
    assert_eq!(office.facts(line.call).await, [Fact::Pin]);
    line.key("8").await;
    line.key(other).await;
    assert_eq!(office.facts(line.call).await, [], "another claim, nothing proved");
    line.key("1").await;
    assert_eq!(line.spoken(), "Please key in your PIN.");
    assert!(has(&bad("unproved-who-again"), "unproved"), "and the checker tells of it");
}

#[tokio::test]
async fn t42_what_is_not_proved_is_not_said_whatever_the_flow_says() {
    let told = DESK.replace(
        "prompt = \"For your balance press 1.",
        "prompt = \"You have {{ account.balance | money }}. For your balance press 1.",
    );
    assert!(has(&errors(&told), "disclosed-too-early"));
    let masked = DESK.replace(
        "prompt = \"Key in the six digits we have just sent you.\"",
        "prompt = \"Key in what we sent to {{ account.phone }}.\"",
    );
    assert!(!errors(&masked).is_empty(), "a field that is not disclosed is used nowhere");
    // Served all the same, it is not said.
    let office = Office::fresh(&told, &account(ACCOUNT, "2024-01-01"));
    let line = office.ring_to_menu("CA1").await;
    assert!(!line.spoken().contains("1,234 dollars"), "{}", line.spoken());
    // Nor does a choice tell of it.
    let chosen = DESK.replace("on = { ok = \"menu\", failed", "on = { ok = \"rich\", failed")
        + "\n[states.rich]\ntype = \"branch\"\n\
           cases = [{ when = { field = \"balance\", at_least = 1000 }, next = \"gold\" }]\n\
           otherwise = \"menu\"\n[states.gold]\ntype = \"say\"\nprompt = \"Gold.\"\nnext = \"menu\"\n";
    let office = Office::fresh(&chosen, &account(ACCOUNT, "2024-01-01"));
    let line = office.ring_to_menu("CA1").await;
    assert!(line.spoken().starts_with("For your balance"), "{}", line.spoken());
}

/// A flow of one state that a caller comes to with nothing proved.
fn unguarded(state: &str) -> String {
    format!(
        "name = \"f\"\nstart = \"who\"\n[levels]\nstrong = {{ any = [\"sms_otp\"] }}\n[disclose]\nbalance = \"strong\"\n\
         [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
         on = {{ found = \"s\", unknown = \"s\" }}\n[states.s]\n{state}\n[states.bye]\ntype = \"hangup\"\n"
    )
}

/// Everywhere that a text can stand, and every trick of a template: none takes a field that is not proved.
#[test]
fn t42_no_place_and_no_trick_tells_what_is_not_proved() {
    let field = "{{ account.balance }}";
    let dial = "completed = \"bye\", busy = \"bye\", no_answer = \"bye\", failed = \"bye\", declined = \"bye\"";
    let sent = "sent = \"bye\", unavailable = \"bye\", limited = \"bye\"";
    let places = [
        format!("type = \"say\"\nprompt = \"{field}\"\nnext = \"bye\""),
        format!("type = \"hangup\"\nprompt = \"{field}\""),
        format!("type = \"menu\"\nprompt = \"Press 1. {field}\"\nkeys = {{ 1 = \"bye\" }}\non = {{ no_input = \"bye\", no_match = \"bye\" }}"),
        format!("type = \"menu\"\nprompt = \"Press 1.\"\nreprompt = \"{field}\"\nkeys = {{ 1 = \"bye\" }}\non = {{ no_input = \"bye\", no_match = \"bye\" }}"),
        format!("type = \"gather\"\nkind = \"digits\"\nvar = \"q\"\ndigits = 2\nprompt = \"{field}\"\non = {{ ok = \"bye\", no_input = \"bye\", invalid = \"bye\" }}"),
        format!("type = \"gather_pin\"\ndigits = 6\nprompt = \"{field}\"\non = {{ ok = \"bye\", failed = \"bye\", locked = \"bye\" }}"),
        format!("type = \"voicemail\"\nprompt = \"{field}\"\non = {{ ok = \"bye\", no_input = \"bye\" }}"),
        format!("type = \"transfer\"\nto = {{ number = \"+15005550042\" }}\nprompt = \"{field}\"\non = {{ {dial} }}"),
        format!("type = \"transfer\"\nto = {{ number = \"+15005550042\" }}\nwhisper = \"{field}\"\non = {{ {dial} }}"),
        format!("type = \"send_link\"\nmessage = \"https://x.example/{field}\"\naccept = [\"enumeration\"]\non = {{ {sent} }}"),
        format!("type = \"send_sms_otp\"\nmessage = \"{{{{ code }}}} {field}\"\naccept = [\"enumeration\"]\non = {{ {sent} }}"),
        format!("type = \"lookup\"\nbackend = \"b\"\nsend = {{ x = \"{field}\" }}\naccept = [\"enumeration\"]\non = {{ ok = \"bye\", failed = \"bye\" }}"),
        format!("type = \"set\"\nvalues = {{ x = \"{field}\" }}\nnext = \"bye\""),
        "type = \"branch\"\ncases = [{ when = { field = \"balance\", above = 5 }, next = \"bye\" }]\notherwise = \"who\"".to_owned(),
        "type = \"branch\"\ncases = [{ when = { any = [{ level = \"strong\" }, { field = \"balance\", above = 5 }] }, next = \"bye\" }]\notherwise = \"who\"".to_owned(),
        "type = \"branch\"\ncases = [{ when = { not = { field = \"balance\", above = 5 } }, next = \"bye\" }]\notherwise = \"who\"".to_owned(),
    ];
    for state in &places {
        let found = errors(&unguarded(state));
        assert!(has(&found, "disclosed-too-early"), "{state}: {found:?}");
    }
    for trick in [
        "{% if account.balance > 5 %}a{% endif %}",
        "{{ 'a' if account.balance else 'b' }}",
        "{{ 1 ~ account.balance }}",
        "{{ account['balance'] }}",
        "{{ account|attr('balance') }}",
        "{% set a = account %}{{ a.balance }}",
        "{% for k in account %}{{ k }}{% endfor %}",
        "{{ account }}",
        "{{ debug() }}",
        "{{ self }}",
        "{{ x | default(account.balance) }}",
        "{% macro m() %}{{ account.balance }}{% endmacro %}{{ m() }}",
        "{% include 'x' %}",
        "{{ [account.balance][0] }}",
        "{{ {'a': account.balance}.a }}",
        "{{ namespace(a=account.balance).a }}",
        "{{ range(100000) }}",
    ] {
        let found =
            errors(&unguarded(&format!("type = \"say\"\nprompt = \"{trick}\"\nnext = \"bye\"")));
        assert!(!found.is_empty(), "{trick}");
    }
}

/// No level asks for nothing, however it is written.
#[test]
fn t55_no_level_asks_for_nothing() {
    for level in [
        "{ all = [] }",
        "{ any = [] }",
        "{ }",
        "{ any = [{ all = [] }, \"pin\"] }",
        "{ all = [\"pin\", { any = [{ all = [] }] }] }",
        "{ not = \"pin\" }",
        "{ any = [\"pin\"], within = \"0s\" }",
        "{ any = [\"pin\"], within = \"-1s\" }",
        "{ any = [\"pin\"], within = \"999999999h\" }",
        "{ any = [\"pin\"], at_risk = { high = { all = [] } } }",
        "{ any = [\"pin\", \"\"] }",
        "[]",
        "true",
        "\"pin or true\"",
    ] {
        let flow = unguarded(
            "type = \"say\"\nrequires = \"strong\"\nprompt = \"In.\"\nnext = \"bye\"\non = { denied = \"bye\" }",
        );
        let found = errors(&flow.replace("{ any = [\"sms_otp\"] }", level));
        assert!(
            found.iter().any(|code| code != "unproved" && code != "unused"),
            "{level}: {found:?}"
        );
    }
}

#[test]
fn t49_a_choice_that_tells_the_secret_is_an_error() {
    let flow = DESK.replace("on = { ok = \"menu\", failed", "on = { ok = \"rich\", failed")
        + "\n[states.rich]\ntype = \"branch\"\nacases = []\n"
            .replace(
                "acases = []",
                "cases = [{ when = { field = \"balance\", at_least = 1000 }, next = \"gold\" }]",
            )
            .as_str()
        + "otherwise = \"menu\"\n[states.gold]\ntype = \"say\"\nprompt = \"Welcome to the gold desk.\"\nnext = \"menu\"\n";
    assert!(has(&errors(&flow), "disclosed-too-early"), "{:?}", errors(&flow));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t54_a_flow_that_lost_a_check_is_not_taken_and_calls_keep_theirs() {
    let provider = Provider::start();
    let house = House::start("embedded:callgate.redb", &provider.api_base());
    let mut before = Telephone::new("CA00000000000000000000000000000054", "+15005550777");
    before.ring(&house).await;
    before.key(&house, ACCOUNT).await;
    let path = house.folder.path().join("flows/desk.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let without = text
        .replace("requires = \"strong\"\nstep_up = \"prove\"\n", "")
        .replace("next = \"menu\"\non = { denied = \"sorry\" }\n", "next = \"menu\"\n");
    assert!(without.len() + 60 < text.len());
    std::fs::write(&path, without).unwrap();
    eventually("the changed flow is refused", || {
        house.log().contains("disclosed-too-early").then_some(())
    });
    let mut after = Telephone::new("CA00000000000000000000000000000055", "+15005550777");
    after.ring(&house).await;
    after.key(&house, ACCOUNT).await;
    for phone in [&mut before, &mut after] {
        phone.key(&house, PIN).await;
        phone.key(&house, "1").await;
        assert_eq!(phone.spoken(), "Key in the six digits we have just sent you.");
    }
}

#[test]
fn t55_a_flow_declares_no_facts() {
    for (what, code) in [
        ("[levels]\nstrong = { any = [\"caller_id\"] }\n", "unknown-fact"),
        ("[levels]\nstrong = { any = [\"attestation\"] }\n", "unknown-fact"),
        ("[levels]\nstrong = { any = [\"risk\"] }\n", "unknown-fact"),
        ("[facts]\ntrusted = true\n[levels]\nstrong = { any = [\"pin\"] }\n", "unknown-key"),
    ] {
        let head = "name = \"x\"\nstart = \"bye\"\n";
        let state = "[states.bye]\ntype = \"hangup\"\nprompt = \"Bye.\"\n";
        let found = errors(&format!("{head}{what}{state}"));
        assert!(has(&found, code), "{what}: {found:?}");
    }
    let set = DESK.replace(
        "[states.bye]",
        "[states.cheat]\ntype = \"set\"\nfacts = { pin = true }\nnext = \"menu\"\n[states.bye]",
    );
    assert!(has(&errors(&set), "unknown-key"), "{:?}", errors(&set));
    assert!(!bad("risk-is-no-fact").is_empty());
}

/// A call that has proved its PIN and was rung back.
async fn proved_twice(office: &Office, sid: &str) -> super::office::Line {
    let mut line = office.ring_to_menu(sid).await;
    line.key("2").await;
    let code = line.spoken_code();
    let mut leg = office.answer(line.call, AnsweredBy::Human).await;
    leg.key(&code).await;
    line
}

fn is_connected(line: &super::office::Line) -> bool {
    line.reply.verbs.iter().any(|verb| matches!(verb, Verb::Enqueue(_)))
}

#[tokio::test]
async fn t56_waiting_keeps_no_proof_fresh() {
    for (waits_s, connected) in [(200, true), (301, false)] {
        let office = Office::fresh(DESK, &account(ACCOUNT, "2024-01-01"));
        let mut line = proved_twice(&office, "CA1").await;
        // The caller's own leg asks after the proof: so long later.
        office.clock.advance(Duration::from_secs(waits_s));
        line.key("").await;
        assert_eq!(is_connected(&line), connected, "after {waits_s} s: {}", line.spoken());
    }
}

/// The star key sends another code as the state would that sent the first: a proof that it asks for and that
/// has grown old sends none, and nobody hears of it.
#[tokio::test]
async fn t56_another_code_goes_to_whom_the_first_would_go_now() {
    let flow = "name = \"desk\"\nstart = \"who\"\n[levels]\nknown = { any = [\"pin\"], within = \"1m\" }\n\
        [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
        on = { found = \"pin\", unknown = \"pin\" }\n\
        [states.pin]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"PIN?\"\n\
        on = { ok = \"send\", failed = \"bye\", locked = \"bye\" }\n\
        [states.send]\ntype = \"send_sms_otp\"\nrequires = \"known\"\n\
        on = { denied = \"bye\", sent = \"code\", unavailable = \"bye\", limited = \"bye\" }\n\
        [states.code]\ntype = \"gather_otp\"\nprompt = \"Code? For another press star.\"\n\
        on = { ok = \"bye\", failed = \"bye\", expired = \"bye\", undelivered = \"bye\" }\n\
        [states.bye]\ntype = \"hangup\"\n";
    for (waits_s, messages) in [(40, 2), (70, 1)] {
        let office = Office::fresh(flow, &account(ACCOUNT, "2024-01-01"));
        let mut line = office.ring_to_menu("CA1").await;
        office.outbox.drain().await.unwrap();
        office.clock.advance(Duration::from_secs(waits_s));
        line.key("*").await;
        assert_eq!(line.spoken(), "Code? For another press star.");
        office.outbox.drain().await.unwrap();
        assert_eq!(office.world.messages(line.call).len(), messages, "after {waits_s} s");
    }
}

#[tokio::test]
async fn t57_a_proof_ages_while_somebody_else_is_spoken_to() {
    let back = DESK.replace("completed = \"bye\"", "completed = \"menu\"");
    let office = Office::fresh(&back, &account(ACCOUNT, "2024-01-01"));
    let mut line = proved_twice(&office, "CA1").await;
    line.key("").await;
    assert!(is_connected(&line));
    // Six minutes with the specialist, and the caller comes back.
    office.clock.advance(Duration::from_mins(6));
    let action = line.reply.verbs.iter().find_map(|verb| match verb {
        Verb::Enqueue(enqueue) => Some(enqueue.action),
        _ => None,
    });
    let heard = Heard {
        dial: Some(DialStatus::Completed),
        queue: Some(callgate::engine::event::QueueResult::Bridged),
        ..Heard::default()
    };
    line.tell(callgate::exchange::Wants::Turn(action.unwrap()), heard).await;
    line.key("2").await;
    assert!(!is_connected(&line), "it must be proved again");
    assert!(line.reply.speaks_code(), "{}", line.spoken());
}

/// A code from the web with no account to hold it against would be anybody's: neither the checker nor the
/// server takes such a flow, and no configuration makes codes shorter.
#[test]
fn t68_a_code_from_the_web_without_an_account_is_refused_at_load() {
    let folder = root().join("fixtures/flows/bad/unclaimed.toml");
    let text = std::fs::read_to_string(folder).unwrap();
    assert_eq!(errors(&text), ["unclaimed"]);
    let house = House::set_up("memory:", "http://127.0.0.1:9");
    let flow = house.folder.path().join("flows/desk.toml");
    let good = std::fs::read_to_string(&flow).unwrap();
    let serve = || {
        let output = house.command().args(["serve", "--config", "callgate.toml"]).ran();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    std::fs::write(&flow, text).unwrap();
    let (code, said) = serve();
    assert!(code == Some(1) && said.contains("error[unclaimed]"), "{code:?}: {said}");
    std::fs::write(&flow, good).unwrap();
    house.configure("");
    house.change_configuration("[directory]", "[policy.service_code]\ndigits = 5\n[directory]");
    let (code, said) = serve();
    assert!(code == Some(2) && said.contains("digits"), "{code:?}: {said}");
}

/// Whoever is sent to prove something, and goes on without, may be sent there as often as they like.
#[tokio::test]
async fn a_step_up_that_is_left_again_and_again_leads_no_deeper() {
    let flow = "name = \"desk\"\nstart = \"menu\"\n[levels]\nknown = { any = [\"pin\"] }\n\
        [states.menu]\ntype = \"menu\"\nprompt = \"Press 1.\"\nkeys = { 1 = \"act\" }\n\
        on = { no_input = \"bye\", no_match = \"bye\" }\n\
        [states.act]\ntype = \"say\"\nrequires = \"known\"\nstep_up = \"prove\"\n\
        prompt = \"It is done.\"\nnext = \"menu\"\non = { denied = \"bye\" }\n\
        [states.prove]\ntype = \"menu\"\nprompt = \"Prove it.\"\nkeys = { 1 = \"menu\" }\n\
        on = { no_input = \"bye\", no_match = \"bye\" }\n[states.bye]\ntype = \"hangup\"\n";
    let office = Office::fresh(flow, &account(ACCOUNT, "2024-01-01"));
    let mut line = office.ring("CA1").await;
    for _ in 0..2 * limits::FRAMES_MAX {
        for spoken in ["Prove it.", "Press 1."] {
            line.key("1").await;
            assert_eq!(line.spoken(), spoken);
        }
    }
}
