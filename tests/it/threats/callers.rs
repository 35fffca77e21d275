//! Whoever calls: a number shown proves nothing, and what a network says of it raises demands alone.

use std::collections::BTreeSet;

use callgate::engine::call::Caller;
use callgate::engine::risk;
use callgate::flow::condition::Attestation;
use callgate::phone::PhoneNumber;

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
