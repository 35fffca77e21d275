//! Whoever calls: a number shown proves nothing, and what a network says of it raises demands alone.

use std::collections::BTreeSet;
use std::time::Duration;

use callgate::engine::reply::Verb;
use callgate::engine::risk;
use callgate::engine::risk::Caller;
use callgate::flow::condition::Attestation;
use callgate::phone::PhoneNumber;

use super::guesses::SHOP;
use super::office::{ACCOUNT, DESK, MOBILE, Office, PIN, account};
use crate::support::house::House;
use crate::support::provider::Provider;
use crate::support::telephone::Telephone;

/// The desk, which knows callers by their numbers.
fn knows_callers() -> String {
    DESK.replace("by     = [\"digits\"]", "by     = [\"caller_id\", \"digits\"]")
}

#[tokio::test]
async fn t13_the_number_on_file_proves_nothing() {
    let office = Office::fresh(&knows_callers(), &account(ACCOUNT, "2024-01-01"));
    let mut line = office.ring_from("CA1", Some(MOBILE)).await;
    assert_eq!(line.spoken(), "Thanks for calling Acme Bank. Please key in your PIN.");
    // Everything that can be asked for without a PIN: each key, silence, a star.
    for entry in ["1", "", "*"] {
        line.key(entry).await;
        assert_eq!(office.facts(line.call).await, [], "{entry}");
        assert!(!line.spoken().contains("1,234 dollars"), "{}", line.spoken());
    }
    // One who knows the PIN too has proved the PIN, and no possession of the telephone.
    let mut line = office.ring_from("CA2", Some(MOBILE)).await;
    line.key(PIN).await;
    line.key("1").await;
    assert_eq!(line.spoken(), "Key in the six digits we have just sent you.");
}

/// A desk with every way to prove something, and everything that proof opens.
pub(super) fn every_state() -> String {
    SHOP.replace("by = [\"digits\"]\ndigits = 8", "by = [\"caller_id\", \"digits\"]\ndigits = 8")
        .replace(
            "For the balance press 4.",
            "For the balance press 4. For a ring press 5. For a word press 6. For a mail press 7. \
             For a specialist press 8. For a link press 9.",
        )
        .replace(
            "4 = \"balance\" }",
            "4 = \"balance\", 5 = \"ring\", 6 = \"word\", 7 = \"mail\", 8 = \"desk\", 9 = \"link\" }",
        )
        + "[states.ring]\ntype = \"callback\"\naccept = [\"enumeration\"]\n\
           on = { ok = \"how\", failed = \"how\", no_answer = \"how\", unavailable = \"how\", limited = \"how\" }\n\
           [states.word]\ntype = \"gather_passcode\"\ntries = 1\nprompt = \"Word?\"\n\
           on = { ok = \"how\", failed = \"how\", locked = \"how\" }\n\
           [states.mail]\ntype = \"send_email_otp\"\naccept = [\"enumeration\"]\n\
           on = { sent = \"code\", unavailable = \"how\", limited = \"how\" }\n\
           [states.desk]\ntype = \"transfer\"\nrequires = \"owner\"\nto = { number = \"+15005550042\" }\n\
           on = { denied = \"how\", completed = \"bye\", busy = \"bye\", no_answer = \"bye\", failed = \"bye\", declined = \"bye\" }\n\
           [states.link]\ntype = \"send_link\"\nrequires = \"owner\"\nmessage = \"{{ account.balance }} https://bank.example\"\n\
           accept = [\"enumeration\"]\n\
           on = { denied = \"how\", sent = \"how\", unavailable = \"how\", limited = \"how\" }\n"
}

/// With the number on file shown, and best vouched for: into every state, with everything but the secret.
#[tokio::test]
async fn t13_the_number_on_file_opens_no_state() {
    let office = Office::fresh(&every_state(), &account(ACCOUNT, "2024-01-01"));
    let mut states = BTreeSet::new();
    for (n, key) in ('1'..='9').enumerate() {
        for (m, entry) in ["", "*", "#", "1", "111222", "0000000"].into_iter().enumerate() {
            let mut line = office.ring_from(&format!("CA{n}{m}"), Some(MOBILE)).await;
            assert!(line.spoken().starts_with("For a PIN"), "{}", line.spoken());
            line.key(&key.to_string()).await;
            for _ in 0..4 {
                let told = line.spoken();
                assert!(!told.contains("1,234 dollars"), "{key}: {told}");
                let connects = |verb: &Verb| matches!(verb, Verb::Dial(_) | Verb::Enqueue(_));
                assert!(!line.reply.verbs.iter().any(connects), "{key}: {:?}", line.reply);
                assert_eq!(office.facts(line.call).await, [], "{key}, {entry}");
                let carried_on = |verb: &Verb| matches!(verb, Verb::Gather(_) | Verb::Redirect(_));
                if !line.reply.verbs.iter().any(carried_on) {
                    break;
                }
                line.key(entry).await;
            }
            let journal = office.exchange.journal(line.call).await.unwrap();
            let hops = journal.iter().flat_map(|entry| &entry.hops);
            states.extend(hops.map(|hop| hop.at.state.to_string()));
            office.outbox.drain().await.unwrap();
            for one in office.world.take_outgoing() {
                let told = format!("{one:?}");
                assert!(!told.contains("bank.example"), "no link: {told}");
            }
            // No limit is met: each call finds what the first one found.
            office.clock.advance(Duration::from_hours(24 * 40));
        }
    }
    for state in ["pin", "code", "web", "balance", "ring", "word", "mail", "desk", "link"] {
        assert!(states.contains(state), "{state}: {states:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t14_only_the_very_number_on_file_is_that_number() {
    let provider = Provider::start();
    let mut house = House::set_up("embedded:callgate.redb", &provider.api_base());
    std::fs::write(house.folder.path().join("flows/desk.toml"), knows_callers()).unwrap();
    house.restart();
    let local = MOBILE.trim_start_matches("+1");
    let others = [
        String::new(),
        "anonymous".into(),
        "Restricted".into(),
        "+266696687".into(),
        local.into(),
        MOBILE.trim_start_matches('+').into(),
        format!("+999{local}"),
        format!("+99{}", MOBILE.trim_start_matches('+')),
        format!("{MOBILE}0"),
        MOBILE[..11].into(),
        format!(" {MOBILE}"),
        format!("{MOBILE},{MOBILE}"),
        format!("sip:{MOBILE}@evil.example"),
        "*".into(),
    ];
    for (n, from) in others.iter().enumerate() {
        let mut phone = Telephone::new(&format!("CA{n:032}"), from);
        phone.ring(&house).await;
        assert!(phone.spoken().contains("account number"), "`{from}`: {}", phone.spoken());
    }
    let mut phone = Telephone::new("CA00000000000000000000000000000999", MOBILE);
    phone.ring(&house).await;
    assert!(phone.spoken().contains("PIN"), "{}", phone.spoken());
}

/// A flow that says which word of the network it was told.
const VOUCHED: &str = "name = \"desk\"\nstart = \"sorted\"\n\
    [states.sorted]\ntype = \"branch\"\notherwise = \"nothing\"\ncases = [\n\
    { when = { attestation = \"A\" }, next = \"a\" },\n{ when = { attestation = \"B\" }, next = \"b\" },\n\
    { when = { attestation = \"C\" }, next = \"c\" },\n{ when = { attestation = \"relayed\" }, next = \"relayed\" },\n\
    { when = { attestation = \"failed\" }, next = \"failed\" },\n]\n\
    [states.a]\ntype = \"hangup\"\nprompt = \"full\"\n[states.b]\ntype = \"hangup\"\nprompt = \"partial\"\n\
    [states.c]\ntype = \"hangup\"\nprompt = \"gateway\"\n[states.relayed]\ntype = \"hangup\"\nprompt = \"relayed\"\n\
    [states.failed]\ntype = \"hangup\"\nprompt = \"failed\"\n[states.nothing]\ntype = \"hangup\"\nprompt = \"nothing\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t15_each_of_the_networks_words_counts_as_it_is_spelt_and_no_other() {
    let provider = Provider::start();
    let mut house = House::set_up("embedded:callgate.redb", &provider.api_base());
    std::fs::write(house.folder.path().join("flows/desk.toml"), VOUCHED).unwrap();
    house.restart();
    let mut words = vec![
        ("NULL".to_owned(), "nothing"),
        ("No-TN-Validation".to_owned(), "nothing"),
        ("TN-Validation-Failed".to_owned(), "nothing"),
    ];
    for (letter, meant) in [("A", "full"), ("B", "partial"), ("C", "gateway")] {
        words.push((format!("TN-Validation-Passed-{letter}"), meant));
        words.push((format!("TN-Validation-Failed-{letter}"), "failed"));
        for by in ["Diverted", "Passthrough"] {
            words.push((format!("TN-Validation-Passed-{letter}-{by}"), "relayed"));
            words.push((format!("TN-Validation-Failed-{letter}-{by}"), "failed"));
        }
    }
    assert_eq!(words.len(), 21);
    let best = "TN-Validation-Passed-A";
    for mutant in [
        best.to_lowercase(),
        best.to_uppercase(),
        format!(" {best}"),
        format!("{best} "),
        format!("{best}\n"),
        format!("{best},TN-Validation-Failed-A"),
        "TN-Validation-Passed".into(),
        "Passed-A".into(),
        "A".into(),
        format!("{best}-Diverted-Passthrough"),
    ] {
        words.push((mutant, "nothing"));
    }
    for (n, (word, meant)) in words.iter().enumerate() {
        let mut phone = Telephone::new(&format!("CA{n:032}"), MOBILE);
        phone.post(&house, "/twilio/voice", &[("StirVerstat", word)]).await;
        assert_eq!(phone.spoken(), *meant, "`{word}`");
    }
    // Given twice, it is refused before there is a call.
    let twice = [("AccountSid", crate::support::provider::ACCOUNT_SID), ("StirVerstat", best)];
    let twice = [&twice[..], &[("StirVerstat", "TN-Validation-Failed-A")]].concat();
    assert_eq!(house.post("/twilio/voice", &twice).await.0, 400);
}

#[test]
fn t16_a_lesser_signature_is_riskier_than_none() {
    let number = PhoneNumber::parse(MOBILE);
    let of = |attestation| {
        let caller = Caller { number: number.clone(), attestation, forwarded: false };
        risk::band(&caller, &BTreeSet::new())
    };
    for lesser in [Attestation::B, Attestation::C, Attestation::Relayed, Attestation::Failed] {
        assert!(of(lesser) > of(Attestation::None), "{lesser:?}");
    }
    assert_eq!(of(Attestation::A), of(Attestation::None), "and the best lowers nothing");
}
