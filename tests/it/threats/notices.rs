//! Owners who are told: of guesses at their account, and of what others were let do in their name.

use std::sync::Arc;

use callgate::audit::Deed;
use callgate::engine::policy::Policy;
use callgate::exchange::unlock::By;
use callgate::flow::level::Fact;
use callgate::replay::world::Outgoing;
use callgate::secret::Secret;
use callgate::store;
use callgate::store::Store;
use callgate::store::memory::MemoryStore;
use tokio::task::JoinSet;

use super::office::{ACCOUNT, DESK, MOBILE, Office, PIN, account};
use crate::support::redis::RedisServer;

const ADDRESS: &str = "ada@example.com";

/// The account, with a mail address of long standing.
fn with_mail() -> String {
    let mail = format!("email = {{ address = \"{ADDRESS}\", since = \"2024-01-01\" }}\n");
    account(ACCOUNT, "2024-01-01").replace("phones =", &format!("{mail}phones ="))
}

/// What was sent since the last time: to whom, and the words.
async fn sent(office: &Office) -> Vec<(String, String)> {
    office.outbox.drain().await.unwrap();
    let message = |one| match one {
        Outgoing::SendSms { to, body, .. } => Some((to.as_e164().into(), body.expose().into())),
        Outgoing::SendEmail { email, .. } => {
            Some((email.to.expose().into(), email.body.expose().into()))
        }
        _ => None,
    };
    office.world.take_outgoing().into_iter().filter_map(message).collect()
}

/// Calls that choose a message from the menu, one each.
async fn ask_for_messages(office: &Office, calls: u32) {
    for n in 0..calls {
        let mut line = office.ring(&format!("CA{n}")).await;
        line.key(ACCOUNT).await;
        line.key("1").await;
    }
}

/// Calls that choose the PIN and guess at it until it is locked: what is sent then.
async fn told_of_guesses(office: &Office) -> Vec<(String, String)> {
    for n in 0..office.exchange.policy().pin.soft_limit {
        let mut line = office.ring(&format!("CB{n}")).await;
        line.key(ACCOUNT).await;
        line.key("2").await;
        line.key(&format!("{:06}", 700_000 + n)).await;
    }
    sent(office).await
}

/// Fifty calls guess at once; the owner is told once, and by mail, for the telephone is attacked.
async fn told_once(store: Arc<dyn Store>) {
    let office = Arc::new(Office::with(store, DESK, &with_mail()));
    let mut ready = Vec::new();
    for n in 0..50 {
        let mut line = office.ring_from(&format!("CA{n}"), None).await;
        line.key(ACCOUNT).await;
        ready.push((line, format!("{:06}", 500_000 + n)));
    }
    let mut guesses = JoinSet::new();
    for (mut line, guess) in ready {
        guesses.spawn(async move { line.key(&guess).await });
    }
    guesses.join_all().await;
    let told = sent(&office).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, ADDRESS);
    assert!(told[0].1.contains("tried to pass for you"), "{told:?}");
    assert!(!told[0].1.contains(ACCOUNT) && !told[0].1.contains(PIN));
    // A day later it is another burst.
    office.clock.advance(std::time::Duration::from_hours(25));
    for n in 0..5 {
        let mut line = office.ring_to_pin(&format!("CB{n}")).await;
        line.key(&format!("{:06}", 600_000 + n)).await;
    }
    assert_eq!(sent(&office).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t66_a_burst_is_told_the_owner_once_on_redis() {
    let redis = RedisServer::start();
    told_once(store::open(&redis.url()).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t66_a_burst_is_told_the_owner_once_on_redb() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("embedded:{}", folder.path().join("s.redb").display());
    told_once(store::open(&url).await.unwrap()).await;
}

/// Wrong codes: whoever guesses at messages may read them, so nothing goes to that telephone.
#[tokio::test]
async fn t66_nothing_is_told_over_the_channel_under_attack() {
    for (accounts, told) in
        [(with_mail(), vec![ADDRESS]), (account(ACCOUNT, "2024-01-01"), Vec::new())]
    {
        let office = Office::fresh(DESK, &accounts);
        for n in 0..2 {
            let mut line = office.ring_to_menu(&format!("CA{n}")).await;
            line.key("1").await;
            for wrong in ["000000", "000001", "000002"] {
                line.key(wrong).await;
            }
            office.clock.advance(std::time::Duration::from_mins(3));
        }
        let sent = sent(&office).await;
        let codes: Vec<_> = sent.iter().filter(|(to, _)| to == MOBILE).collect();
        assert!(codes.iter().all(|(_, words)| words.contains("Key in")), "{codes:?}");
        let others: Vec<_> = sent.iter().filter(|(to, _)| to != MOBILE).collect();
        assert_eq!(others.iter().map(|(to, _)| to.as_str()).collect::<Vec<_>>(), told);
    }
}

/// A lock that an operator lifted, perhaps for somebody who only said that they are the owner: who uses it
/// is told of, the right PIN or not, and the audit says that they were.
#[tokio::test]
async fn t66_who_uses_a_lifted_lock_is_told_of() {
    let office = Office::fresh(DESK, &with_mail());
    for n in 0..2 {
        let mut line = office.ring_to_pin(&format!("CA{n}")).await;
        for wrong in ["111222", "111223", "111224"] {
            line.key(wrong).await;
        }
    }
    assert_eq!(sent(&office).await.len(), 1, "the lock");
    let account = Secret::new(ACCOUNT);
    office.exchange.unlock(&account, Some(Fact::Pin), By::CommandLine).await.unwrap().unwrap();
    assert_eq!(sent(&office).await, []);
    let line = office.ring_to_menu("CB").await;
    assert_eq!(office.facts(line.call).await, [Fact::Pin]);
    let told = sent(&office).await;
    assert_eq!(told.len(), 1);
    assert!(told[0].0 == ADDRESS && told[0].1.contains("was lifted"), "{told:?}");
    let journal = office.exchange.journal(line.call).await.unwrap();
    let audited = journal.iter().flat_map(|entry| &entry.audit).any(|entry| {
        entry.deed == Deed::Notified { of: "lifted".into(), over: Some("email".into()) }
    });
    assert!(audited);
    office.ring_to_menu("CC").await;
    assert_eq!(sent(&office).await, [], "once");
}

/// Who has mail after mail sent has used up what may be sent that way, and guesses then: it is told all
/// the same.
#[tokio::test]
async fn t66_a_spent_budget_of_mails_keeps_nothing_from_the_owner() {
    let flow = DESK.replace(
        "{ found = \"pin\", unknown = \"pin\" }",
        "{ found = \"ways\", unknown = \"ways\" }",
    ) + "\n[states.ways]\ntype = \"menu\"\nprompt = \"For a mail press 1. For your PIN press 2.\"\n\
           keys = { 1 = \"mail\", 2 = \"pin\" }\non = { no_input = \"bye\", no_match = \"bye\" }\n\
           [states.mail]\ntype = \"send_email_otp\"\naccept = [\"enumeration\"]\n\
           on = { sent = \"code\", unavailable = \"bye\", limited = \"bye\" }\n";
    let office = Office::fresh(&flow, &with_mail());
    let budget = office.exchange.policy().otp.sends_per_10min;
    ask_for_messages(&office, budget).await;
    assert_eq!(sent(&office).await.len(), usize::try_from(budget).unwrap());
    let told = told_of_guesses(&office).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].0 == ADDRESS && told[0].1.contains("tried to pass for you"), "{told:?}");
}

/// Who has had every message sent that may be, to the telephone, and guesses then: the owner, who has no
/// mail address, is told all the same.
#[tokio::test]
async fn t66_spent_budgets_of_messages_keep_nothing_from_the_owner() {
    let flow = DESK.replace(
        "{ found = \"pin\", unknown = \"pin\" }",
        "{ found = \"ways\", unknown = \"ways\" }",
    ) + "\n[states.ways]\ntype = \"menu\"\nprompt = \"For a message press 1. For your PIN press 2.\"\n\
           keys = { 1 = \"message\", 2 = \"pin\" }\non = { no_input = \"bye\", no_match = \"bye\" }\n\
           [states.message]\ntype = \"send_sms_otp\"\naccept = [\"enumeration\"]\n\
           on = { sent = \"code\", unavailable = \"bye\", limited = \"bye\" }\n";
    let office = Office::fresh(&flow, &account(ACCOUNT, "2024-01-01"));
    let budget = office.exchange.policy().otp.sends_per_10min;
    ask_for_messages(&office, budget + 1).await;
    assert_eq!(sent(&office).await.len(), usize::try_from(budget).unwrap(), "there is none left");
    let told = told_of_guesses(&office).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].0 == MOBILE && told[0].1.contains("tried to pass for you"), "{told:?}");
}

/// Where no mail is sent, an owner with an address on file is told by message.
#[tokio::test]
async fn a_house_that_sends_no_mail_tells_the_owner_by_message() {
    let mut policy = Policy::default();
    policy.notices.by_mail = false;
    policy.shared.parallel_auth_sessions_per_account = u32::MAX;
    let office = Office::under(policy, Arc::new(MemoryStore::new()), DESK, &with_mail());
    let soft_limit = office.exchange.policy().pin.soft_limit;
    for n in 0..soft_limit {
        let mut line = office.ring_to_pin(&format!("CA{n}")).await;
        line.key(&format!("{:06}", 700_000 + n)).await;
    }
    let told: Vec<_> = sent(&office).await.into_iter().map(|(to, _)| to).collect();
    assert_eq!(told, [MOBILE]);
}

/// Somebody who is let in as one customer, and then as another: both owners are told.
#[tokio::test]
async fn t66_every_owner_is_told_whoever_was_told_before_in_the_call() {
    let flow = "name = \"desk\"\nstart = \"who\"\n[levels]\nknown = { any = [\"pin\"] }\n\
        [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
        on = { found = \"pin\", unknown = \"pin\" }\n\
        [states.pin]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"PIN?\"\n\
        on = { ok = \"act\", failed = \"bye\", locked = \"bye\" }\n\
        [states.act]\ntype = \"say\"\nrequires = \"known\"\nnotify = true\nprompt = \"It is done.\"\n\
        on = { denied = \"bye\" }\nnext = \"who\"\n[states.bye]\ntype = \"hangup\"\n";
    let second = with_mail().replace(ACCOUNT, "73195529").replace(ADDRESS, "bea@example.com");
    let office =
        Office::fresh(flow, &format!("{}{}", with_mail(), second.replace(MOBILE, "+15005550012")));
    let mut line = office.ring("CA1").await;
    for claimed in [ACCOUNT, "73195529"] {
        line.key(claimed).await;
        line.key(PIN).await;
        assert!(line.spoken().starts_with("It is done."), "{}", line.spoken());
    }
    // Which mail goes first nobody promises.
    let mut told: Vec<_> = sent(&office).await.into_iter().map(|(to, _)| to).collect();
    told.sort();
    assert_eq!(told, [ADDRESS, "bea@example.com"]);
}

/// Whoever holds the telephone that proved it may not be its owner: what was done is told over another, or not at all.
#[tokio::test]
async fn what_was_done_is_told_over_nothing_that_proved_it() {
    let by_text = DESK.replacen("requires", "notify = true\nrequires", 1);
    let by_mail = by_text.replace("sms_otp", "email_otp");
    let one = account(ACCOUNT, "2024-01-01");
    let second = "+15005550012";
    let two = one.replace(
        "\" }]",
        &format!("\" }}, {{ number = \"{second}\", line = \"mobile\", since = \"2024-01-01\" }}]"),
    );
    for (flow, accounts, told) in [
        (&by_text, one, vec![]),
        (&by_text, two, vec![second]),
        (&by_text, with_mail(), vec![ADDRESS]),
        (&by_mail, with_mail(), vec![MOBILE]),
    ] {
        let office = Office::fresh(flow, &accounts);
        let mut line = office.ring_to_menu("CA1").await;
        line.key("1").await;
        let code = office.code(line.call).await;
        office.world.take_outgoing();
        line.key(&code).await;
        assert!(line.spoken().starts_with("Your balance"), "{}", line.spoken());
        line.key("1").await;
        assert!(line.spoken().starts_with("Your balance"), "{}", line.spoken());
        let sent = sent(&office).await;
        let to: Vec<_> = sent.iter().map(|(to, _)| to.as_str()).collect();
        assert_eq!(to, told, "once a call");
    }
}
