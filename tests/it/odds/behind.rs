//! What a branch that goes by what was proved opens, as `requires` does.

use callgate::check::odds::{StateOdds, Terms, odds};
use callgate::diagnostic::Sources;

/// A claim, a PIN and a branch on it, which leads to `behind`, or to a desk for everybody.
const GATE: &str = r#"
name  = "gate"
start = "who"

[levels]
known  = { any = ["pin"] }
strong = { all = ["pin", "sms_otp"] }

[budget]
per_year = 0.001

[states.who]
type   = "identify"
by     = ["digits"]
digits = 8
prompt = "Please key in your account number."
on     = { found = "pin", unknown = "pin" }

[states.pin]
type   = "gather_pin"
digits = 6
prompt = "Please key in your PIN."
on     = { ok = "asks", failed = "asks", locked = "asks" }

[states.asks]
type      = "branch"
cases     = [{ when = { fact = "pin" }, next = "behind" }]
otherwise = "service"

[states.service]
type = "transfer"
to   = { queue = "service" }
on   = { completed = "bye", busy = "bye", no_answer = "bye", failed = "bye", declined = "bye" }

[states.cards]
type = "transfer"
to   = { queue = "cards" }
on   = { completed = "bye", busy = "bye", no_answer = "bye", failed = "bye", declined = "bye" }

[states.bye]
type   = "hangup"
prompt = "Goodbye."
"#;

/// A code by message, after which everybody goes on.
const CODE: &str = r#"
[states.send]
type = "send_sms_otp"
on   = { sent = "code", unavailable = "wrong", limited = "wrong" }

[states.code]
type   = "gather_otp"
prompt = "Please key in the code that we have sent you."
on     = { ok = "right", failed = "wrong", expired = "wrong", undelivered = "wrong" }
"#;

/// Every state that asks for something, with the branch before it and the proofs that are enough.
fn opened(files: &[&str]) -> Vec<String> {
    let mut sources = Sources::default();
    for (number, text) in files.iter().enumerate() {
        sources.add(&format!("{number}.toml"), (*text).to_owned());
    }
    let (flows, findings) = callgate::flow::read(&sources);
    assert_eq!(findings, []);
    let told = |state: StateOdds| {
        let behind = state.behind.map(|(_, branch)| format!(" behind {branch}"));
        let ways = state.ways.iter().map(|way| format!("{:?}", way.proofs));
        let ways = ways.collect::<Vec<_>>().join(" ");
        format!("{}{}: {ways}", state.at.1, behind.unwrap_or_default())
    };
    let odds = odds(&flows, "gate", &Terms::default()).unwrap();
    odds.states.into_iter().map(told).collect()
}

#[test]
fn words_behind_a_branch_open_nothing_and_what_follows_them_does() {
    let flow = GATE.replace("next = \"behind\"", "next = \"send\"")
        + CODE
        + r#"
[states.wrong]
type   = "hangup"
prompt = "That code was wrong. Goodbye."

[states.right]
type   = "say"
prompt = "Thank you."
next   = "amount"

[states.amount]
type   = "gather"
prompt = "How much?"
var    = "amount"
on     = { ok = "choose", no_input = "bye", invalid = "bye" }

[states.choose]
type   = "menu"
prompt = "It is {{ amount }}. For your cards, press 1."
keys   = { 1 = "cards" }
on     = { no_input = "bye", no_match = "bye" }
"#;
    assert_eq!(opened(&[&flow]), ["cards behind asks: [Pin, SmsOtp]"]);
}

#[test]
fn what_is_done_behind_a_branch_is_opened() {
    for done in [
        "type = \"voicemail\"\nprompt = \"Speak.\"\nmax_length = \"30s\"\non = { ok = \"bye\", no_input = \"bye\" }\n",
        "type = \"lookup\"\nbackend = \"billing\"\ngive = { sum = { type = \"number\", label = \"anyone\" } }\n\
         on = { ok = \"bye\", failed = \"bye\" }\n",
        "type = \"send_link\"\nmessage = \"https://example.com\"\n\
         on = { sent = \"bye\", unavailable = \"bye\", limited = \"bye\" }\n",
        "type = \"transfer\"\nto = { queue = \"all\" }\non = { completed = \"bye\", busy = \"bye\", no_answer = \"bye\", \
         failed = \"bye\", declined = \"bye\" }\n",
    ] {
        let flow = format!("{GATE}[states.behind]\n{done}");
        assert_eq!(opened(&[&flow]), ["behind behind asks: [Pin]"], "{done}");
    }
}

/// The flow that is called is everybody's, and where it comes back to is not.
#[test]
fn what_follows_a_sub_flow_that_others_enter_too_is_opened() {
    let wait = "name = \"wait\"\nstart = \"wait\"\n\
                [states.wait]\ntype = \"say\"\nprompt = \"One moment.\"\nnext = \"back\"\n\
                [states.back]\ntype = \"return\"\noutcome = \"ok\"\n";
    let flow = GATE.replace("otherwise = \"service\"", "otherwise = \"other\"")
        + "[states.behind]\ntype = \"call\"\nflow = \"wait\"\non = { ok = \"cards\" }\n\
           [states.other]\ntype = \"call\"\nflow = \"wait\"\non = { ok = \"service\" }\n";
    assert_eq!(opened(&[&flow, wait]), ["cards behind asks: [Pin]"]);
}

/// Behind what is everybody's a proof opens it, as it would without the branch.
#[test]
fn what_a_proof_alone_leads_to_is_not_opened_by_a_branch_before_it() {
    let flow = GATE.replace("otherwise = \"service\"", "otherwise = \"behind\"")
        + "[states.behind]\ntype = \"menu\"\nprompt = \"For cards, press 1.\"\nkeys = { 1 = \"again\", 2 = \"service\" }\n\
           on = { no_input = \"bye\", no_match = \"bye\" }\n\
           [states.again]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"Once more?\"\n\
           on = { ok = \"cards\", failed = \"bye\", locked = \"bye\" }\n";
    assert_eq!(opened(&[&flow]), [""; 0]);
}

/// On one way alone it is guarded by what it tells, and those who are turned away go on.
#[test]
fn what_asks_on_some_ways_is_opened_on_the_others() {
    let flow = GATE
        .replace("ok = \"asks\", failed = \"asks\"", "ok = \"send\", failed = \"send\"")
        .replace("[{", "[{ when = { level = \"strong\" }, next = \"ask\" }, {")
        + &CODE.replace("\"right\"", "\"asks\"").replace("\"wrong\"", "\"asks\"")
        + r#"
[states.ask]
type    = "lookup"
backend = "billing"
on      = { ok = "told", failed = "bye" }
give    = { sum = { type = "text", label = "strong" } }

[states.behind]
type   = "set"
values = { sum = "nothing" }
next   = "told"

[states.told]
type   = "say"
prompt = "You owe us {{ sum }}."
next   = "bye"
"#;
    let lookup = "ask behind asks: [Pin, SmsOtp]";
    assert_eq!(opened(&[&flow]), ["told: [Pin, SmsOtp]", lookup, "told behind asks: [Pin]"]);
    let requires = "[states.told]\nrequires = \"strong\"\non = { denied = \"cards\" }\n";
    let flow = flow.replace("[states.told]\n", requires);
    assert_eq!(opened(&[&flow]), ["told: [Pin, SmsOtp]", lookup, "cards behind asks: [Pin]"]);
}
