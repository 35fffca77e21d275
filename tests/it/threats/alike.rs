//! What happens to accounts that there are, and to no others: who has proved nothing hears none of it.

use std::sync::Arc;
use std::time::Duration;

use callgate::engine::account::Claim;
use callgate::engine::event::{Event, Heard};
use callgate::engine::policy::Policy;
use callgate::engine::reply::Verb;
use callgate::exchange::Request;
use callgate::secret::Secret;
use callgate::store::memory::MemoryStore;

use super::office::{ACCOUNT, Line, Office, PIN, account, longest_number, other_than};

const NOBODY: &str = "99999999";
/// An account whose telephone is of the same block as that of the other.
const NEIGHBOUR: &str = "73195529";

/// A flow that claims an account and goes on in `first`, the state described so.
fn flow(first: &str) -> String {
    format!(
        "name = \"desk\"\nstart = \"who\"\n[levels]\nhas = {{ any = [\"sms_otp\", \"callback\"] }}\n\
         [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
         on = {{ found = \"first\", unknown = \"first\" }}\n[states.first]\n{first}\n\
         [states.code]\ntype = \"gather_otp\"\ntries = 3\nprompt = \"Code?\"\nreprompt = \"Again?\"\n\
         last_prompt = \"The last time?\"\n\
         on = {{ ok = \"in\", failed = \"more\", expired = \"more\", undelivered = \"more\" }}\n\
         [states.more]\ntype = \"menu\"\nprompt = \"For another way press 1.\"\nkeys = {{ 1 = \"first\", 2 = \"other\" }}\n\
         on = {{ no_input = \"later\", no_match = \"later\" }}\n\
         [states.other]\n{TEXT}\n\
         [states.in]\ntype = \"hangup\"\nrequires = \"has\"\nprompt = \"In.\"\non = {{ denied = \"later\" }}\n\
         [states.later]\ntype = \"hangup\"\nprompt = \"Later.\"\n"
    )
}

const TEXT: &str = "type = \"send_sms_otp\"\n\
    on = { sent = \"code\", unavailable = \"code\", limited = \"later\" }";

fn asks(line: &Line) -> bool {
    line.reply.verbs.iter().any(|verb| matches!(verb, Verb::Gather(_) | Verb::Redirect(_)))
}

/// What is heard of these keys, in turn, with so many seconds after each; a code spoken is anybody's.
async fn heard(office: &Office, line: &mut Line, keys: &[&str], waits_s: u64) -> Vec<String> {
    let mut said = vec![line.spoken()];
    for key in keys.iter().cycle().take(20) {
        if !asks(line) {
            break;
        }
        office.clock.advance(Duration::from_secs(waits_s));
        line.key(key).await;
        said.push(line.spoken());
    }
    let plain = |text: String| text.chars().filter(|c| !c.is_ascii_digit()).collect();
    said.into_iter().map(plain).collect()
}

/// Too many codes, links or rings went to a block of numbers: who claims somebody with a telephone in it hears what
/// they hear of nobody, and nothing goes there.
#[tokio::test]
async fn t40_a_block_of_numbers_that_has_had_its_messages_tells_nobody_whose_it_is() {
    let link = "type = \"send_link\"\nmessage = \"See acme.example.\"\n\
        on = { sent = \"more\", unavailable = \"more\", limited = \"later\" }";
    let ring = "type = \"callback\"\nring = \"20s\"\n\
        on = { ok = \"in\", failed = \"more\", no_answer = \"more\", unavailable = \"more\", limited = \"later\" }";
    let accounts = [
        account(ACCOUNT, "2024-01-01"),
        account(NEIGHBOUR, "2024-01-01").replace("+15005550010", "+15005550011"),
    ];
    for (first, keys) in [(TEXT, &["123456", "1"][..]), (link, &["1"]), (ring, &[""])] {
        let mut told = Vec::new();
        for claimed in [NEIGHBOUR, NOBODY] {
            let mut policy = Policy::default();
            policy.sends.per_prefix_h = 1;
            let office = Office::under(
                policy,
                Arc::new(MemoryStore::default()),
                &flow(first),
                &accounts.concat(),
            );
            office.ring("CA1").await.key(ACCOUNT).await;
            office.outbox.drain().await.unwrap();
            assert_eq!(office.world.take_outgoing().len(), 1, "the block has had what it gets");
            let mut line = office.ring("CA2").await;
            line.key(claimed).await;
            told.push(heard(&office, &mut line, keys, 5).await);
            office.outbox.drain().await.unwrap();
            assert!(office.world.messages(line.call).is_empty());
            assert!(office.world.last_placed(line.call).is_none());
        }
        assert_eq!(told[0], told[1], "{first}");
        assert!(told[0].len() > 3 && told[0][0] != "Later.", "{told:?}");
    }
}

/// The block of a number has had its messages when the caller asks for another code: the one in hand stays good, for
/// its ten minutes and with the tries that it has left, and nobody hears that there is no other. `keys`: what is keyed in
/// after how many seconds, `code` being the one that was sent.
async fn in_hand(by_provider: bool, keys: &[(u64, &str)]) -> Vec<String> {
    let mut told = Vec::new();
    for claimed in [ACCOUNT, NOBODY] {
        let mut policy = Policy::default();
        (policy.sends.per_prefix_h, policy.otp.by_provider) = (1, by_provider);
        policy.pin.soft_limit = 100;
        let accounts = account(ACCOUNT, "2024-01-01");
        let store = Arc::new(MemoryStore::default());
        let office = Office::under(policy, store, &flow(TEXT), &accounts);
        let mut line = office.ring("CA1").await;
        line.key(claimed).await;
        office.outbox.drain().await.unwrap();
        let messages = office.world.messages(line.call);
        assert_eq!(messages.len(), usize::from(claimed == ACCOUNT));
        let code = messages.last().map(|message| longest_number(message.body.expose()));
        let other = code.as_deref().map_or("000000".to_owned(), other_than);
        let mut said = vec![line.spoken()];
        for (wait_s, key) in keys {
            office.clock.advance(Duration::from_secs(*wait_s));
            let entry = match *key {
                "code" => code.as_deref().unwrap_or("123456"),
                "wrong" => &other,
                key => key,
            };
            line.key(entry).await;
            said.push(line.spoken());
        }
        office.outbox.drain().await.unwrap();
        assert_eq!(office.world.messages(line.call).len(), messages.len(), "no other was sent");
        told.push(said);
    }
    let nobodys = told.pop().unwrap();
    let mut told = told.pop().unwrap();
    // What comes after a code that was good is heard by nobody else.
    if told.last().is_some_and(|last| last == "In.") {
        assert_ne!(nobodys.last(), told.last());
        told.pop();
    } else {
        assert_eq!(nobodys.last(), told.last(), "{keys:?}");
    }
    assert_eq!(nobodys.get(..told.len()).unwrap(), told);
    nobodys.into_iter().skip(told.len()).collect()
}

#[tokio::test]
async fn t40_a_code_in_hand_stays_good_where_no_other_is_sent_and_nobody_hears_of_it() {
    let is_in = |rest: Vec<String>| !rest.is_empty();
    for by_provider in [false, true] {
        let keys = |keys: &'static [(u64, &'static str)]| in_hand(by_provider, keys);
        assert!(is_in(keys(&[(31, "*"), (5, "code")]).await), "{by_provider}");
        assert!(is_in(keys(&[(31, "wrong"), (5, "*"), (61, "*"), (5, "code")]).await));
        // Another way into the state that sends.
        let again = [(5, "wrong"), (5, "wrong"), (30, "*"), (5, "code")];
        assert!(is_in(in_hand(by_provider, &again).await));
        // And into another state that sends: its message would name something else.
        let silent = |way| [(5, ""), (5, ""), (5, ""), (31, way), (5, "code")];
        assert!(is_in(in_hand(by_provider, &silent("1")).await));
        assert!(!is_in(in_hand(by_provider, &silent("2")).await));
        // Its tries are over, or its time is.
        let tried = [(5, "wrong"), (5, "wrong"), (30, "*"), (5, "wrong"), (61, "1"), (5, "code")];
        assert!(!is_in(in_hand(by_provider, &tried).await));
        assert!(!is_in(keys(&[(541, "*"), (60, "code")]).await));
        assert!(is_in(keys(&[(541, "*"), (58, "code")]).await));
        assert!(!is_in(keys(&[(541, "*"), (601, "code")]).await));
    }
}

/// A message comes back while its code is waited for: where that leads where a wrong code does, it is as if it were
/// nobody's.
#[tokio::test]
async fn t40_a_message_that_comes_back_is_not_heard_where_both_ways_lead_alike() {
    for before in [0, 1] {
        let mut told = Vec::new();
        for claimed in [ACCOUNT, NOBODY] {
            let office = Office::fresh(&flow(TEXT), &account(ACCOUNT, "2024-01-01"));
            let mut line = office.ring("CA1").await;
            line.key(claimed).await;
            for _ in 0..before {
                line.key("000001").await;
            }
            let call = office.exchange.load(line.call).await.unwrap().unwrap().call;
            let effect = call.code.as_ref().unwrap().effect;
            assert_eq!(effect.is_some(), matches!(call.claim, Claim::Account(_)));
            if let Some(effect) = effect {
                let came_back = |_: &_| Some(Event::Undelivered { effect });
                office.exchange.tell(line.call, None, came_back).await.unwrap();
                let after = office.exchange.load(line.call).await.unwrap().unwrap().call;
                assert_eq!(after.at, call.at, "the caller is not led on");
            }
            told.push(heard(&office, &mut line, &["123456", "1"], 1).await);
        }
        assert_eq!(told[0], told[1]);
        assert!(told[0].len() > 3, "{told:?}");
    }
}

/// A caller's own words stand in the message, and leave the code no room: none goes out, and is heard of like
/// nobody's.
#[tokio::test]
async fn t40_words_of_a_caller_that_fill_a_message_tell_nobody_whether_it_was_sent() {
    let text = "type = \"gather\"\nvar = \"note\"\nkind = \"speech\"\nprompt = \"Why?\"\n\
        on = { ok = \"send\", no_input = \"later\", invalid = \"later\" }\n\
        [states.send]\ntype = \"send_sms_otp\"\nmessage = \"You said {{ note }}. Your code is {{ code }}.\"\n\
        on = { sent = \"code\", unavailable = \"later\", limited = \"later\" }";
    for letters in [5, 700] {
        let mut told = Vec::new();
        for claimed in [ACCOUNT, NOBODY] {
            let office = Office::fresh(&flow(text), &account(ACCOUNT, "2024-01-01"));
            let mut line = office.ring("CA1").await;
            line.key(claimed).await;
            let speech = Secret::new("a".repeat(letters));
            line.tell(line.next(), Heard { speech, ..Heard::default() }).await;
            told.push(line.spoken());
            office.outbox.drain().await.unwrap();
            let sent = office.world.messages(line.call).len();
            assert_eq!(sent, usize::from(claimed == ACCOUNT && letters < 600), "{letters}");
        }
        assert_eq!(told, ["Code?", "Code?"], "{letters}");
    }
}

/// Who shows no number is one caller on a line, and a SIP address that they may spell as they like is no other.
#[tokio::test]
async fn t32_whoever_shows_no_number_is_one_caller_however_they_spell_the_line() {
    let mut policy = Policy::default();
    policy.shared.accounts_withheld_per_line_h = 3;
    let accounts: String = (0..6)
        .map(|n| {
            let text = account(&format!("7319553{n}"), "2024-01-01");
            text.replace("+15005550010", &format!("+1500555002{n}"))
        })
        .collect();
    let office = Office::under(policy, Arc::new(MemoryStore::default()), &flow(TEXT), &accounts);
    let mut real = 0;
    for n in 0..6 {
        let to = format!("sip:desk{n}@acme.sip.twilio.com");
        let mut line = office.ring_at(&to, &format!("CA{n}"), None).await;
        line.key(&format!("7319553{n}")).await;
        let call = office.exchange.load(line.call).await.unwrap().unwrap().call;
        real += usize::from(matches!(call.claim, Claim::Account(_)));
    }
    assert_eq!(real, 3);
    let mut line = office.ring_from("CA9", None).await;
    line.key("73195535").await;
    let call = office.exchange.load(line.call).await.unwrap().unwrap().call;
    assert!(matches!(call.claim, Claim::Account(_)), "a telephone number is a line of its own");
}

/// A back end that is told whose account is claimed may say of nobody's sooner that it knows nothing: who has proved
/// nothing hears what follows no earlier than of an account that was looked up.
#[tokio::test]
async fn t41_what_a_back_end_makes_of_an_account_is_heard_no_earlier() {
    let answered = async |more: &str, proves: bool| {
        let first = format!(
            "type = \"menu\"\nprompt = \"1?\"\nkeys = {{ 1 = \"ask\", 2 = \"pin\" }}\n\
             on = {{ no_input = \"later\", no_match = \"later\" }}\n\
             [states.pin]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"PIN?\"\n\
             on = {{ ok = \"first\", failed = \"later\", locked = \"later\" }}\n\
             [states.ask]\ntype = \"lookup\"\nbackend = \"b\"\n{more}on = {{ ok = \"more\", failed = \"more\" }}"
        );
        let office = Office::fresh(&flow(&first), &account(ACCOUNT, "2024-01-01"));
        let mut line = office.ring("CA1").await;
        line.key(ACCOUNT).await;
        if proves {
            line.key("2").await;
            line.key(PIN).await;
        }
        let heard = Heard { digits: Secret::new("1"), ..Heard::default() };
        let (call, sid, wants) = (line.call, line.sid.clone(), line.next());
        let request = Request { call, sid, wants, heard, fallback_number: None };
        office.exchange.receive(&request).await.unwrap().discreet
    };
    assert!(answered("", false).await);
    assert!(!answered("", true).await, "who has proved something need not wait");
    assert!(!answered("account = false\n", false).await);
}
