//! Guessing: in one call, over many, with many factors, on many accounts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use callgate::carrier::signature;
use callgate::engine::eligibility::Fit;
use callgate::engine::event::Heard;
use callgate::engine::policy::{Fuse, Policy};
use callgate::engine::question::Verdict;
use callgate::exchange::guards::{Guarded, Limit};
use callgate::exchange::service_code::WebLevel;
use callgate::flow::level::Fact;
use callgate::secret::Secret;
use callgate::store::memory::MemoryStore;
use futures_util::future::join_all;
use secrecy::SecretString;

use super::office::{ACCOUNT, DESK, Line, Office, PIN, account, boundless, other_than};
use crate::support::house::{self, House, client};
use crate::support::provider::{ACCOUNT_SID, AUTH_TOKEN};
use crate::support::telephone::Telephone;

/// A desk that lets a caller choose how to prove it, again and again.
pub(super) const SHOP: &str = "name = \"desk\"\nstart = \"who\"\n\
    [levels]\nowner = { any = [\"pin\", \"sms_otp\", \"service_code\", \"callback\"] }\n\
    [disclose]\nbalance = \"owner\"\n\
    [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Account?\"\non = { found = \"how\", unknown = \"how\" }\n\
    [states.how]\ntype = \"menu\"\nprompt = \"For a PIN press 1. For a message press 2. For a web code press 3. For the balance press 4.\"\n\
    keys = { 1 = \"pin\", 2 = \"send\", 3 = \"web\", 4 = \"balance\" }\non = { no_input = \"bye\", no_match = \"how\" }\n\
    [states.pin]\ntype = \"gather_pin\"\ntries = 1\ndigits = 6\nprompt = \"PIN?\"\non = { ok = \"how\", failed = \"how\", locked = \"how\" }\n\
    [states.send]\ntype = \"send_sms_otp\"\naccept = [\"enumeration\"]\non = { sent = \"code\", unavailable = \"how\", limited = \"how\" }\n\
    [states.code]\ntype = \"gather_otp\"\ntries = 1\nprompt = \"Code?\"\non = { ok = \"how\", failed = \"how\", expired = \"how\", undelivered = \"how\" }\n\
    [states.web]\ntype = \"gather_service_code\"\ntries = 1\nprompt = \"Web code?\"\non = { ok = \"how\", failed = \"how\", locked = \"how\" }\n\
    [states.balance]\ntype = \"say\"\nrequires = \"owner\"\nprompt = \"Your balance is {{ account.balance | money }}.\"\nnext = \"bye\"\non = { denied = \"bye\" }\n\
    [states.bye]\ntype = \"hangup\"\nprompt = \"Goodbye.\"\n";

fn shop() -> Office {
    Office::fresh(SHOP, &account(ACCOUNT, "2024-01-01"))
}

pub(super) async fn claims(office: &Office, sid: &str) -> Line {
    let mut line = office.ring(sid).await;
    line.key(ACCOUNT).await;
    line
}

#[tokio::test]
async fn t29_a_call_has_three_entries_and_the_next_is_not_looked_at() {
    let office = shop();
    let mut line = claims(&office, "CA1").await;
    let per_call = usize::from(office.exchange.policy().pin.per_call);
    for n in 0..per_call {
        line.key("1").await;
        line.key(&format!("11122{n}")).await;
        assert_eq!(office.looked_at(line.call).await.0, n + 1);
    }
    line.key("1").await;
    line.key(PIN).await;
    assert_eq!(office.looked_at(line.call).await, (per_call, 0), "nothing was asked, or reserved");
    assert_eq!(office.facts(line.call).await, []);
}

/// The shop with one more choice in its menu.
fn with_fifth(choice: &str, states: &str) -> String {
    let menu = SHOP.replace("For the balance press 4.", "For the balance press 4. Or press 5.");
    menu.replace("keys = { ", &format!("keys = {{ 5 = \"{choice}\", ")) + states
}

#[tokio::test]
async fn t29_a_pin_and_a_passcode_share_the_entries_of_a_call() {
    let word = "[states.word]\ntype = \"gather_passcode\"\ntries = 1\nprompt = \"Passcode?\"\n\
        on = { ok = \"how\", failed = \"how\", locked = \"how\" }\n";
    let both = format!("passcode = \"4711\"\npin = \"{PIN}\"");
    let accounts = account(ACCOUNT, "2024-01-01").replace(&format!("pin = \"{PIN}\""), &both);
    let office = Office::fresh(&with_fifth("word", word), &accounts);
    let mut line = claims(&office, "CA1").await;
    for keys in ["1", "111222", "5", "1122", "1", "111333"] {
        line.key(keys).await;
    }
    assert_eq!(office.looked_at(line.call).await, (3, 0));
    for keys in ["5", "4711", "1", PIN] {
        line.key(keys).await;
    }
    assert_eq!(office.looked_at(line.call).await, (3, 0), "no more of either is looked at");
    assert_eq!(office.facts(line.call).await, []);
    // A code from the web is another matter, and so is another call.
    line.key("3").await;
    line.key("111222").await;
    assert_eq!(office.looked_at(line.call).await, (4, 0));
    let mut next = claims(&office, "CA2").await;
    next.key("5").await;
    next.key("4711").await;
    assert_eq!(office.facts(next.call).await, [Fact::Passcode]);
}

#[tokio::test]
async fn t32_a_call_that_claims_account_after_account_gets_decoys() {
    let office = {
        let other = account("73195529", "2024-01-01").replace("+15005550010", "+15005550012");
        let third = account("73195530", "2024-01-01").replace("+15005550010", "+15005550013");
        let accounts = account(ACCOUNT, "2024-01-01") + &other + &third;
        Office::fresh(&with_fifth("who", ""), &accounts)
    };
    let limit = office.exchange.policy().shared.identifications_per_call;
    assert_eq!(limit, 2);
    let mut line = office.ring_from("CA1", None).await;
    for (account, opens) in [(ACCOUNT, true), ("73195529", true), ("73195530", false)] {
        for keys in [account, "1", PIN] {
            line.key(keys).await;
        }
        let facts = office.facts(line.call).await;
        assert_eq!(facts, if opens { vec![Fact::Pin] } else { vec![] }, "{account}");
        line.key("5").await;
    }
    // Nobody else is the worse for it.
    let mut next = office.ring_from("CA2", None).await;
    for keys in ["73195530", "1", PIN] {
        next.key(keys).await;
    }
    assert_eq!(office.facts(next.call).await, [Fact::Pin]);
}

#[tokio::test]
async fn a_call_of_slips_has_each_state_give_up_at_once() {
    let patient = SHOP.replace("on = { no_input = \"bye\"", "tries = 9\non = { no_input = \"bye\"");
    let office = Office::fresh(&patient, &account(ACCOUNT, "2024-01-01"));
    let limit = office.exchange.policy().shared.input_errors_per_call;
    let mut line = claims(&office, "CA1").await;
    for _ in 0..limit {
        line.key("9").await;
        assert!(line.spoken().contains("For a PIN press 1"), "{}", line.spoken());
    }
    // A wrong secret is no slip, and costs none.
    line.key("1").await;
    line.key("111222").await;
    assert!(line.spoken().contains("For a PIN press 1"), "{}", line.spoken());
    line.key("").await;
    assert_eq!(line.spoken(), "Goodbye.", "eight tries are left, and it gives up");
}

/// Customers who know their PINs blow no fuse, nor does one caller, however often; and whoever has no PIN to guess at
/// is not kept waiting by one.
#[tokio::test]
async fn t32_a_fuse_counts_callers_and_is_for_what_is_known_alone() {
    assert!(!Policy::default().fuse.is_there(), "whoever can blow it keeps customers out");
    let limits = Fuse { wrong_percent_max: 90, callers_min: 32, blown_s: 900 };
    let mut policy = Policy { fuse: limits, ..Policy::default() };
    policy.shared.parallel_auth_sessions_per_account = u32::MAX;
    policy.pin.soft_limit = 100;
    let accounts = account(ACCOUNT, "2024-01-01");
    let office = Office::under(policy, Arc::new(MemoryStore::default()), SHOP, &accounts);
    let fuse =
        || office.exchange.guards().refused.get_or_create(&Guarded { limit: Limit::Fuse }).get();
    let enters = async |sid: &str, from: &str, pin: &str| {
        let mut line = office.ring_from(sid, Some(from)).await;
        line.key(ACCOUNT).await;
        line.key("1").await;
        line.key(pin).await;
        office.outbox.drain().await.unwrap();
        line
    };
    let (owner, one, other) = ("+15005550777", "+15005550778", "+15005550779");
    enters("CA1", owner, PIN).await;
    enters("CA2", one, "111222").await;
    let line = enters("CA3", owner, PIN).await;
    assert_eq!(office.facts(line.call).await, [Fact::Pin], "half of the callers were right");
    office.clock.advance(Duration::from_hours(2));
    for (sid, pin) in [("CB1", "111333"), ("CB2", "111444"), ("CB3", "111555")] {
        enters(sid, one, pin).await;
    }
    enters("CB4", other, "111666").await;
    assert_eq!(fuse(), 0);
    let mut line = enters("CB5", owner, PIN).await;
    assert_eq!((office.facts(line.call).await, fuse()), (vec![], 1), "both callers were wrong");
    line.key("2").await;
    let code = office.code(line.call).await;
    line.key(&code).await;
    assert_eq!(office.facts(line.call).await, [Fact::SmsOtp]);
}

#[tokio::test]
async fn t32_one_pin_over_many_accounts_is_wrong_on_all_of_them() {
    const ACCOUNTS: usize = 24;
    let sprayed = "482913";
    let office_of = |pin_of: &dyn Fn(usize) -> &'static str| {
        // A number each, so that no caller ID belongs to all of them.
        let accounts = (0..ACCOUNTS).map(|n| {
            account(&format!("{:08}", 20_000_000 + n), "2024-01-01")
                .replace(PIN, pin_of(n))
                .replace("+15005550010", &format!("+150055501{n:02}"))
        });
        Office::fresh(DESK, &accounts.collect::<String>())
    };
    let limit = {
        let shared = Office::fresh(DESK, "").exchange.policy().shared.clone();
        usize::try_from(shared.accounts_per_secret_day).unwrap()
    };
    assert!(limit <= 20);
    // It is right on one account alone: before the limit it opens that one, and beyond it none.
    for (right_on, opens) in [(limit - 1, true), (limit, false), (ACCOUNTS - 1, false)] {
        let office = office_of(&|n| if n == right_on { "482913" } else { PIN });
        let mut opened = Vec::new();
        for n in 0..ACCOUNTS {
            // Withheld numbers: they share no limit on accounts a caller.
            let mut line = office.ring_from(&format!("CA{n}"), None).await;
            line.key(&format!("{:08}", 20_000_000 + n)).await;
            line.key(sprayed).await;
            if office.facts(line.call).await == [Fact::Pin] {
                opened.push(n);
            }
        }
        assert_eq!(opened, if opens { vec![right_on] } else { vec![] });
        let alarms = Guarded { limit: Limit::Secret };
        assert!(office.exchange.guards().refused.get_or_create(&alarms).get() > 0);
        // Another PIN is as good as ever.
        let mut line = office.ring_from("CB1", None).await;
        line.key("20000000").await;
        line.key(PIN).await;
        assert_eq!(office.facts(line.call).await, [Fact::Pin]);
    }
}

#[tokio::test]
async fn t34_failures_of_all_factors_are_counted_together() {
    let office = shop();
    let limit = usize::try_from(office.exchange.policy().shared.all_factor_failures_24h).unwrap();
    let (mut looked_at, mut refused) = (0, 0);
    for n in 0..20 {
        let mut line = claims(&office, &format!("CA{n}")).await;
        match n % 3 {
            0 => {
                line.key("1").await;
                line.key("111222").await;
            }
            1 => {
                line.key("2").await;
                if line.spoken().starts_with("Code?") {
                    let wrong = other_than(&office.code(line.call).await);
                    line.key(&wrong).await;
                }
            }
            _ => {
                line.key("3").await;
                line.key("111222").await;
            }
        }
        let (seen, not) = office.looked_at(line.call).await;
        looked_at += seen;
        refused += not;
        office.clock.advance(Duration::from_secs(130));
    }
    assert_eq!(looked_at, limit);
    assert!(refused >= 20 - limit - 7, "{refused}");
    // Whatever is right now is not looked at: a day must pass.
    let account = Secret::new(ACCOUNT);
    let ttl = Duration::from_mins(15);
    let issued = office.exchange.issue_service_code(&account, WebLevel::Aal2, None, ttl);
    let web = issued.await.unwrap().unwrap().code;
    let mut line = claims(&office, "CB1").await;
    line.key("1").await;
    line.key(PIN).await;
    line.key("3").await;
    line.key(web.expose()).await;
    assert_eq!(office.facts(line.call).await, []);
    office.clock.advance(Duration::from_hours(24));
    let mut line = claims(&office, "CB2").await;
    line.key("1").await;
    line.key(PIN).await;
    assert_eq!(office.facts(line.call).await, [Fact::Pin]);
}

#[tokio::test]
async fn t37_a_long_entry_with_the_secret_in_it_is_no_entry() {
    for entry in [
        format!("{PIN}{PIN}"),
        format!("1{PIN}"),
        format!("{PIN}1"),
        format!("0000000000000{PIN}0000000000000"),
        format!("{PIN}#"),
        format!("*{PIN}"),
        PIN[..5].to_owned(),
        format!("{}A", &PIN[..5]),
        format!(" {PIN}"),
        PIN.chars().map(|c| char::from_u32(u32::from(c) + 0xFF10 - 0x30).unwrap()).collect(),
    ] {
        let office = Office::fresh(DESK, &account(ACCOUNT, "2024-01-01"));
        let mut line = office.ring_to_pin("CA1").await;
        line.key(&entry).await;
        assert_eq!(office.facts(line.call).await, [], "{entry}");
        assert_eq!(office.looked_at(line.call).await, (0, 0), "{entry}: no guess at all");
        assert!(line.spoken().starts_with("That did not work."), "{entry}: {}", line.spoken());
    }
}

#[tokio::test]
async fn t38_an_utterance_is_one_guess() {
    let spoken = DESK.replace(
        "digits = 6\non = { ok = \"menu\"",
        "digits = 6\nspeech = true\non = { ok = \"menu\"",
    );
    assert_ne!(spoken, DESK);
    let say = async |office: &Office, sid: &str, said: &str| {
        let mut line = office.ring_to_pin(sid).await;
        let heard = Heard { speech: Secret::new(said), ..Heard::default() };
        line.tell(line.next(), heard).await;
        line
    };
    for alternatives in [
        "one one one two two two or eight six zero three one seven",
        "111222, 860317",
        "111222 860317",
        "8 6 0 3 1 7 8 6 0 3 1 8",
        "eight six zero three one seven, no, one",
        "eighty six zero three seventeen",
    ] {
        let office = Office::fresh(&spoken, &account(ACCOUNT, "2024-01-01"));
        let line = say(&office, "CA1", alternatives).await;
        assert_eq!(office.facts(line.call).await, [], "{alternatives}");
        assert!(office.looked_at(line.call).await.0 <= 1, "{alternatives}");
    }
    let office = Office::fresh(&spoken, &account(ACCOUNT, "2024-01-01"));
    let line = say(&office, "CA1", "Eight six oh three one seven.").await;
    assert_eq!(office.facts(line.call).await, [Fact::Pin]);
}

#[tokio::test]
async fn t58_numbers_of_one_block_cannot_be_pumped() {
    const ACCOUNTS: usize = 200;
    let accounts: String = (0..ACCOUNTS)
        .map(|n| {
            account(&format!("{:08}", 30_000_000 + n), "2024-01-01")
                .replace("+15005550010", &format!("+1500555{n:04}"))
        })
        .map(|text| text.replace(&format!("pin = \"{PIN}\"\n"), ""))
        .collect();
    let flow = DESK.replace(
        "{ found = \"pin\", unknown = \"pin\" }",
        "{ found = \"menu\", unknown = \"menu\" }",
    );
    let office = Office::fresh(&flow, &accounts);
    for n in 0..ACCOUNTS {
        let mut line = office.ring_from(&format!("CA{n}"), None).await;
        line.key(&format!("{:08}", 30_000_000 + n)).await;
        line.key("1").await;
    }
    office.outbox.drain().await.unwrap();
    let sent = office.world.take_outgoing().len();
    assert_eq!(sent, usize::try_from(office.exchange.policy().sends.per_prefix_h).unwrap());
    assert!(sent <= 20);
}

/// Nor by way of a number of another block, which is on file first and may not be used.
#[tokio::test]
async fn t58_a_number_that_takes_the_place_of_another_counts_for_its_own_block() {
    let flow = DESK.replace(
        "{ found = \"pin\", unknown = \"pin\" }",
        "{ found = \"menu\", unknown = \"menu\" }",
    );
    let numbers = |id: &str, numbers: [&str; 2]| {
        let phone = |number: &str| {
            format!("{{ number = \"{number}\", line = \"mobile\", since = \"2024-01-01\" }}")
        };
        format!(
            "[[accounts]]\nid = \"{id}\"\nphones = [{}, {}]\n",
            phone(numbers[0]),
            phone(numbers[1])
        )
    };
    let accounts = numbers("30000001", ["+14155550100", "+12125550101"])
        + &numbers("30000002", ["+13105550100", "+12125550102"])
        + &numbers("30000003", ["+13035550100", "+13055550103"]);
    let mut policy = boundless();
    (policy.sends.per_prefix_h, policy.look_ups.asked) = (1, true);
    let office = Office::under(policy, Arc::new(MemoryStore::default()), &flow, &accounts);
    let mut sent = Vec::new();
    for n in 1..=3 {
        office.world.find(&[Fit::SimSwapped, Fit::Fits]);
        let mut line = office.ring_from(&format!("CA{n}"), None).await;
        line.key(&format!("3000000{n}")).await;
        line.key("1").await;
        office.outbox.drain().await.unwrap();
        sent.push(office.world.messages(line.call).len());
    }
    assert_eq!(sent, [1, 0, 1], "the second one's block has had its message");
}

#[tokio::test]
async fn t61_who_locks_a_pin_locks_nothing_else() {
    let office = shop();
    let limit = office.exchange.policy().pin.soft_limit;
    for n in 0..limit {
        let mut attacker = claims(&office, &format!("CA{n}")).await;
        attacker.key("1").await;
        attacker.key("111222").await;
    }
    let mut owner = claims(&office, "CB1").await;
    owner.key("1").await;
    owner.key(PIN).await;
    assert_eq!(office.facts(owner.call).await, [], "the PIN is locked on the telephone");
    let ttl = Duration::from_mins(15);
    let account = Secret::new(ACCOUNT);
    let issued = office.exchange.issue_service_code(&account, WebLevel::Aal2, None, ttl);
    let web = issued.await.unwrap().unwrap().code;
    owner.key("3").await;
    owner.key(web.expose()).await;
    assert_eq!(office.facts(owner.call).await, [Fact::ServiceCode], "a code from the web is not");
    owner.key("4").await;
    assert!(owner.spoken().starts_with("Your balance is"), "{}", owner.spoken());
}

/// Slow hashes are worked off two at a time, apart from all else: while a flood of PINs is worked off, others
/// are answered in a fraction of the time that the flood itself has to wait. Both are measured in one run, so
/// that a busy machine slows both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t62_a_flood_of_pins_keeps_nobody_else_waiting() {
    const FLOOD: usize = 100;
    let mut house = House::set_up("memory:", "http://127.0.0.1:9");
    house.log_level = "info";
    house.restart();
    // Signed beforehand, by one client: what is measured is the server.
    let client = client();
    let prepared = |sid: &str, path: &str, digits: &str| {
        let form = [
            ("AccountSid", ACCOUNT_SID),
            ("CallSid", sid),
            ("Digits", digits),
            ("From", ""),
            ("To", house::LINE),
        ];
        let form = form.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let key = SecretString::from(AUTH_TOKEN);
        let signed = signature::sign(&key, &format!("{}{path}", house::PUBLIC_URL), &form);
        let to = format!("{}{path}", house.public());
        client.post(to).header("X-Twilio-Signature", signed).form(&form)
    };
    let answered = async |request: reqwest::RequestBuilder| {
        let begun = Instant::now();
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        response.text().await.unwrap();
        begun.elapsed()
    };
    let mut ready = Vec::new();
    for n in 0..FLOOD {
        // Claims of nobody: each is as much work as one of somebody, and none meets a limit.
        let mut phone = Telephone::new(&format!("CA62{n}"), "");
        phone.ring(&house).await;
        phone.key(&house, &format!("{:08}", 90_000_000 + n)).await;
        // Another PIN each: one PIN over many accounts would be refused without work.
        ready.push(prepared(&phone.sid, &phone.action(), &format!("{:06}", 100_000 + n)));
    }
    let flood = ready.into_iter().map(|request| tokio::spawn(answered(request)));
    let flood = tokio::spawn(join_all(flood.collect::<Vec<_>>()));
    let mut others = Vec::new();
    while !flood.is_finished() {
        let sid = format!("CA62x{}", others.len());
        others.push(answered(prepared(&sid, "/twilio/voice", "")).await);
    }
    let mut waited: Vec<_> = flood.await.unwrap().into_iter().map(Result::unwrap).collect();
    waited.sort_unstable();
    others.sort_unstable();
    assert!(others.len() >= 20, "many were answered meanwhile: {}", others.len());
    // What else the machine does may hold up one of them.
    let longest = waited[FLOOD - 1];
    let late = others.iter().filter(|took| **took * 2 > longest).count();
    assert!(late * 20 <= others.len(), "others waited {others:?}, the flood up to {longest:?}");
}

#[tokio::test]
async fn t69_a_code_of_a_weak_session_is_no_possession() {
    let strict = SHOP.replace(
        "{ any = [\"pin\", \"sms_otp\", \"service_code\", \"callback\"] }",
        "{ all = [\"pin\", \"possession\"] }",
    );
    for (level, opens) in [(WebLevel::Aal1, false), (WebLevel::Aal2, true)] {
        let office = Office::fresh(&strict, &account(ACCOUNT, "2024-01-01"));
        let (account, ttl) = (Secret::new(ACCOUNT), Duration::from_mins(15));
        let issued = office.exchange.issue_service_code(&account, level, None, ttl);
        let web = issued.await.unwrap().unwrap().code;
        let mut line = claims(&office, "CA1").await;
        for entry in ["1", PIN, "3", web.expose(), "4"] {
            line.key(entry).await;
        }
        assert_eq!(line.spoken().starts_with("Your balance is"), opens, "{level:?}");
        let journal = office.exchange.journal(line.call).await.unwrap();
        let weak = journal
            .iter()
            .flat_map(|entry| &entry.answers)
            .any(|answer| answer.verdict() == Some(Verdict::RightByOneFactor));
        assert_eq!(weak, !opens);
    }
}
