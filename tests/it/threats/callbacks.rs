//! The leg that callgate places: whoever answers it has proved nothing by answering.

use callgate::engine::event::{AnsweredBy, Heard};
use callgate::engine::id::Sid;
use callgate::engine::reply::Verb;
use callgate::exchange::{Request, Served, Wants};
use callgate::flow::level::Fact;
use callgate::replay::world::Outgoing;

use super::office::{ACCOUNT, DESK, Line, MOBILE, Office, account, other_than};
use crate::support::eventually::eventually;
use crate::support::house::{self, House};
use crate::support::provider::{Answer, Provider, Request as Sent};
use crate::support::redis::RedisServer;
use crate::support::telephone::{Telephone, digits};

fn office() -> Office {
    Office::fresh(DESK, &account(ACCOUNT, "2024-01-01"))
}

/// A caller who waits for the ring, and the code that they were told.
async fn ring_back(office: &Office, sid: &str) -> (Line, String) {
    let mut line = office.ring_to_menu(sid).await;
    line.key("2").await;
    let code = line.spoken_code();
    (line, code)
}

async fn is_proved(office: &Office, line: &Line) -> bool {
    office.facts(line.call).await.contains(&Fact::Callback)
}

#[tokio::test]
async fn t21_a_telephone_that_was_forwarded_knows_no_code() {
    let office = office();
    let (line, code) = ring_back(&office, "CA1").await;
    let mut leg = office.answer(line.call, AnsweredBy::Human).await;
    assert!(!leg.spoken().contains(&code));
    for guess in ["", "1", &other_than(&code), ""] {
        if leg.reply.verbs.iter().any(|verb| matches!(verb, Verb::Gather(_))) {
            leg.key(guess).await;
        }
    }
    assert!(!is_proved(&office, &line).await);
}

#[tokio::test]
async fn t22_tones_of_a_mailbox_are_no_code() {
    let keys = "1234567890*#";
    let mut greetings: Vec<String> = keys.chars().map(String::from).collect();
    greetings
        .extend(["1#", "0123456789", "1111111111111111", "123456", "0000000"].map(String::from));
    for (n, greeting) in greetings.iter().enumerate() {
        // An office each: a number on file is rung three times an hour.
        let office = office();
        let (line, code) = ring_back(&office, &format!("CA{n}")).await;
        assert_ne!(*greeting, code, "one in a million");
        let mut leg = office.answer(line.call, AnsweredBy::Unknown).await;
        while leg.reply.verbs.iter().any(|verb| matches!(verb, Verb::Gather(_))) {
            leg.key(greeting).await;
        }
        assert!(!is_proved(&office, &line).await, "{greeting}");
        let (looked_at, _) = office.looked_at(line.call).await;
        assert!(looked_at <= 1 + 3, "the PIN, and at most three tries");
    }
}

#[tokio::test]
async fn t23_whoever_answers_the_code_is_the_proof() {
    for (who, is_asked) in [
        (AnsweredBy::Human, true),
        (AnsweredBy::Unknown, true),
        (AnsweredBy::Machine, false),
        (AnsweredBy::Fax, false),
    ] {
        let office = office();
        let (line, _) = ring_back(&office, "CA1").await;
        let leg = office.answer(line.call, who).await;
        let asks = leg.reply.verbs.iter().any(|verb| matches!(verb, Verb::Gather(_)));
        assert_eq!(asks, is_asked, "{who:?}");
        assert!(!is_proved(&office, &line).await, "{who:?}");
        if !is_asked {
            assert_eq!(leg.spoken(), "", "a mailbox records nothing");
        }
    }
}

/// Each word that the provider has for who answered, and some that it has not: of all of them none proves
/// anything, and what follows the code does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t23_each_of_the_providers_words_is_known_and_none_is_a_proof() {
    let words = [
        ("human", true),
        ("unknown", true),
        ("machine_start", false),
        ("machine_end_beep", false),
        ("machine_end_silence", false),
        ("machine_end_other", false),
        ("fax", false),
        // None of its words: like one that does not know.
        ("", true),
        ("Human", true),
        (" human", true),
        ("answered", true),
        ("person", true),
        ("machine_end_sometime", false),
    ];
    let provider = Provider::start();
    let mut house = House::set_up("memory:", &provider.api_base());
    let path = house.folder.path().join("accounts.toml");
    let one = std::fs::read_to_string(&path).unwrap();
    let id = |n: usize| format!("{}", 81_000_000 + n);
    let mobile = |n: usize| format!("+1500555{:04}", 100 + n);
    let all = (0..words.len())
        .map(|n| one.replace(house::ACCOUNT, &id(n)).replace(house::MOBILE, &mobile(n)));
    std::fs::write(&path, all.collect::<String>()).unwrap();
    house.restart();
    for (n, (word, is_asked)) in words.into_iter().enumerate() {
        let mut phone = Telephone::new(&format!("CA{:032x}", 0x2300 + n), "");
        phone.ring(&house).await;
        for entry in [&*id(n), house::PIN, "2"] {
            phone.key(&house, entry).await;
        }
        let code = digits(&phone.spoken())[..6].to_owned();
        let (url, sid) = eventually("the number on file is rung", || {
            let asked = provider.requests().into_iter().rev();
            let mut rings = asked.filter(|asked| asked.path.ends_with("/Calls.json"));
            let ring = rings.find(|asked| asked.field("To") == Some(&mobile(n)))?;
            let placed = provider.calls().into_iter().rfind(|placed| placed.to == mobile(n))?;
            Some((ring.field("Url")?.strip_prefix(house::PUBLIC_URL)?.to_owned(), placed.sid))
        });
        let mut leg = Telephone::rung(&sid, &mobile(n));
        leg.post(&house, &url, &[("CallStatus", "in-progress"), ("AnsweredBy", word)]).await;
        assert_eq!(leg.hears("Gather"), is_asked, "`{word}`: {:?}", leg.heard);
        let call = phone.action().split('/').nth(3).unwrap().to_owned();
        let proved = async || {
            let call = house.ask(&format!("/api/calls/{call}")).await;
            call["facts"].as_array().unwrap().len()
        };
        assert_eq!(proved().await, 1, "`{word}`: the PIN alone");
        if is_asked {
            leg.key(&house, &other_than(&code)).await;
            assert_eq!(proved().await, 1, "`{word}`: nor is it a code");
            leg.key(&house, &code).await;
            assert_eq!(proved().await, 2, "`{word}`: the code is");
        } else {
            assert_eq!(leg.spoken(), "", "`{word}`: a mailbox records nothing");
        }
    }
}

#[tokio::test]
async fn t24_another_leg_than_the_one_placed_is_nobody() {
    let office = office();
    let (line, code) = ring_back(&office, "CA1").await;
    office.outbox.drain().await.unwrap();
    let placed = office.world.last_placed(line.call).unwrap();
    // The nonce of the leg, on a leg of another name: the inbound one's, and a stranger's.
    for sid in [line.sid.clone(), Sid("CA99".into())] {
        for digits in ["", &code] {
            let request = Request {
                call: line.call,
                sid: sid.clone(),
                wants: Wants::Turn(placed.place.nonce),
                heard: Heard { digits: callgate::secret::Secret::new(digits), ..Heard::default() },
                fallback_number: None,
            };
            let (_, served) = office.exchange.serve(&request).await.unwrap();
            assert!(!matches!(served, Served::Turn), "{sid:?}");
        }
    }
    // The code on the leg on which it was spoken is worth nothing either.
    let mut own = line;
    own.key(&code).await;
    assert!(!is_proved(&office, &own).await);
    let mut leg = office.answer(own.call, AnsweredBy::Human).await;
    leg.key(&code).await;
    assert!(is_proved(&office, &own).await, "on the leg that was placed it is right");
}

/// Two customers have one telephone, and both are rung there within a second; of the first ring the provider's
/// answer is lost, and so is what it says when it is asked. The list of its calls bears no mark of ours: each
/// call still gets its own ring and no other, and nobody is rung twice.
async fn two_rings_of_one_number(store: &str, lost: Answer, was_placed: bool) {
    let provider = Provider::start();
    provider.go_by_the_clock();
    let mut house = House::set_up(store, &provider.api_base());
    let path = house.folder.path().join("accounts.toml");
    let one = std::fs::read_to_string(&path).unwrap();
    let ids = ["81000000", "81000001"];
    let both = ids.map(|id| one.replace(house::ACCOUNT, id)).concat();
    std::fs::write(path, both).unwrap();
    house.restart();
    let mut phones = Vec::new();
    for (n, id) in ids.into_iter().enumerate() {
        let mut phone = Telephone::new(&format!("CA{:032x}", 0x2400 + n), "");
        phone.ring(&house).await;
        phone.key(&house, id).await;
        phone.key(&house, house::PIN).await;
        phones.push(phone);
    }
    let call_of = |phone: &Telephone| phone.action().split('/').nth(3).unwrap().to_owned();
    let calls: Vec<_> = phones.iter().map(call_of).collect();
    let of = |url: &str| calls.iter().position(|call| url.contains(call)).unwrap();
    provider.next_to("/Calls.json", lost);
    provider.next(Answer::Error { status: 503, code: None });
    let is_ring = |asked: &Sent| asked.method == "POST" && asked.form.len() > 2;
    let mut codes = Vec::new();
    for phone in &mut phones {
        phone.key(&house, "2").await;
        codes.push(digits(&phone.spoken())[..6].to_owned());
        // The second is asked for when the first was tried, and before it is tried again.
        eventually("the first to be tried", || {
            provider.look(|asked, _| asked.iter().any(is_ring)).then_some(())
        });
    }
    let placed = eventually("both are rung", || {
        let asked = provider.requests();
        // The first request was carried out, or came again.
        let rings = asked.iter().filter(|asked| is_ring(asked)).skip(usize::from(!was_placed));
        let urls: Vec<_> = rings.map(|ring| ring.field("Url").unwrap().to_owned()).collect();
        let sids: Vec<_> = provider.calls().into_iter().map(|placed| placed.sid).collect();
        (sids.len() >= 2 && urls.len() == sids.len()).then(|| urls.into_iter().zip(sids))
    });
    let asked = provider.requests();
    let rings: Vec<_> = asked.iter().enumerate().filter(|(_, asked)| is_ring(asked)).collect();
    let order: Vec<_> = rings.iter().map(|(_, ring)| of(ring.field("Url").unwrap())).collect();
    assert_eq!(order, if was_placed { &[0, 1][..] } else { &[0, 0, 1] }, "one after the other");
    // Twice it was asked what became of the first, for once nobody said so.
    let between = &asked[rings[0].0..rings[rings.len() - 1].0];
    let looked = between.iter().filter(|asked| asked.method == "GET").count();
    assert!(looked >= 2, "the second waits for the first: {asked:?}");
    for (url, sid) in placed {
        let url = url.strip_prefix(house::PUBLIC_URL).unwrap();
        let nth = of(url);
        let mut leg = Telephone::rung(&sid, house::MOBILE);
        leg.post(&house, url, &[("CallStatus", "in-progress"), ("AnsweredBy", "human")]).await;
        assert!(leg.hears("Gather"), "the ring of call {nth} is its own: {:?}", leg.heard);
        leg.key(&house, &codes[nth]).await;
        let call = house.ask(&format!("/api/calls/{}", calls[nth])).await;
        assert_eq!(call["facts"].as_array().unwrap().len(), 2, "{call}");
    }
    assert_eq!(provider.calls().len(), 2, "nobody is rung twice");
}

fn unreadable() -> Answer {
    Answer::Raw { status: 201, body: b"{}".to_vec() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t24_a_ring_whose_answer_was_lost_is_found_and_not_taken_for_another_on_redb() {
    two_rings_of_one_number("embedded:calls.redb", Answer::Drop, true).await;
    two_rings_of_one_number("embedded:calls.redb", unreadable(), false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t24_a_ring_whose_answer_was_lost_is_found_and_not_taken_for_another_on_redis() {
    for (lost, was_placed) in [(Answer::Drop, true), (unreadable(), false)] {
        let redis = RedisServer::start();
        two_rings_of_one_number(&redis.url(), lost, was_placed).await;
    }
}

#[tokio::test]
async fn t60_premium_and_foreign_numbers_are_neither_rung_nor_written_to() {
    for number in [
        "+19005550123",
        "+18885550123",
        "+442079460000",
        "+449098790000",
        "+882165550000",
        "+8835100000001",
        "+23276123456",
        "+17675550123",
    ] {
        let accounts = account(ACCOUNT, "2024-01-01").replace(MOBILE, number);
        let office = Office::fresh(DESK, &accounts);
        for key in ["1", "2"] {
            let mut line = office.ring_to_menu(&format!("CA{key}")).await;
            line.key(key).await;
            office.outbox.drain().await.unwrap();
            assert_eq!(office.world.take_outgoing().len(), 0, "{number}, {key}");
        }
    }
    // However long it lasts, the ring itself is bounded.
    let office = office();
    let (line, _) = ring_back(&office, "CA1").await;
    office.outbox.drain().await.unwrap();
    assert!(office.world.last_placed(line.call).unwrap().place.ring_s <= 60);
    assert!(matches!(office.world.take_outgoing().as_slice(), [Outgoing::PlaceCall { .. }]));
}

/// Somebody who rings the customer and says to be the business learns nothing from callgate, and the
/// customer hears no code from it: the code is spoken to the caller alone.
#[tokio::test]
async fn t72_the_leg_placed_says_the_name_and_asks() {
    let office = office();
    let (line, code) = ring_back(&office, "CA1").await;
    let leg = office.answer(line.call, AnsweredBy::Human).await;
    assert!(leg.spoken().starts_with("Acme Bank."), "{}", leg.spoken());
    for told in ["Ada", ACCOUNT, &code, &MOBILE[8..], "balance", "card"] {
        assert!(!leg.spoken().contains(told), "{told}: {}", leg.spoken());
    }
    assert!(!leg.reply.speaks_code());
}
