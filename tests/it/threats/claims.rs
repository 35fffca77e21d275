//! Claims: what a call has gathered under one is gone with the next, and what is only tried is nobody's.

use std::sync::Arc;
use std::time::Duration;

use callgate::diagnostic::Sources;
use callgate::engine::audit::Proving;
use callgate::engine::event::AnsweredBy;
use callgate::engine::id::LegId;
use callgate::engine::policy::Policy;
use callgate::engine::step_up::Asking;
use callgate::exchange::Wants;
use callgate::exchange::service_code::WebLevel;
use callgate::exchange::unlock::By;
use callgate::flow::level::Fact;
use callgate::secret::Secret;
use callgate::store::memory::MemoryStore;

use super::office::{ACCOUNT, DESK, Office, PIN, account};

const OTHER: &str = "20000002";

/// A caller may do one thing after another, and say in between that they are somebody else.
const COUNTER: &str = r#"name = "desk"
start = "who"
[levels]
known = { any = ["pin"] }
[disclose]
vip = "known"
first_name = "known"
[states.who]
type = "identify"
by = ["digits"]
digits = 8
prompt = "Who?"
on = { found = "menu", unknown = "menu" }
[states.menu]
type = "menu"
prompt = "What?"
keys = { 1 = "send", 2 = "code", 3 = "first", 4 = "pin", 5 = "look", 6 = "greet", 7 = "desk", 8 = "who", 9 = "heard", 0 = "ring" }
on = { no_input = "bye", no_match = "bye" }
[states.send]
type = "send_sms_otp"
accept = ["enumeration"]
on = { sent = "menu", unavailable = "menu", limited = "bye" }
[states.ring]
type = "callback"
accept = ["enumeration"]
on = { ok = "menu", failed = "menu", no_answer = "menu", unavailable = "menu", limited = "bye" }
[states.code]
type = "gather_otp"
prompt = "The code?"
on = { ok = "menu", failed = "menu", expired = "none", undelivered = "menu" }
[states.none]
type = "say"
prompt = "There is none."
next = "menu"
[states.first]
type = "gather_pin"
digits = 6
verdict = "combined"
prompt = "The PIN?"
on = { ok = "menu", failed = "menu", locked = "menu" }
[states.pin]
type = "gather_pin"
digits = 6
prompt = "The PIN?"
on = { ok = "menu", failed = "menu", locked = "menu" }
[states.look]
type = "branch"
cases = [{ when = { field = "vip", equals = true }, next = "menu" }]
otherwise = "menu"
[states.greet]
type = "set"
values = { w = "Good day" }
next = "heard"
[states.heard]
type = "say"
prompt = "{{ w }}."
next = "menu"
[states.desk]
type = "set"
values = { name = "{{ account.first_name }}" }
next = "asked"
[states.asked]
type = "call"
flow = "again"
on = { ok = "named" }
[states.named]
type = "say"
prompt = "For {{ name }}."
next = "menu"
[states.bye]
type = "hangup"
"#;

/// A flow that others call, in which somebody is claimed and proved.
const AGAIN: &str = r#"name = "again"
start = "who"
[states.who]
type = "identify"
by = ["digits"]
digits = 8
prompt = "And who now?"
on = { found = "pin", unknown = "pin" }
[states.pin]
type = "gather_pin"
digits = 6
prompt = "The PIN?"
on = { ok = "back", failed = "back", locked = "back" }
[states.back]
type = "return"
outcome = "ok"
"#;

fn two() -> String {
    let other = account(OTHER, "2024-01-01").replace("5550010", "5550011").replace("Ada", "Grace");
    account(ACCOUNT, "2024-01-01") + &other
}

fn counter() -> Office {
    let mut sources = Sources::default();
    sources.add("desk.toml", COUNTER);
    sources.add("again.toml", AGAIN);
    Office::of(Policy::default(), Arc::new(MemoryStore::default()), &sources, &two())
}

#[tokio::test]
async fn t33_a_code_is_void_once_another_claim_is_made_be_it_the_same() {
    for (claims, asked) in [(None, true), (Some(ACCOUNT), false), (Some(OTHER), false)] {
        let office = counter();
        let mut line = office.ring("CA1").await;
        line.key(ACCOUNT).await;
        line.key("1").await;
        if let Some(id) = claims {
            line.key("8").await;
            line.key(id).await;
        }
        line.key("2").await;
        assert_eq!(line.spoken() == "The code?", asked, "{claims:?}: {}", line.spoken());
    }
}

#[tokio::test]
async fn t33_what_was_on_trial_of_one_account_is_not_proved_of_another() {
    for (claims, facts) in
        [(None, [Fact::Pin, Fact::SmsOtp].as_slice()), (Some(OTHER), [Fact::SmsOtp].as_slice())]
    {
        let office = counter();
        let mut line = office.ring("CA1").await;
        line.key(ACCOUNT).await;
        line.key("3").await;
        line.key(PIN).await;
        if let Some(id) = claims {
            line.key("8").await;
            line.key(id).await;
        }
        line.key("1").await;
        let code = office.code(line.call).await;
        line.key("2").await;
        line.key(&code).await;
        assert_eq!(office.facts(line.call).await, facts, "{claims:?}");
    }
}

/// What was asked about one account says nothing of the next: what is set then is heard by anybody.
#[tokio::test]
async fn what_was_asked_about_one_account_keeps_nothing_from_another() {
    for (claims, heard) in [(ACCOUNT, "Good day."), (OTHER, "Good day.")] {
        let office = counter();
        let mut line = office.ring("CA1").await;
        line.key(ACCOUNT).await;
        line.key("4").await;
        line.key(PIN).await;
        line.key("5").await;
        line.key("8").await;
        line.key(claims).await;
        line.key("6").await;
        assert!(line.spoken().starts_with(heard), "{}", line.spoken());
    }
}

/// And what a branch told of the first is not heard by the next, who has proved who they are as well.
#[tokio::test]
async fn t33_what_a_branch_told_of_one_account_is_not_heard_by_another() {
    for (claims, heard) in [(None, "Good day."), (Some(OTHER), ". ")] {
        let office = counter();
        let mut line = office.ring("CA1").await;
        line.key(ACCOUNT).await;
        for key in ["4", PIN, "5", "6"] {
            line.key(key).await;
        }
        if let Some(id) = claims {
            for key in ["8", id, "4", PIN] {
                line.key(key).await;
            }
        }
        line.key("9").await;
        assert!(line.spoken().starts_with(heard), "{claims:?}: {}", line.spoken());
    }
}

/// A caller and a flow that they call have variables of their own; what is passed in or given back keeps its level.
#[tokio::test]
async fn what_a_sub_flow_is_passed_and_gives_back_keeps_its_level_and_nothing_else_comes_along() {
    let desk = "name = \"desk\"\nstart = \"who\"\n[levels]\nfresh = { any = [\"pin\"], within = \"1m\" }\n\
        [disclose]\nfirst_name = \"fresh\"\n\
        [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
        on = { found = \"pin\", unknown = \"pin\" }\n\
        [states.pin]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"PIN?\"\n\
        on = { ok = \"name\", failed = \"bye\", locked = \"bye\" }\n\
        [states.name]\ntype = \"set\"\nvalues = { name = \"{{ account.first_name }}\" }\n\
        next = \"ask\"\n\
        [states.ask]\ntype = \"call\"\nflow = \"sub\"\nwith = { passed = \"name\" }\n\
        give = { given = \"made\" }\non = { ok = \"menu\" }\n\
        [states.menu]\ntype = \"menu\"\nprompt = \"What?\"\nkeys = { 1 = \"told\", 2 = \"other\" }\n\
        on = { no_input = \"bye\", no_match = \"bye\" }\n\
        [states.told]\ntype = \"say\"\nprompt = \"For {{ given }}.\"\nnext = \"menu\"\n\
        [states.other]\ntype = \"say\"\nprompt = \"{{ own }}.\"\nnext = \"menu\"\n\
        [states.never]\ntype = \"set\"\nvalues = { own = \"x\" }\nnext = \"menu\"\n\
        [states.bye]\ntype = \"hangup\"\n";
    let sub = "name = \"sub\"\nstart = \"set\"\n\
        [states.set]\ntype = \"set\"\nvalues = { made = \"dear {{ passed }}\", own = \"Mine\" }\nnext = \"menu\"\n\
        [states.menu]\ntype = \"menu\"\nprompt = \"Where?\"\nkeys = { 1 = \"told\", 2 = \"back\" }\n\
        on = { no_input = \"back\", no_match = \"back\" }\n\
        [states.told]\ntype = \"say\"\nprompt = \"To {{ passed }}.\"\nnext = \"menu\"\n\
        [states.back]\ntype = \"return\"\noutcome = \"ok\"\n";
    let heard = async |waits_s: u64, keys: &[&str]| {
        let mut sources = Sources::default();
        sources.add("desk.toml", desk);
        sources.add("sub.toml", sub);
        let store = Arc::new(MemoryStore::default());
        let office = Office::of(Policy::default(), store, &sources, &two());
        let mut line = office.ring_to_pin("CA1").await;
        line.key(PIN).await;
        assert_eq!(line.spoken(), "Where?");
        office.clock.advance(Duration::from_secs(waits_s));
        for key in keys {
            line.key(key).await;
        }
        line.spoken()
    };
    for (keys, words) in [(&["1"][..], "To Ada. "), (&["2", "1"], "For dear Ada. ")] {
        for (waits_s, is_heard) in [(30, true), (90, false)] {
            let heard = heard(waits_s, keys).await;
            assert_eq!(heard.contains(words), is_heard, "{keys:?} after {waits_s} s: {heard}");
        }
    }
    let heard = heard(0, &["2", "2"]).await;
    assert!(heard.starts_with(". "), "{heard}");
}

/// Also in a flow that has called the one in which the other account is claimed.
#[tokio::test]
async fn t33_a_claim_in_a_sub_flow_leaves_its_callers_nothing_of_the_first() {
    let office = counter();
    let mut line = office.ring("CA1").await;
    line.key(ACCOUNT).await;
    line.key("4").await;
    line.key(PIN).await;
    line.key("7").await;
    assert_eq!(line.spoken(), "And who now?");
    line.key(OTHER).await;
    line.key(PIN).await;
    assert_eq!(office.facts(line.call).await, [Fact::Pin]);
    assert!(line.spoken().starts_with("For . "), "{}", line.spoken());
}

/// After a wrong entry of which the caller has not been told, the next one is nobody's: it costs the account
/// nothing, for otherwise two locks would be had for one entry.
#[tokio::test]
async fn t39_an_entry_after_an_untold_wrong_one_counts_for_no_account() {
    let office = counter();
    let mut line = office.ring("CA1").await;
    line.key(ACCOUNT).await;
    line.key("1").await;
    for entry in ["3", "111222", "2", "000000"] {
        line.key(entry).await;
    }
    let lifted = office.exchange.unlock(&Secret::new(ACCOUNT), None, By::CommandLine).await;
    let failures = |factor| {
        let lifted = lifted.as_ref().unwrap().as_ref().unwrap();
        lifted.iter().find(|(of, _)| *of == factor).map(|(_, lifted)| lifted.failures)
    };
    assert_eq!((failures(Fact::Pin), failures(Fact::SmsOtp)), (Some(1), Some(0)));
}

/// Who has proved something is told when a block of numbers has had its messages; but not while a verdict is still
/// to be told, of which that would tell a part.
#[tokio::test]
async fn t39_a_used_up_block_tells_nothing_of_an_untold_entry() {
    let mut heard = Vec::new();
    for pin in [PIN, "111222"] {
        let mut policy = Policy::default();
        policy.sends.per_prefix_h = 1;
        let mut sources = Sources::default();
        sources.add("desk.toml", COUNTER);
        sources.add("again.toml", AGAIN);
        let office = Office::of(policy, Arc::new(MemoryStore::default()), &sources, &two());
        let mut line = office.ring("CA1").await;
        line.key(ACCOUNT).await;
        line.key("1").await;
        let code = office.code(line.call).await;
        line.key("2").await;
        line.key(&code).await;
        assert_eq!(office.facts(line.call).await, [Fact::SmsOtp]);
        office.clock.advance(Duration::from_mins(2));
        for key in ["3", pin, "1"] {
            line.key(key).await;
        }
        heard.push(line.spoken());
        line.key("2").await;
        heard.push(line.spoken());
    }
    assert_eq!(heard[..2], heard[2..]);
}

/// A specialist's screen tells what is met when it is looked at, and not when the caller was last heard.
#[tokio::test]
async fn t57_a_proof_ages_before_the_eyes_of_a_specialist() {
    let office = Office::fresh(DESK, &account(ACCOUNT, "2024-01-01"));
    let mut line = office.ring_to_menu("CA1").await;
    line.key("2").await;
    let code = line.spoken_code();
    let mut leg = office.answer(line.call, AnsweredBy::Human).await;
    leg.key(&code).await;
    line.key("").await;
    for (waits_s, levels) in [(290, ["strict", "strong"].as_slice()), (20, &["strong"])] {
        office.clock.advance(Duration::from_secs(waits_s));
        let seen = office.exchange.seen_by_agent(line.call).await.unwrap().unwrap();
        let mut met = seen.levels.clone();
        met.sort();
        assert_eq!(met, levels);
    }
}

/// The specialist who asked has the caller no more, and learns that it was not proved.
#[tokio::test]
async fn what_a_specialist_asked_for_is_not_proved_of_who_goes_to_another() {
    let flow = "name = \"desk\"\nstart = \"who\"\n[levels]\nknown = { any = [\"pin\"] }\n\
        [disclose]\nfirst_name = \"known\"\n\
        [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
        on = { found = \"room\", unknown = \"room\" }\n\
        [states.room]\ntype = \"transfer\"\nto = { conference = \"room\" }\nagent_step_up = \"asked\"\n\
        share = [\"first_name\"]\n\
        on = { completed = \"bye\", busy = \"bye\", no_answer = \"bye\", failed = \"bye\", declined = \"bye\" }\n\
        [states.asked]\ntype = \"menu\"\nprompt = \"Your PIN, or somebody else?\"\n\
        keys = { 1 = \"pin\", 2 = \"other\", 3 = \"again\" }\non = { no_input = \"back\", no_match = \"back\" }\n\
        [states.pin]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"PIN?\"\n\
        on = { ok = \"back\", failed = \"back\", locked = \"back\" }\n[states.back]\ntype = \"return\"\n\
        [states.other]\ntype = \"transfer\"\nto = { number = \"+15005550042\" }\n\
        on = { completed = \"bye\", busy = \"bye\", no_answer = \"bye\", failed = \"bye\", declined = \"bye\" }\n\
        [states.again]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
        on = { found = \"prove\", unknown = \"prove\" }\n\
        [states.prove]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"PIN?\"\n\
        on = { ok = \"asked\", failed = \"asked\", locked = \"asked\" }\n\
        [states.bye]\ntype = \"hangup\"\n";
    for (keys, result, shared) in [
        (&[][..], Proving::Pending, 0),
        (&["1", PIN], Proving::Passed, 1),
        (&["1", "111222", "111222", "111222"], Proving::Failed, 0),
        (&["2"], Proving::Failed, 0),
        // Who is somebody else now, and proves that, is nobody of whom this specialist knows.
        (&["3", OTHER, PIN], Proving::Failed, 0),
    ] {
        let office = Office::fresh(flow, &two());
        let mut line = office.ring("CA1").await;
        line.key(ACCOUNT).await;
        let asked = office.exchange.ask_step_up(line.call, &"known".into(), "desk").await;
        assert_eq!(asked.unwrap().unwrap().0, Asking::New);
        line.ask(Wants::Resume(LegId::INBOUND), "").await;
        for key in keys {
            line.key(key).await;
        }
        let call = office.exchange.load(line.call).await.unwrap().unwrap().call.clone();
        assert_eq!(call.agent_step_up.unwrap().result, result, "{keys:?}");
        let seen = office.exchange.seen_by_agent(line.call).await.unwrap().unwrap();
        assert_eq!(seen.shared.len(), shared, "{keys:?}");
    }
}

/// A code from the web that was got for one purpose opens nothing that asks for another, or for none.
#[tokio::test]
async fn t27_a_code_for_a_purpose_opens_nothing_without_it() {
    let flow = |purpose: &str| {
        format!(
            "name = \"desk\"\nstart = \"who\"\n[levels]\nl = {{ any = [\"service_code\"] }}\n\
             [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
             on = {{ found = \"web\", unknown = \"web\" }}\n\
             [states.web]\ntype = \"gather_service_code\"\n{purpose}prompt = \"The code?\"\n\
             on = {{ ok = \"bye\", failed = \"bye\", locked = \"bye\" }}\n[states.bye]\ntype = \"hangup\"\n"
        )
    };
    for (issued, asked, opens) in [
        (None, "", true),
        (None, "purpose = \"card\"\n", true),
        (Some("card"), "purpose = \"card\"\n", true),
        (Some("card"), "purpose = \"address\"\n", false),
        (Some("card"), "", false),
    ] {
        let office = Office::fresh(&flow(asked), &account(ACCOUNT, "2024-01-01"));
        let (account, ttl) = (Secret::new(ACCOUNT), Duration::from_mins(5));
        let purpose = issued.map(str::to_owned);
        let code = office.exchange.issue_service_code(&account, WebLevel::Aal2, purpose, ttl);
        let code = code.await.unwrap().unwrap().code;
        let mut line = office.ring_to_pin("CA1").await;
        line.key(code.expose()).await;
        // The facts of a call that is over are gone with it, and its journal says what was proved.
        let journal = office.exchange.journal(line.call).await.unwrap();
        let proved = journal.iter().any(|entry| entry.proved.contains(&Fact::ServiceCode));
        assert_eq!(proved, opens, "got for {issued:?}, asked `{asked}`");
    }
}

/// The journal keeps what a turn was answered, but no code.
#[tokio::test]
async fn no_answer_in_a_journal_has_a_code_in_it() {
    let office = Office::fresh(DESK, &account(ACCOUNT, "2024-01-01"));
    let mut line = office.ring_to_menu("CA1").await;
    line.key("1").await;
    let sent = office.code(line.call).await;
    line.key(&sent).await;
    line.key("2").await;
    let spoken = line.spoken_code();
    let journal = office.exchange.journal(line.call).await.unwrap();
    let answers = journal.iter().flat_map(|entry| &entry.answers);
    let texts: Vec<_> = answers.map(|answer| serde_json::to_string(answer).unwrap()).collect();
    assert_eq!(texts.iter().filter(|text| text.contains("000000")).count(), 2, "{texts:?}");
    for code in [sent, spoken] {
        assert!(!texts.iter().any(|text| text.contains(&format!("\"{code}\""))), "{texts:?}");
    }
}

/// Beyond the accounts that a call or a number may claim, nothing that a caller does counts on one: no PIN, be it the right
/// one, no message, no ring, nor the place of a call that is proving it.
#[tokio::test]
async fn t61_who_claims_account_after_account_uses_up_nobodys() {
    let policy = Policy::default();
    let [of_call, of_number] = [
        usize::from(policy.shared.identifications_per_call),
        usize::try_from(policy.shared.accounts_per_ani_h).unwrap(),
    ];
    for (from, claimed_before, by_call) in
        [(None, of_call, true), (Some("+15005550777"), of_number, false)]
    {
        let office = counter();
        let nobody = |n: usize| format!("9000000{n}");
        if !by_call {
            for n in 0..claimed_before {
                office.ring_from(&format!("CN{n}"), from).await.key(&nobody(n)).await;
            }
        }
        let mut heard = Vec::new();
        for n in 0..=policy.shared.accounts_per_secret_day {
            let mut line = office.ring_from(&format!("CA{n}"), from).await;
            if by_call {
                for n in 0..claimed_before {
                    line.key(&nobody(n)).await;
                    line.key("8").await;
                }
            }
            // The last one is nobody's, and sounds the same.
            let id = if n < policy.shared.accounts_per_secret_day { OTHER } else { "90000009" };
            let mut said = Vec::new();
            for keys in [id, "4", PIN, "4", "111222", "1", "0"] {
                line.key(keys).await;
                said.push(line.spoken().replace(|c: char| c.is_ascii_digit(), ""));
            }
            heard.push((said, office.looked_at(line.call).await));
            office.outbox.drain().await.unwrap();
        }
        assert!(heard.iter().all(|one| one == &heard[0]), "{heard:?}");
        assert_eq!(office.world.take_outgoing().len(), 0);

        let mut owner = office.ring_from("CB1", Some("+15005550888")).await;
        for keys in [OTHER, "4", PIN, "1", "0"] {
            owner.key(keys).await;
        }
        assert_eq!(office.facts(owner.call).await, [Fact::Pin], "{from:?}");
        office.outbox.drain().await.unwrap();
        let outgoing = office.world.take_outgoing();
        assert_eq!(outgoing.len(), 2, "a message and a ring: {outgoing:?}");
    }
}
