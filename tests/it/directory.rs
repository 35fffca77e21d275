//! A directory over HTTP: the same calls as with a file, and what callers hear when it fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use callgate::chance::SystemChance;
use callgate::directory::pin;
use callgate::secret::Secret;
use callgate::store::envelope::Vault;
use serde_json::{Value, json};

use crate::support::backend::{Asked, Backend, Manner};
use crate::support::house::{ACCOUNT, House, MOBILE, PIN, STATE_KEY};
use crate::support::provider::Provider;
use crate::support::redis::free_port;
use crate::support::telephone::{Telephone, digits};

const TOKEN: &str = "directory-token-of-the-tests";
const CALLER: &str = "+15005550077";

fn ada() -> Value {
    let hash = pin::hash(&Secret::new(PIN), &Vault::new(&STATE_KEY), &SystemChance).unwrap();
    json!({
        "id": ACCOUNT,
        "locale": null,
        "pin_hash": hash,
        "phones": [{ "number": MOBILE, "line": "mobile", "since": "2024-01-01" }],
        "fields": { "first_name": "Ada", "balance": 1234.56, "blocked": false, "note": null },
    })
}

/// A directory of one customer.
fn honest(account: Value) -> impl Fn(&Asked) -> Manner {
    move |asked| {
        let known = match asked.body["by"].as_str().unwrap() {
            "id" => asked.body["value"] == account["id"],
            _ => asked.body["value"] == account["phones"][0]["number"],
        };
        if known { Manner::Json(account.clone()) } else { Manner::Raw(404, String::new()) }
    }
}

fn house(provider: &Provider, directory: &Backend) -> House {
    let mut house = House::set_up("memory:", &provider.api_base());
    house.ask_directory(&directory.url(), "TEST_DIRECTORY", "1s");
    house.set_environment("TEST_DIRECTORY", TOKEN);
    house.restart();
    house
}

/// What the caller hears who rings and keys in an account number.
async fn claim(house: &House, sid: u32, account: &str) -> Telephone {
    let mut telephone = Telephone::new(&format!("CA{sid:032x}"), CALLER);
    telephone.ring(house).await;
    telephone.key(house, account).await;
    telephone
}

/// Whether the caller hears the apology, and is put through to the line's fallback number.
fn apologised(telephone: &Telephone) -> bool {
    telephone.spoken().contains("something is not working") && telephone.hears("Dial")
}

async fn counted(house: &House, outcome: &str) -> Option<u64> {
    let metrics = house.metrics().await;
    let name =
        format!("callgate_asked_of_others_total{{peer=\"Directory\",outcome=\"{outcome}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok())
}

fn hides_everything(house: &House) {
    house.hides(&[TOKEN, ACCOUNT, MOBILE, PIN, "pin_hash", "argon2id", "1234.56"]);
}

#[tokio::test]
async fn a_call_goes_as_with_a_file() {
    let provider = Provider::start();
    let directory = Backend::start(honest(ada()));
    let house = house(&provider, &directory);
    let mut telephone = claim(&house, 1, ACCOUNT).await;
    assert!(telephone.spoken().contains("PIN"), "{}", telephone.spoken());
    telephone.key(&house, PIN).await;
    telephone.key(&house, "1").await;
    let sent = provider.wait_for(1).remove(0);
    assert_eq!(sent.field("To"), Some(MOBILE));
    telephone.key(&house, &digits(sent.field("Body").unwrap())).await;
    let spoken = telephone.spoken();
    assert!(spoken.contains("1,234 dollars and 56 cents"), "{spoken}");
    for asked in directory.asked() {
        assert_eq!(asked.path, "/callgate/find");
        assert_eq!(asked.header("authorization"), Some(&*format!("Bearer {TOKEN}")));
        assert_eq!(asked.body, json!({ "by": "id", "value": ACCOUNT }));
    }
    let done = counted(&house, "Done").await.unwrap();
    // Nobody is an answer as well.
    let nobody = claim(&house, 2, "99999999").await;
    assert!(nobody.spoken().contains("PIN"), "{}", nobody.spoken());
    assert_eq!(counted(&house, "Done").await, Some(done + 1));
    assert_eq!(counted(&house, "Failed").await, None);
    hides_everything(&house);
}

/// Whoever is asked for, and whether they exist or not: the same words.
#[tokio::test]
async fn a_directory_that_does_not_answer_is_apologised_for() {
    let provider = Provider::start();
    let directory = Backend::start(honest(ada()));
    let house = house(&provider, &directory);
    let manners = [
        Manner::Stall,
        Manner::StallInside,
        Manner::Drop,
        Manner::Huge(1_000_000),
        Manner::Raw(200, "<html>It works!</html>".into()),
        Manner::Raw(500, json!({ "error": MOBILE }).to_string()),
        Manner::Raw(401, String::new()),
        Manner::Redirect("http://169.254.169.254/".into()),
    ];
    let mut sid = 1;
    for manner in manners {
        let answer = manner.clone();
        directory.answer(move |_| answer.clone());
        for account in [ACCOUNT, "99999999"] {
            sid += 1;
            let telephone = claim(&house, sid, account).await;
            assert!(apologised(&telephone), "{manner:?}: {}", telephone.spoken());
        }
    }
    assert_eq!(counted(&house, "Failed").await, Some(14));
    assert_eq!(counted(&house, "Refused").await, Some(2));
    house.logs("the directory did not answer");
    hides_everything(&house);
}

/// Whoever is called at night has to know what is to be mended: a certificate, a port, a name.
#[tokio::test]
async fn why_a_directory_is_not_reached_is_logged() {
    let provider = Provider::start();
    let mut house = House::set_up("memory:", &provider.api_base());
    let port = free_port();
    let url = format!("https://127.0.0.1:{port}/accounts");
    house.ask_directory(&url, "TEST_DIRECTORY", "1s");
    house.set_environment("TEST_DIRECTORY", TOKEN);
    house.restart();
    assert!(apologised(&claim(&house, 1, ACCOUNT).await));
    house.logs("Connection refused");
    house.logs(&format!(r#""host":"127.0.0.1","port":{port}"#));
    hides_everything(&house);
}

/// What is no answer to the question is no account: words and work are those for nobody.
#[tokio::test]
async fn an_answer_that_makes_no_sense_is_nobody() {
    let provider = Provider::start();
    let directory = Backend::start(honest(ada()));
    let house = house(&provider, &directory);
    let with = |key: &str, value: Value| {
        let mut account = ada();
        account[key] = value;
        account
    };
    let phone =
        |number: &str| json!([{ "number": number, "line": "mobile", "since": "2024-01-01" }]);
    let wrong = [
        json!([]),
        json!("an account"),
        json!({}),
        json!({ "account": ada() }),
        with("id", json!("73195529")),
        with("id", json!(73_195_528)),
        with("phones", phone("555-0010")),
        with("phones", phone("+1500555001000000000")),
        with("phones", json!(MOBILE)),
        with("pin_hash", json!(PIN)),
        with("pin", json!(PIN)),
        with("fields", json!({ "balance": { "amount": 1 } })),
        with("facts", json!(["pin"])),
    ];
    let mut sid = 100;
    let unknown = claim(&house, 99, "99999999").await.spoken();
    for account in &wrong {
        let answer = account.clone();
        directory.answer(move |_| Manner::Json(answer.clone()));
        sid += 1;
        let mut telephone = claim(&house, sid, ACCOUNT).await;
        assert_eq!(telephone.spoken(), unknown, "{account}");
        telephone.key(&house, PIN).await;
        assert!(telephone.spoken().contains("did not work"), "{account}");
    }
    // It is asked when the account is claimed, and again when the PIN is verified.
    assert!(counted(&house, "Failed").await >= Some(2 * u64::try_from(wrong.len()).unwrap()));
    house.logs("no account that was asked for");
    hides_everything(&house);
}

/// A number is who it claims only if it is on file there.
#[tokio::test]
async fn a_caller_id_that_is_not_on_file_is_nobodys() {
    let provider = Provider::start();
    let directory = Backend::start(honest(ada()));
    let mut house = house(&provider, &directory);
    let flow = house.folder.path().join("flows/desk.toml");
    let text = std::fs::read_to_string(&flow).unwrap();
    let by_number = text.replace("[\"digits\"]", "[\"caller_id\", \"digits\"]");
    assert_ne!(text, by_number);
    std::fs::write(&flow, by_number).unwrap();
    house.kill();
    house.restart();
    let mut known = Telephone::new("CA00000000000000000000000000000001", MOBILE);
    known.ring(&house).await;
    assert!(known.spoken().contains("PIN"), "{}", known.spoken());
    // The directory says that every number is Ada's.
    directory.answer(|_| Manner::Json(ada()));
    let mut stranger = Telephone::new("CA00000000000000000000000000000002", CALLER);
    stranger.ring(&house).await;
    assert!(stranger.spoken().contains("account number"), "{}", stranger.spoken());
    assert_eq!(counted(&house, "Failed").await, Some(1));
    house.logs("another-account");
    hides_everything(&house);
}

/// A number that nobody should be sent a code at is not used because the directory says so.
#[tokio::test]
async fn a_strange_number_on_file_gets_nothing() {
    let provider = Provider::start();
    let directory = Backend::start(honest(ada()));
    let house = house(&provider, &directory);
    let with = |number: &str, line: &str, since: &str| json!([{ "number": number, "line": line, "since": since }]);
    let strange = [
        with("+19005550010", "mobile", "2024-01-01"),
        with("+447700900123", "mobile", "2024-01-01"),
        with("+88213123456", "mobile", "2024-01-01"),
        with(MOBILE, "landline", "2024-01-01"),
        with(MOBILE, "mobile", "2999-01-01"),
        json!([]),
    ];
    let count = u64::try_from(strange.len()).unwrap();
    for (sid, phones) in (400..).zip(strange) {
        let mut account = ada();
        account["phones"] = phones.clone();
        directory.answer(honest(account));
        let mut telephone = claim(&house, sid, ACCOUNT).await;
        telephone.key(&house, PIN).await;
        telephone.key(&house, "1").await;
        assert!(telephone.spoken().contains("visit a branch"), "{phones}: {}", telephone.spoken());
    }
    let metrics = house.metrics().await;
    let ended = "callgate_states_ended_total{state=\"send_sms_otp\",outcome=\"unavailable\"}";
    assert!(metrics.contains(&format!("{ended} {count}\n")), "{metrics}");
    assert_eq!(provider.requests(), [], "nobody was written to or rung");
    hides_everything(&house);
    for number in ["9005550010", "7700900123", "88213123456"] {
        assert!(!house.log().contains(number) && !metrics.contains(number), "{number}");
    }
}

/// An outage costs the customer nothing, and is over when it is over.
#[tokio::test]
async fn an_outage_costs_no_attempt() {
    let provider = Provider::start();
    let directory = Backend::start(honest(ada()));
    let house = house(&provider, &directory);
    for sid in 0..8 {
        directory.answer(honest(ada()));
        let mut telephone = claim(&house, 200 + sid, ACCOUNT).await;
        directory.answer(|_| Manner::Raw(503, String::new()));
        telephone.key(&house, PIN).await;
        assert!(apologised(&telephone), "{}", telephone.spoken());
    }
    directory.answer(honest(ada()));
    let mut telephone = claim(&house, 299, ACCOUNT).await;
    telephone.key(&house, PIN).await;
    assert!(telephone.spoken().contains("For your balance"), "{}", telephone.spoken());
}

/// A directory of one customer, and how often it was asked.
fn counting() -> (Arc<AtomicUsize>, Backend) {
    let count = Arc::new(AtomicUsize::new(0));
    let (counter, answer) = (count.clone(), honest(ada()));
    let directory = Backend::start(move |asked| {
        counter.fetch_add(1, Ordering::SeqCst);
        answer(asked)
    });
    (count, directory)
}

/// The directory is asked as often for a claim that is nobody's.
#[tokio::test]
async fn nobody_is_as_much_work_as_somebody() {
    let provider = Provider::start();
    let (count, directory) = counting();
    let mut house = house(&provider, &directory);
    let flow = house.folder.path().join("flows/desk.toml");
    let first_the_pin = std::fs::read_to_string(&flow).unwrap();
    let no_pin = "{ found = \"menu\", unknown = \"menu\" }";
    let no_pin = first_the_pin
        .replace("{ found = \"pin\", unknown = \"pin\" }", no_pin)
        .replace("press 2. To end", "press 2. To give a PIN press 3. To end")
        .replace("2 = \"card\", 9", "2 = \"card\", 3 = \"pin\", 9");
    // Two wrong PINs; a message; a ring.
    let ways = [(&first_the_pin, &["000000", "000001"][..]), (&no_pin, &["1"]), (&no_pin, &["2"])];
    for (way, (text, keys)) in (0..).zip(ways) {
        std::fs::write(&flow, text).unwrap();
        house.restart();
        let mut asked = Vec::new();
        for (sid, account) in [(300, ACCOUNT), (301, "99999999")] {
            count.store(0, Ordering::SeqCst);
            let mut telephone = claim(&house, 10 * way + sid, account).await;
            for key in keys {
                telephone.key(&house, key).await;
            }
            let heard = telephone.spoken().replace(|c: char| c.is_ascii_digit(), "");
            asked.push((count.load(Ordering::SeqCst), heard));
        }
        assert_eq!(asked[0], asked[1], "{keys:?}");
    }
}

/// Nor can it be told by the work for the second proof whether the first was right.
#[tokio::test]
async fn an_entry_after_a_wrong_one_is_as_much_work_as_after_a_right_one() {
    let provider = Provider::start();
    let (count, directory) = counting();
    let mut house = house(&provider, &directory);
    let flow = house.folder.path().join("flows/desk.toml");
    let text = std::fs::read_to_string(&flow).unwrap();
    let told = "on = { ok = \"menu\", failed = \"sorry\", locked = \"sorry\" }";
    let with_word = "verdict = \"combined\"\non = { ok = \"word\", failed = \"word\", locked = \"word\" }\n\
         [states.word]\ntype = \"gather_passcode\"\ntries = 1\nprompt = \"And your word?\"\n\
         on = { ok = \"menu\", failed = \"sorry\", locked = \"sorry\" }";
    std::fs::write(&flow, text.replacen(told, with_word, 1)).unwrap();
    house.restart();
    let mut asked = Vec::new();
    for (sid, pin) in [(400, PIN), (401, "000000")] {
        let mut telephone = claim(&house, sid, ACCOUNT).await;
        telephone.key(&house, pin).await;
        assert_eq!(telephone.spoken(), "And your word?");
        count.store(0, Ordering::SeqCst);
        telephone.say(&house, "blue heron").await;
        asked.push((count.load(Ordering::SeqCst), telephone.spoken()));
    }
    assert_eq!(asked[0], asked[1]);
    assert!(asked[0].0 > 0, "the directory has the word");
}
