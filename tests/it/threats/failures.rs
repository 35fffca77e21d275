//! The provider fails, and nothing comes of it but that.

use std::time::Duration;

use callgate::engine::reply::Verb;
use callgate::flow::level::Fact;
use callgate::replay::world::Refusal;

use super::callers::every_state;
use super::guesses::claims;
use super::office::{ACCOUNT, DESK, Office, account};
use crate::support::house::{self, House};
use crate::support::provider::{Answer as Faulty, Provider};
use crate::support::telephone::Telephone;

/// Whatever the provider refuses, the way on is no shorter.
#[tokio::test]
async fn t35_no_failure_of_the_provider_leads_to_what_is_protected() {
    for refused in [None, Some(Refusal::SendSms), Some(Refusal::PlaceCall)] {
        for asks_for in ["1", "2"] {
            let office = Office::fresh(DESK, &account(ACCOUNT, "2024-01-01"));
            office.world.refuse(refused);
            let mut line = office.ring_to_menu("CA1").await;
            line.key(asks_for).await;
            for _ in 0..12 {
                office.outbox.drain().await.unwrap();
                office.clock.advance(Duration::from_secs(20));
                let goes_on = line
                    .reply
                    .verbs
                    .iter()
                    .any(|verb| matches!(verb, Verb::Gather(_) | Verb::Redirect(_)));
                if !goes_on {
                    break;
                }
                line.key("").await;
                assert!(!line.spoken().contains("1,234 dollars"), "{refused:?}");
                let connects = |verb: &Verb| matches!(verb, Verb::Dial(_) | Verb::Enqueue(_));
                assert!(!line.reply.verbs.iter().any(connects), "{refused:?}, {asks_for}");
            }
            assert_eq!(office.facts(line.call).await, [Fact::Pin], "{refused:?}, {asks_for}");
        }
    }
}

/// Every way, while whatever it asks the provider for is refused: in no state is anything proved by that.
#[tokio::test]
async fn t35_a_refused_message_mail_or_ring_proves_nothing_in_any_state() {
    let mail = "email = { address = \"ada@example.com\", since = \"2024-01-01\" }\nphones =";
    let accounts = account(ACCOUNT, "2024-01-01").replace("phones =", mail);
    for refused in [Refusal::SendSms, Refusal::SendEmail, Refusal::PlaceCall] {
        let office = Office::fresh(&every_state(), &accounts);
        office.world.refuse(Some(refused));
        for (n, key) in ["2", "5", "7"].into_iter().enumerate() {
            let mut line = claims(&office, &format!("CA{n}")).await;
            line.key(key).await;
            // Into the balance, the transfer and the link, whatever became of the way.
            for entry in ["", "000000", "4", "", "8", "9", "4"] {
                office.outbox.drain().await.unwrap();
                let goes_on = |verb: &Verb| matches!(verb, Verb::Gather(_) | Verb::Redirect(_));
                if !line.reply.verbs.iter().any(goes_on) {
                    break;
                }
                office.clock.advance(Duration::from_secs(20));
                line.key(entry).await;
                assert!(!line.spoken().contains("1,234 dollars"), "{refused:?}, {key}");
                let connects = |verb: &Verb| matches!(verb, Verb::Dial(_) | Verb::Enqueue(_));
                assert!(!line.reply.verbs.iter().any(connects), "{refused:?}, {key}");
            }
            assert_eq!(office.facts(line.call).await, [], "{refused:?}, {key}");
        }
        let sent = office.world.take_outgoing();
        assert!(sent.iter().any(|one| format!("{one:?}").contains("refused: true")));
    }
}

/// The provider over its wire: it falls silent, hangs up, answers nonsense and errors, at the first request of
/// a call and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t35_no_time_out_or_error_of_the_provider_leads_to_what_is_protected() {
    let raw = |status| Faulty::Raw { status, body: b"{\"sid\": 7".to_vec() };
    let faults = [
        Faulty::Hang,
        Faulty::Drop,
        Faulty::Error { status: 500, code: None },
        Faulty::Error { status: 400, code: Some(21_211) },
        Faulty::Error { status: 401, code: Some(20_003) },
        Faulty::TooMany { retry_after: Some("1".into()) },
        Faulty::TooMany { retry_after: None },
        raw(200),
        raw(201),
        Faulty::Redirect("http://127.0.0.1:9/".into()),
    ];
    for asks_for in ["1", "2"] {
        for fault in &faults {
            // One of its own each: a silent provider keeps a place of the outbox.
            let provider = Provider::start();
            let house = House::start("memory:", &provider.api_base());
            for _ in 0..20 {
                provider.next(fault.clone());
            }
            let mut phone = Telephone::new("CA00000000000000000000000000000035", "");
            phone.ring(&house).await;
            for entry in [house::ACCOUNT, house::PIN, asks_for] {
                phone.key(&house, entry).await;
            }
            let call = phone.action().split('/').nth(3).unwrap().to_owned();
            provider.wait_for(1);
            for entry in ["", "000000", "", "000001", "2", "1"] {
                let heard = phone.spoken();
                assert!(!heard.contains("balance is"), "{fault:?}, {asks_for}: {heard}");
                assert!(!phone.hears("Enqueue"), "{fault:?}, {asks_for}");
                if phone.hears("Hangup") || phone.hears("Dial") {
                    break;
                }
                phone.key(&house, entry).await;
            }
            let call = house.ask(&format!("/api/calls/{call}")).await;
            let facts = call["facts"].as_array().unwrap();
            assert!(facts.len() == 1 && facts[0]["fact"] == "pin", "{fault:?}: {facts:?}");
        }
    }
}
