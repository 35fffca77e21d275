//! Each way on which a proof may be missing at `tell`, in a flow that has no other: the checker misses it there, and the
//! call that shows it gets there on the machine.

use callgate::check::check_sources;
use callgate::diagnostic::Sources;

use super::holes::broken;

/// A flow whose caller is claimed, and goes on with these states.
fn flow(levels: &str, states: &str) -> Sources {
    let mut sources = Sources::default();
    let text = format!(
        "name = \"f\"\nstart = \"who\"\n[levels]\n{levels}\n\
         [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
         on = {{ found = \"one\", unknown = \"one\" }}\n{states}\
         [states.bye]\ntype = \"hangup\"\n[states.back]\ntype = \"return\"\n"
    );
    sources.add("f.toml", text);
    sources
}

fn tell(level: &str) -> String {
    format!(
        "[states.tell]\ntype = \"hangup\"\nrequires = \"{level}\"\nprompt = \"So.\"\non = {{ denied = \"bye\" }}\n"
    )
}

/// A state that asks for a level, has it proved by `again`, and goes on.
fn guard(name: &str, level: &str, next: &str) -> String {
    format!(
        "[states.{name}]\ntype = \"say\"\nrequires = \"{level}\"\nstep_up = \"again\"\nprompt = \"Well.\"\n\
         next = \"{next}\"\non = {{ denied = \"bye\" }}\n"
    )
}

fn pin(name: &str, ok: &str) -> String {
    format!(
        "[states.{name}]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"PIN?\"\n\
         on = {{ ok = \"{ok}\", failed = \"bye\", locked = \"bye\" }}\n"
    )
}

fn menu(name: &str, next: &str) -> String {
    format!(
        "[states.{name}]\ntype = \"menu\"\nprompt = \"One?\"\ntries = 1\nkeys = {{ 1 = \"{next}\" }}\n\
         on = {{ no_input = \"bye\", no_match = \"bye\" }}\n"
    )
}

/// A code by SMS, from `name` on.
fn code(name: &str, ok: &str) -> String {
    format!(
        "[states.{name}]\ntype = \"send_sms_otp\"\n\
         on = {{ sent = \"{name}_in\", unavailable = \"bye\", limited = \"bye\" }}\n\
         [states.{name}_in]\ntype = \"gather_otp\"\nprompt = \"Code?\"\n\
         on = {{ ok = \"{ok}\", failed = \"bye\", expired = \"bye\", undelivered = \"bye\" }}\n"
    )
}

/// The states that callers come to without what they ask for.
fn missed(sources: &Sources) -> Vec<String> {
    let (_, findings) = check_sources(sources);
    let codes = ["unproved", "disclosed-too-early"];
    let missed = findings.iter().filter(|finding| codes.contains(&finding.code));
    missed.map(|it| it.message.split('`').nth(1).unwrap_or_default().to_owned()).collect()
}

/// A call to the number on file.
const RINGS: &str = "[states.two]\ntype = \"callback\"\n\
    on = { ok = \"three\", failed = \"bye\", no_answer = \"bye\", unavailable = \"bye\", limited = \"bye\" }\n";

const PIN: &str = "l = { any = [\"pin\"] }";

#[test]
fn each_way_without_a_proof_is_missed_and_is_a_call() {
    let sorry = "[states.one]\ntype = \"say\"\nrequires = \"l\"\nprompt = \"Well.\"\nnext = \"bye\"\n\
        on = { denied = \"tell\" }\n";
    let long = "[states.two]\ntype = \"say\"\nprompt = [{ play = \"https://example.com/a.wav\" }]\n\
        next = \"three\"\n";
    let desk = "[states.two]\ntype = \"transfer\"\nto = { queue = \"desk\" }\n\
        on = { completed = \"bye\", busy = \"bye\", no_answer = \"tell\", failed = \"bye\", declined = \"bye\" }\n";
    let web = "[states.one]\ntype = \"gather_service_code\"\nprompt = \"Code?\"\n\
        on = { ok = \"two\", failed = \"bye\", locked = \"bye\" }\n";
    for (of, levels, states, expected) in [
        ("who is turned away for good goes on", PIN, sorry.to_owned(), &["one", "tell"][..]),
        (
            "who was let in while it was fresh has had it for that long",
            "l = { any = [\"pin\"], within = \"30s\" }\nless = { any = [\"pin\"], within = \"1m\" }",
            pin("one", "two")
                + &menu("two", "three")
                + &guard("three", "less", "tell")
                + &pin("again", "back"),
            &["tell"],
        ),
        (
            "what is said before a question takes its time as well",
            "l = { any = [\"pin\"], within = \"6m\" }",
            pin("one", "two") + long + &menu("three", "tell"),
            &["tell"],
        ),
        (
            "of two ways to it one takes longer",
            "l = { any = [\"pin\"], within = \"6m\" }",
            pin("one", "two") + &menu("two", "tell\", 2 = \"three") + &menu("three", "tell"),
            &["tell"],
        ),
        (
            "somebody else is spoken to meanwhile",
            "l = { any = [\"pin\"], within = \"1m\" }",
            pin("one", "two") + desk,
            &["tell"],
        ),
        (
            "a guard that any code from the web opens does not show what that code is worth",
            "l = { any = [\"possession\"] }\nless = { any = [\"service_code\"] }",
            web.to_owned() + &guard("two", "less", "tell") + &pin("again", "back"),
            &["tell"],
        ),
        (
            "what it is worth is shown on one of two ways",
            "l = { any = [\"possession\"] }",
            web.to_owned()
                + &menu("two", "three\", 2 = \"four")
                + &guard("three", "l", "tell")
                + &pin("again", "back")
                + &menu("four", "five")
                + &menu("five", "tell"),
            &["tell"],
        ),
        (
            "a guard that one telephone opens shows no second one",
            "l = { all = [\"sms_otp\", \"callback\"] }\nless = { any = [\"sms_otp\"] }",
            code("one", "two") + RINGS + &guard("three", "less", "tell") + &pin("again", "back"),
            &["tell"],
        ),
        (
            "who may not hear something is turned away there",
            "l = { any = [\"sms_otp\"] }\nless = { any = [\"pin\"] }\n[disclose]\nsum = \"l\"",
            pin("one", "two")
                + &sorry
                    .replace("states.one", "states.two")
                    .replace("\"l\"", "\"less\"")
                    .replace("Well", "{{ account.sum }}"),
            &["two", "tell"],
        ),
        (
            "a telephone is told before it is rung",
            "l = { any = [\"pin\"] }\n[disclose]\nsum = \"l\"",
            RINGS
                .replace("two", "one")
                .replace("three", "pin")
                .replace("\"callback\"", "\"callback\"\nprompt = \"{{ account.sum }}\"")
                + &pin("pin", "tell"),
            &["one"],
        ),
    ] {
        let sources = flow(levels, &(states + &tell("l")));
        assert_eq!(missed(&sources), expected, "{of}");
        assert_eq!(broken(&sources), (expected.len(), Vec::new()), "{of}");
    }
    // A question alone does not take that long.
    let short = pin("one", "three") + &menu("three", "tell") + &tell("l");
    assert_eq!(missed(&flow("l = { any = [\"pin\"], within = \"6m\" }", &short)), [""; 0]);
}

/// A message and a call are two proofs only for whom a guard has shown to have two telephones, and for the proofs of then.
#[test]
fn a_message_after_a_guard_may_go_to_the_telephone_that_is_rung() {
    let both = "l = { all = [\"sms_otp\", \"callback\"] }";
    let shown = code("one", "two") + RINGS + &pin("again", "back");
    let at_once = shown.clone() + &guard("three", "l", "tell") + &tell("l");
    assert_eq!(missed(&flow(both, &at_once)), [""; 0]);
    let again = shown + &guard("three", "l", "four") + &code("four", "tell") + &tell("l");
    assert_eq!(missed(&flow(both, &again)), ["tell"]);
}

/// Who comes back from proving more for a specialist may be somebody else by then.
#[test]
fn who_comes_back_to_a_specialist_is_asked_for_the_level_again() {
    let desk = "[states.desk]\ntype = \"transfer\"\nto = { conference = \"desk\" }\nrequires = \"l\"\nagent_step_up = \"more\"\n\
        on = { completed = \"bye\", busy = \"bye\", no_answer = \"bye\", failed = \"bye\", declined = \"bye\", denied = \"bye\" }\n";
    let levels = format!("{PIN}\nm = {{ any = [\"sms_otp\"] }}");
    let more = |states: &str| flow(&levels, &(pin("one", "desk") + desk + states));
    assert_eq!(missed(&more(&pin("more", "back"))), [""; 0]);
    let other = "[states.more]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who else?\"\n\
        on = { found = \"back\", unknown = \"back\" }\n";
    assert_eq!(missed(&more(other)), ["desk"]);
    assert_eq!(broken(&more(other)), (1, Vec::new()));
}

/// What is kept in a variable is kept on the ways on which it is, whoever else comes there with nothing in it: in one flow,
/// behind a sub-flow, and within one.
#[test]
fn what_one_way_keeps_in_a_variable_is_not_told_because_another_keeps_nothing() {
    let levels = "p = { any = [\"pin\"], within = \"6m\" }\n[disclose]\nsum = \"p\"";
    let set = |name: &str, value: &str, next: &str| {
        format!(
            "[states.{name}]\ntype = \"set\"\nvalues = {{ v = \"{value}\" }}\nnext = \"{next}\"\n"
        )
    };
    let calls = |with: &str, next: &str| {
        format!(
            "[states.three]\ntype = \"call\"\nflow = \"sub\"\n{with}on = {{ ok = \"{next}\" }}\n"
        )
    };
    let hear = |next: &str| {
        format!("[states.hear]\ntype = \"say\"\nprompt = \"{{{{ v }}}}.\"\nnext = \"{next}\"\n")
    };
    let sub = |states: &str| {
        format!(
            "name = \"sub\"\nstart = \"wait\"\n{states}[states.done]\ntype = \"return\"\noutcome = \"ok\"\n"
        )
    };
    let waits = |next: &str| menu("wait", next).replace("\"bye\"", "\"done\"");
    for (of, states, called) in [
        ("in one flow", menu("three", "hear") + &hear("bye"), None),
        ("behind a sub-flow", calls("", "hear") + &hear("bye"), Some(sub(&waits("done")))),
        (
            "within one",
            calls("with = { v = \"v\" }\n", "bye"),
            Some(sub(&(waits("hear") + &hear("done")))),
        ),
    ] {
        let kept = |value: &str| {
            let states = pin("one", "two")
                + &menu("two", "plain\", 2 = \"slow")
                + &set("plain", "x", "three")
                + "[states.slow]\ntype = \"set\"\nvalues = { w = 1 }\nnext = \"kept\"\n"
                + &set("kept", value, "three")
                + &states;
            let mut sources = flow(levels, &states);
            if let Some(called) = &called {
                sources.add("sub.toml", called.as_str());
            }
            sources
        };
        assert_eq!(missed(&kept("y")), [""; 0], "{of}");
        let sources = kept("{{ account.sum | money }}");
        assert_eq!(missed(&sources), ["hear"], "{of}");
        assert_eq!(broken(&sources), (1, Vec::new()), "{of}");
    }
}

/// Whoever has been in a sub-flow before comes out of it again.
#[test]
fn a_sub_flow_that_is_called_twice_comes_back_twice() {
    let calls = |name: &str, next: &str| {
        format!("[states.{name}]\ntype = \"call\"\nflow = \"sub\"\non = {{ ok = \"{next}\" }}\n")
    };
    let mut sources = flow(PIN, &(calls("one", "two") + &calls("two", "tell") + &tell("l")));
    sources.add(
        "sub.toml",
        "name = \"sub\"\nstart = \"so\"\n[states.so]\ntype = \"set\"\nvalues = { w = 1 }\nnext = \"done\"\n\
         [states.done]\ntype = \"return\"\noutcome = \"ok\"\n",
    );
    assert_eq!(missed(&sources), ["tell"]);
    assert_eq!(broken(&sources), (1, Vec::new()));
}

/// Of whatever ends without a proof nothing is proved, and each such end leads on.
#[test]
fn no_end_but_a_proof_proves_anything_and_each_is_followed() {
    let any = "l = { any = [\"pin\", \"passcode\", \"sms_otp\", \"email_otp\", \"callback\", \"service_code\"] }";
    let asks = "prompt = \"Now?\"\n";
    for (of, lines, proves, ends) in [
        ("gather_pin", asks, Some("ok"), &["failed", "locked"][..]),
        ("gather_passcode", asks, Some("ok"), &["failed", "locked"]),
        ("gather_service_code", asks, Some("ok"), &["failed", "locked"]),
        ("callback", "", Some("ok"), &["failed", "no_answer", "unavailable", "limited"]),
        ("gather_otp", asks, Some("ok"), &["failed", "expired", "undelivered"]),
        (
            "send_link",
            "message = \"See https://example.com/x\"\n",
            None,
            &["sent", "unavailable", "limited"],
        ),
        ("voicemail", asks, None, &["ok", "no_input"]),
        ("lookup", "backend = \"ledger\"\npath = \"x\"\n", None, &["ok", "failed"]),
        (
            "transfer",
            "to = { number = \"+15005550009\" }\nwhisper = \"A caller.\"\n",
            None,
            &["completed", "busy", "no_answer", "failed", "declined"],
        ),
    ] {
        for end in ends {
            let on = |outcome: &&str| {
                format!("{outcome} = \"{}\"", if outcome == end { "tell" } else { "bye" })
            };
            let on: Vec<_> = proves.iter().chain(ends).map(on).collect();
            let state =
                format!("[states.two]\ntype = \"{of}\"\n{lines}on = {{ {} }}\n", on.join(", "));
            let states = if of == "gather_otp" {
                let sends = code("one", "bye");
                let (send, _) = sends.split_once("[states.one_in]").unwrap();
                send.replace("one_in", "two") + &state
            } else {
                state.replace("states.two", "states.one")
            };
            let sources = flow(any, &(states + &tell("l")));
            assert_eq!(missed(&sources), ["tell"], "{of} {end}");
        }
    }
}
