//! What was told stands in the audit: by which state, to whom, the names and levels, and never the words.

use std::sync::Arc;

use callgate::audit::Deed;
use callgate::engine::call::End;
use callgate::engine::event::Heard;
use callgate::engine::id::Sid;
use callgate::exchange::Wants;
use callgate::store::memory::MemoryStore;

use super::foreign::whisper_of;
use super::office::{ACCOUNT, Line, Office, PIN, account, boundless, other_than};

const FLOW: &str = r#"
name = "desk"
start = "who"
locale = "en-US"
business = "Acme Bank"

[levels]
known = { any = ["pin"] }
wary = { any = ["pin"] }

[disclose]
first_name = "wary"
balance = "known"

[states.who]
type = "identify"
by = ["digits"]
digits = 8
prompt = "Your number?"
on = { found = "pin", unknown = "pin" }

[states.pin]
type = "gather_pin"
digits = 6
tries = 1
prompt = "Your PIN?"
on = { ok = "owed", failed = "bye", locked = "bye" }

[states.owed]
type = "set"
requires = "known"
values = { owed = "{{ account.balance | money }}", plain = "a word" }
on = { denied = "bye" }
next = "menu"

[states.menu]
type = "menu"
requires = "known"
prompt = "{{ account.first_name }}, you owe {{ owed }}. And {{ plain }}."
reprompt = "Once more."
keys = { 1 = "link", 2 = "act", 3 = "desk", 4 = "spin", 5 = "quiet", 6 = "ask", 8 = "text" }
on = { no_input = "bye", no_match = "bye", denied = "bye" }

[states.link]
type = "send_link"
message = "You owe {{ owed }}: https://example.com/pay"
on = { sent = "bye", unavailable = "bye", limited = "bye" }

[states.text]
type = "send_sms_otp"
message = "{{ code }} is your code. You owe {{ owed }}."
on = { sent = "bye", unavailable = "bye", limited = "bye" }

[states.act]
type = "say"
requires = "known"
notify = "Somebody has heard of {{ account.balance | money }}."
prompt = "Done."
on = { denied = "bye" }
next = "bye"

[states.desk]
type = "transfer"
to = { number = "+15005550042" }
whisper = "It is {{ account.first_name }}."
on = { completed = "bye", busy = "bye", no_answer = "bye", failed = "bye", declined = "bye" }

[states.spin]
type = "say"
prompt = "You owe {{ owed }}."
next = "spin"

[states.quiet]
type = "say"
requires = "known"
prompt = "It is {{ plain }}."
on = { denied = "bye" }
next = "bye"

[states.ask]
type = "lookup"
backend = "rates"
path = "rate"
send = { of = "{{ owed }}", kind = "all" }
on = { ok = "bye", failed = "bye" }

[states.bye]
type = "hangup"
prompt = "Goodbye."
"#;

/// What the last turn of a call told, as `audit show` prints it.
async fn told(office: &Office, line: &Line) -> Vec<String> {
    let journal = office.exchange.journal(line.call).await.unwrap();
    let last = journal.last().unwrap();
    let told = last.audit.iter().filter(|entry| matches!(entry.deed, Deed::Told { .. }));
    told.map(|entry| serde_json::to_string(&entry.deed).unwrap()).collect()
}

fn entry(to: &str, state: &str, of: &str, levels: &str) -> String {
    format!(r#"{{"told":{{"to":"{to}","state":"{state}","of":[{of}],"levels":[{levels}]}}}}"#)
}

#[tokio::test]
async fn t65_what_was_told_stands_there_by_name_and_level() {
    let store = Arc::new(MemoryStore::default());
    let office = Office::under(boundless(), store, FLOW, &account(ACCOUNT, "2024-01-01"));
    let menu = entry("caller", "menu", r#""account.first_name","owed""#, r#""known","wary""#);
    let owed = |to, state| entry(to, state, "\"owed\"", "\"known\"");
    let balance = |to, state| entry(to, state, "\"account.balance\"", "\"known\"");
    for (key, expected) in [
        ("1", vec![owed("contact", "link")]),
        ("2", vec![balance("contact", "act")]),
        ("3", vec![]),
        ("5", vec![]),
        ("6", vec![owed("backend", "ask")]),
        ("8", vec![owed("contact", "text")]),
        // Nothing that may not be heard by everybody is in these words.
        ("7", vec![]),
    ] {
        let mut line = office.ring_to_menu(&format!("CA{key}")).await;
        assert_eq!(told(&office, &line).await, std::slice::from_ref(&menu), "on the way to {key}");
        line.key(key).await;
        assert_eq!(told(&office, &line).await, expected, "{key}");
        if key == "3" {
            let mut leg = line.copy_at(&office);
            leg.sid = Sid("CAW".into());
            let nonce = whisper_of(&line).unwrap();
            leg.tell(Wants::Turn(nonce), Heard::default()).await;
            assert!(leg.spoken().contains("It is Ada."), "{}", leg.spoken());
            let whispered = entry("specialist", "desk", "\"account.first_name\"", "\"wary\"");
            assert_eq!(told(&office, &line).await, [whispered]);
        }
    }
    let journal = office.exchange.journal(office.ring_to_menu("CA10").await.call).await.unwrap();
    let text = format!("{:?}", journal.iter().flat_map(|entry| &entry.audit).collect::<Vec<_>>());
    for value in ["Ada", "1234", "1,234", "a word"] {
        assert!(!text.contains(value), "{text}");
    }
}

/// Who hears the apology in place of the words was told nothing; nor was anybody whom no message went to.
#[tokio::test]
async fn t65_what_nobody_heard_was_not_told() {
    let office = Office::fresh(FLOW, &account(ACCOUNT, "2024-01-01"));
    let mut line = office.ring_to_menu("CA1").await;
    line.key("4").await;
    let journal = office.exchange.journal(line.call).await.unwrap();
    assert_eq!(journal.last().unwrap().end, Some(End::Failed));
    assert!(!line.spoken().contains("owe"), "{}", line.spoken());
    assert_eq!(told(&office, &line).await, [""; 0]);

    let unreached = account(ACCOUNT, "2026-02-28");
    let office = Office::fresh(FLOW, &unreached);
    for key in ["1", "2", "8"] {
        let mut line = office.ring_to_menu(&format!("CA{key}")).await;
        line.key(key).await;
        assert_eq!(told(&office, &line).await, [""; 0], "{key}");
    }
    assert_eq!(office.world.take_outgoing().len(), 0);

    // Of nobody, and of somebody who proves nothing, there is nothing to tell.
    for (sid, claimed, pin) in
        [("CA18", "10000000", PIN.to_owned()), ("CA19", ACCOUNT, other_than(PIN))]
    {
        let mut line = office.ring(sid).await;
        line.key(claimed).await;
        line.key(&pin).await;
        assert!(line.spoken().contains("Goodbye"), "{}", line.spoken());
        assert_eq!(told(&office, &line).await, [""; 0], "{claimed}");
    }
}
