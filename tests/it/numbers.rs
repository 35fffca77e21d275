//! Numbers looked up at the provider before they are used, from the webhook to what is not sent.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use callgate::clock::{Clock as _, SystemClock, VirtualClock};
use callgate::engine::account::{Line, Phone};
use callgate::engine::eligibility::{Fit, Told};
use callgate::engine::id::{CallId, Sid};
use callgate::engine::risk::Signal;
use callgate::limits;
use callgate::outbound::numbers::{About, Numbers};
use callgate::phone::PhoneNumber;
use callgate::store::memory::MemoryStore;
use serde_json::{Value, json};

use crate::outbox::exchange;
use crate::support::eventually::{eventually, eventually_async};
use crate::support::house::{ACCOUNT, House, MOBILE, OPERATOR, PIN, client, vault};
use crate::support::provider::{ACCOUNT_SID, AUTH_TOKEN, Answer, Provider, owned};
use crate::support::telephone::Telephone;

const CALLER: &str = "+15005550777";
/// Everything that may be asked for.
const ALL: &str =
    "\"line_type_intelligence\", \"sim_swap\", \"call_forwarding\", \"reassigned_number\"";
/// Long enough for a loopback, also where the machine is busy, and short enough to be waited for.
const TIMEOUT: Duration = Duration::from_millis(800);

fn set_up(provider: &Provider, more: &str) -> House {
    let house = House::set_up("memory:", &provider.api_base());
    house.change_configuration(
        "[[admin.tokens]]",
        &format!(
            "[lookup]\nkind = \"twilio\"\nfields = [{ALL}]\nurl = \"{}\"\ntimeout = \"{}ms\"\n\
             allow = [\"127.0.0.0/8\"]\n{more}\n[[admin.tokens]]",
            provider.api_base(),
            TIMEOUT.as_millis()
        ),
    );
    house
}

/// A house that looks numbers up at this provider.
pub(crate) fn house(provider: &Provider, more: &str) -> House {
    let mut house = set_up(provider, more);
    house.restart();
    house
}

/// A caller who asks for a balance, for which a code is sent, or for a card, for which they are rung.
pub(crate) async fn ask(house: &House, sid: u32, account: &str, key: &str) -> Telephone {
    let mut telephone = Telephone::new(&format!("CA{sid:032x}"), CALLER);
    telephone.ring(house).await;
    telephone.key(house, account).await;
    telephone.key(house, PIN).await;
    telephone.key(house, key).await;
    telephone
}

/// Whether they were told that a code is on its way; else they heard that nothing can be done.
pub(crate) fn is_sent(telephone: &Telephone) -> bool {
    let spoken = telephone.spoken();
    let sent = spoken.starts_with("Key in the six digits");
    assert!(sent || spoken.starts_with("We could not help you"), "{spoken}");
    sent
}

fn counted(metrics: &str, name: &str, labels: &str, count: usize) {
    let line = format!("callgate_{name}_total{{{labels}}} {count}");
    assert!(metrics.contains(&line), "{line}: {metrics}");
}

fn hides_everything(house: &House) {
    house.hides(&[MOBILE, &MOBILE[1..], CALLER, ACCOUNT, AUTH_TOKEN]);
}

fn query(provider: &Provider) -> Vec<(String, String)> {
    provider.look_ups().pop().unwrap().query
}

#[tokio::test]
async fn a_number_is_asked_about_as_the_provider_wants_it_and_once() {
    use base64::Engine as _;
    let provider = Provider::start();
    let house = house(&provider, "");
    let mut telephone = Telephone::new("CA00000000000000000000000000000001", CALLER);
    telephone.ring(&house).await;
    telephone.key(&house, ACCOUNT).await;
    telephone.key(&house, PIN).await;
    // The provider sends the request three times over.
    telephone.copies = 3;
    telephone.key(&house, "1").await;
    assert!(is_sent(&telephone));
    let [asked] = &provider.look_ups()[..] else { panic!("{:?}", provider.requests()) };
    assert_eq!((asked.method.as_str(), asked.form.len()), ("GET", 0));
    assert_eq!(asked.path, format!("/v2/PhoneNumbers/%2B{}", &MOBILE[1..]));
    let expected = owned(&[
        ("Fields", "line_type_intelligence,sim_swap,reassigned_number"),
        ("LastVerifiedDate", "20240101"),
    ]);
    assert_eq!(asked.query, expected);
    let credentials =
        base64::engine::general_purpose::STANDARD.encode(format!("{ACCOUNT_SID}:{AUTH_TOKEN}"));
    assert_eq!(asked.header("authorization"), Some(&*format!("Basic {credentials}")));
    assert_eq!(provider.wait_for(2).len(), 2, "the look-up, and the message after it");
    assert_eq!(provider.messages().len(), 1);

    // A ring wants to know of forwardings too.
    ask(&house, 2, ACCOUNT, "2").await;
    let fields = "line_type_intelligence,sim_swap,call_forwarding,reassigned_number";
    let expected = owned(&[("Fields", fields), ("LastVerifiedDate", "20240101")]);
    assert_eq!(query(&provider), expected);
    eventually("a call", || (provider.calls().len() == 1).then_some(()));
    let metrics = house.metrics().await;
    counted(&metrics, "asked_of_others", "peer=\"Lookup\",outcome=\"Done\"", 2);
    counted(&metrics, "numbers_looked_up", "fit=\"fits\"", 2);
    hides_everything(&house);
}

/// What speaks against a number, whether it still gets a message, and whether it is still rung.
fn against() -> Vec<(Value, &'static str, bool, bool)> {
    let now = SystemClock.now();
    let swapped = |hours: i64| {
        let at = now - jiff::SignedDuration::from_hours(hours);
        json!({ "sim_swap": { "last_sim_swap": { "last_sim_swap_date": at.to_string() } } })
    };
    let line = |kind: &str| json!({ "line_type_intelligence": { "type": kind } });
    vec![
        (swapped(1), "sim_swapped", false, false),
        (swapped(24 * 7 - 1), "sim_swapped", false, false),
        (swapped(24 * 7 + 1), "fits", true, true),
        (
            json!({ "sim_swap": { "last_sim_swap": { "swapped_in_period": true } } }),
            "sim_swapped",
            false,
            false,
        ),
        (
            json!({ "reassigned_number": { "is_number_reassigned": "yes" } }),
            "reassigned",
            false,
            false,
        ),
        (
            json!({ "call_forwarding": { "call_forwarding_enabled": true } }),
            "forwarded",
            true,
            false,
        ),
        (line("landline"), "wrong_line", false, true),
        (line("nonFixedVoip"), "wrong_line", false, false),
        (line("voicemail"), "wrong_line", false, false),
        (json!({ "sim_swap": null }), "unknown", false, false),
        (json!({ "sim_swap": { "error_code": 60600 } }), "unknown", false, false),
        (
            json!({ "reassigned_number": { "is_number_reassigned": "no_data_available" } }),
            "unknown",
            false,
            false,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_to_a_number_that_something_speaks_against() {
    let provider = Provider::start();
    let mut house = set_up(&provider, "");
    house.change_configuration(
        "[policy.enumeration]",
        "[policy.callback]\nper_account_h = 100\n[policy.sends]\nper_prefix_h = 100\n[policy.otp]\nsends_per_10min = 100\nsends_per_day = 100\n\
         [policy.enumeration]",
    );
    house.restart();
    for (n, (said, _, message, ring)) in against().into_iter().enumerate() {
        provider.say_of(MOBILE, said.clone());
        let sid = 100 + 2 * u32::try_from(n).unwrap();
        let telephone = ask(&house, sid, ACCOUNT, "1").await;
        assert_eq!(is_sent(&telephone), message, "{said}");
        let telephone = ask(&house, sid + 1, ACCOUNT, "2").await;
        assert_eq!(telephone.spoken().contains("ringing"), ring, "{said}: {}", telephone.spoken());
    }
    let sent = against().iter().filter(|(_, _, message, _)| *message).count();
    let rung = against().iter().filter(|(.., ring)| *ring).count();
    eventually("each to be sent", || {
        ((provider.messages().len(), provider.calls().len()) == (sent, rung)).then_some(())
    });
    assert_eq!(provider.look_ups().len(), 2 * against().len(), "each is asked once");
    let metrics = house.metrics().await;
    for reason in ["sim_swapped", "reassigned", "forwarded", "wrong_line", "unknown"] {
        let fit = format!("callgate_numbers_looked_up_total{{fit=\"{reason}\"}} ");
        assert!(metrics.contains(&fit), "{fit}: {metrics}");
    }
    hides_everything(&house);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_up_that_fails_is_no_leave_to_send() {
    let provider = Provider::start();
    let elsewhere = Provider::start();
    let mut house = set_up(&provider, "");
    house.change_configuration(
        "[policy.enumeration]",
        "[policy.otp]\nsends_per_10min = 100\nsends_per_day = 100\n[policy.enumeration]",
    );
    house.restart();
    let raw = |status, body: &str| Answer::Raw { status, body: body.as_bytes().to_vec() };
    let other = json!({ "phone_number": "+15005550011", "valid": true }).to_string();
    let huge = format!("{{\"phone_number\": \"{MOBILE}\", \"more\": \"{}\"}}", "x".repeat(100_000));
    let bad = [
        Answer::Hang,
        Answer::Drop,
        Answer::Error { status: 500, code: None },
        Answer::Error { status: 503, code: Some(20500) },
        Answer::Error { status: 404, code: Some(20404) },
        Answer::Error { status: 401, code: Some(20003) },
        Answer::TooMany { retry_after: Some("1".into()) },
        Answer::Redirect(format!("{}/v2/PhoneNumbers/%2B15005550010", elsewhere.api_base())),
        raw(200, "no JSON"),
        raw(200, ""),
        raw(200, "[]"),
        raw(200, &other),
        raw(200, &huge),
    ];
    let count = bad.len();
    for (n, answer) in bad.into_iter().enumerate() {
        provider.next(answer.clone());
        // In time: whoever has to wait for longer than a turn may take hears an apology.
        let telephone = ask(&house, 200 + u32::try_from(n).unwrap(), ACCOUNT, "1").await;
        assert!(!is_sent(&telephone), "{answer:?}");
    }
    assert_eq!(provider.messages(), []);
    assert_eq!(provider.look_ups().len(), count, "each is asked once");
    assert_eq!(elsewhere.requests(), [], "a redirect is not followed");
    let metrics = house.metrics().await;
    counted(&metrics, "asked_of_others", "peer=\"Lookup\",outcome=\"Refused\"", 3);
    counted(&metrics, "asked_of_others", "peer=\"Lookup\",outcome=\"Failed\"", count - 3);
    counted(&metrics, "numbers_looked_up", "fit=\"unknown\"", count);
    house.logs("a number could not be looked up");

    // The next one is answered, and a code goes out.
    let telephone = ask(&house, 300, ACCOUNT, "1").await;
    assert!(is_sent(&telephone));
    hides_everything(&house);
}

#[tokio::test]
async fn a_house_may_use_numbers_of_which_nobody_knows_enough() {
    let provider = Provider::start();
    let house = house(&provider, "if_unknown = \"use\"");
    provider.next(Answer::Error { status: 500, code: None });
    assert!(is_sent(&ask(&house, 1, ACCOUNT, "1").await));
    provider.say_of(MOBILE, json!({ "sim_swap": null, "reassigned_number": null }));
    assert!(is_sent(&ask(&house, 2, ACCOUNT, "1").await));
    // What is known against it counts all the same.
    provider.say_of(
        MOBILE,
        json!({ "sim_swap": null, "reassigned_number": { "is_number_reassigned": "yes" } }),
    );
    assert!(!is_sent(&ask(&house, 3, ACCOUNT, "1").await));
}

/// A claim that is no account hears what others hear, as late as they do, and nobody is asked about it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_looked_up_in_the_same_time_and_fails_with_others() {
    let provider = Provider::start();
    let mut house = set_up(&provider, "");
    // Callers get in without a PIN, so that known and unknown come to the same place.
    let flow = include_str!("e2e/desk.toml").replace(
        "on     = { found = \"pin\", unknown = \"pin\" }",
        "on = { found = \"menu\", unknown = \"menu\" }",
    );
    let from = flow.find("[states.pin]").unwrap();
    let to = flow.find("[states.menu]").unwrap();
    let flow = format!("{}{}", &flow[..from], &flow[to..]);
    std::fs::write(house.folder.path().join("flows/desk.toml"), flow).unwrap();
    house.restart();
    let ask = async |sid: u32, account: &str| {
        let mut telephone = Telephone::new(&format!("CA{sid:032x}"), CALLER);
        telephone.ring(&house).await;
        telephone.key(&house, account).await;
        let begun = Instant::now();
        telephone.key(&house, "1").await;
        (is_sent(&telephone), begun.elapsed())
    };
    for (sid, account) in [(1, ACCOUNT), (2, "11111111"), (3, ACCOUNT), (4, "22222222")] {
        let (sent, took) = ask(sid, account).await;
        assert!(sent, "{account}");
        assert!(took >= TIMEOUT, "{account}: {took:?}");
    }
    assert_eq!(provider.look_ups().len(), 2, "there is nobody to ask about");
    // When the provider fails, it fails for everybody.
    provider.next(Answer::Error { status: 500, code: None });
    let (sent, took) = ask(5, ACCOUNT).await;
    assert!(!sent && took >= TIMEOUT);
    let (sent, took) = ask(6, "11111111").await;
    assert!(!sent && took >= TIMEOUT);
    let (sent, _) = ask(7, ACCOUNT).await;
    assert!(sent);
    let (sent, _) = ask(8, "11111111").await;
    assert!(sent);
    assert_eq!(provider.look_ups().len(), 4);
    hides_everything(&house);
}

/// What is said of a caller's number when it rings raises the call's risk, and is asked once a call.
#[tokio::test]
async fn a_callers_number_is_looked_up_where_that_is_asked_for() {
    let provider = Provider::start();
    let ring = async |house: &House, sid: u32, from: &str| {
        let mut telephone = Telephone::new(&format!("CA{sid:032x}"), from);
        telephone.copies = 2;
        telephone.ring(house).await;
    };
    let silent = house(&provider, "");
    ring(&silent, 1, CALLER).await;
    assert_eq!(provider.requests(), []);
    drop(silent);

    let house = house(&provider, "callers = true");
    ring(&house, 1, CALLER).await;
    assert_eq!(query(&provider), owned(&[("Fields", "sim_swap")]));
    // One that is on file may belong to somebody else by now.
    provider.say_of(MOBILE, json!({ "reassigned_number": { "is_number_reassigned": "yes" } }));
    ring(&house, 2, MOBILE).await;
    let expected =
        owned(&[("Fields", "sim_swap,reassigned_number"), ("LastVerifiedDate", "20240101")]);
    assert_eq!(query(&provider), expected);
    provider
        .say_of(CALLER, json!({ "sim_swap": { "last_sim_swap": { "swapped_in_period": true } } }));
    ring(&house, 3, CALLER).await;
    provider.next(Answer::Error { status: 500, code: None });
    ring(&house, 4, "+15005550778").await;
    ring(&house, 5, "anonymous").await;
    assert_eq!(provider.look_ups().len(), 4, "each once, and none of a number that is not shown");
    let metrics = house.metrics().await;
    counted(&metrics, "calls", "risk=\"low\"", 1);
    counted(&metrics, "calls", "risk=\"medium\"", 3);
    counted(&metrics, "calls", "risk=\"high\"", 1);
    hides_everything(&house);
}

#[test]
fn what_is_wrong_in_the_configuration_is_told_at_its_place() {
    let provider = Provider::start();
    let refused = |from: &str, to: &str| {
        let house = set_up(&provider, "");
        house.change_configuration(from, to);
        house.refused()
    };
    let fields = format!("fields = [{ALL}]");
    let told = refused(&format!("{fields}\n"), "");
    assert!(told.contains("fields") && told.contains("name what your account has"), "{told}");
    let told = refused(&fields, "fields = []");
    assert!(told.contains("no number would be looked up"), "{told}");
    let told = refused(&fields, "fields = [\"sim_swaps\"]");
    assert!(told.contains("sim_swap"), "{told}");
    let told = refused("kind = \"twilio\"", "kind = \"twillio\"");
    assert!(told.contains("did you mean `twilio`?"), "{told}");
    let told = refused("timeout = \"800ms\"", "timeout = \"9s\"");
    assert!(told.contains("timeout"), "{told}");
    let told = refused(&fields, &format!("{fields}\nif_unkown = \"use\""));
    assert!(told.contains("did you mean `if_unknown`?"), "{told}");
    let told = refused("allow = [\"127.0.0.0/8\"]\n", "");
    assert!(told.contains("`url` cannot be asked"), "{told}");
    let told = refused(&format!("url = \"{}\"", provider.api_base()), "url = \"https://10.0.0.1\"");
    assert!(told.contains("private address"), "{told}");
    let told =
        refused("deadline_ms = 0", "deadline_ms = 0\n[policy.contact]\nsim_swap_days = 1000");
    assert!(told.contains("sim_swap_days"), "{told}");
}

/// A house whose account has these mobiles beside the first.
fn with_more_numbers(provider: &Provider, numbers: &[&str], more: &str) -> House {
    let mut house = set_up(provider, more);
    let path = house.folder.path().join("accounts.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let first = format!("phones = [{{ number = \"{MOBILE}\"");
    assert!(text.contains(&first));
    let line = |number: &&str| {
        format!(", {{ number = \"{number}\", line = \"mobile\", since = \"2024-01-01\" }}")
    };
    let more: String = numbers.iter().map(line).collect();
    std::fs::write(&path, text.replace("\"2024-01-01\" }]", &format!("\"2024-01-01\" }}{more}]")))
        .unwrap();
    house.restart();
    house
}

/// All that may be used are looked up at once, and the first of which nothing is known against it gets the code.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_number_on_file_that_will_do_gets_the_code() {
    const SECOND: &str = "+15005550020";
    const THIRD: &str = "+15005550021";
    const FOURTH: &str = "+15005550022";
    let provider = Provider::start();
    let house = with_more_numbers(&provider, &[SECOND, THIRD, FOURTH], "");
    let swapped = || json!({ "sim_swap": { "last_sim_swap": { "swapped_in_period": true } } });
    let to = |provider: &Provider, count: usize| {
        provider.wait_for(count);
        let sent = provider.requests().into_iter().rev();
        let mut sent = sent.filter(|it| it.path.ends_with("/Messages.json"));
        sent.next().unwrap().field("To").unwrap().to_owned()
    };
    assert!(is_sent(&ask(&house, 1, ACCOUNT, "1").await));
    assert_eq!(to(&provider, 4), MOBILE);
    assert_eq!(provider.look_ups().len(), 3, "no more than three are asked about");
    provider.say_of(MOBILE, swapped());
    assert!(is_sent(&ask(&house, 2, ACCOUNT, "1").await));
    assert_eq!(to(&provider, 8), SECOND);
    provider.say_of(SECOND, json!({ "reassigned_number": { "is_number_reassigned": "yes" } }));
    let telephone = ask(&house, 3, ACCOUNT, "1").await;
    assert!(is_sent(&telephone), "{}", telephone.spoken());
    assert_eq!(to(&provider, 12), THIRD);
    provider.say_of(THIRD, swapped());
    assert!(!is_sent(&ask(&house, 4, ACCOUNT, "1").await), "the fourth is not asked about");
    assert_eq!(provider.look_ups().len(), 12);
    let metrics = house.metrics().await;
    counted(&metrics, "numbers_looked_up", "fit=\"fits\"", 3 + 2 + 1);
    hides_everything(&house);
    for number in [SECOND, THIRD, FOURTH] {
        assert!(!house.log().contains(number), "{number} is in the log");
    }
}

/// What owners are told of failures goes to no number that somebody else may hold; it is kept, and may be sent later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_is_looked_up_when_it_goes_out() {
    let provider = Provider::start();
    let mut house = set_up(&provider, "");
    house
        .change_configuration("deadline_ms = 0", "deadline_ms = 0\n[policy.notices]\nfailures = 2");
    house.restart();
    provider.say_of(MOBILE, json!({ "reassigned_number": { "is_number_reassigned": "yes" } }));
    let mut telephone = Telephone::new("CA00000000000000000000000000000001", CALLER);
    telephone.ring(&house).await;
    for keys in [ACCOUNT, "111222", "111333"] {
        telephone.key(&house, keys).await;
    }
    let letter = eventually_async("a dead letter", async || {
        let told = house.ask("/api/outbox").await;
        told["dead_letters"].as_array().unwrap().first().cloned()
    })
    .await;
    assert_eq!((&letter["what"], &letter["why"]), (&json!("send_sms"), &json!("refused")));
    house.logs("a notice may go to no number on file");
    assert_eq!((provider.look_ups().len(), provider.messages().len()), (1, 0));
    let id = letter["effect"].as_str().unwrap().to_owned();
    let retry = async || {
        let url = format!("{}/api/outbox/{id}/retry", house.admin());
        client().post(url).bearer_auth(OPERATOR).send().await.unwrap().status().as_u16()
    };
    assert_eq!(retry().await, 502, "it may still not");
    provider.say_of(MOBILE, json!({ "reassigned_number": { "is_number_reassigned": "no" } }));
    assert_eq!(retry().await, 200);
    assert_eq!((provider.look_ups().len(), provider.messages().len()), (3, 1));
    hides_everything(&house);
}

/// A house that asks nobody may keep what it would ask, and asks nobody.
#[tokio::test]
async fn none_asks_nothing() {
    let provider = Provider::start();
    let mut house = set_up(&provider, "callers = true");
    house.change_configuration("kind = \"twilio\"", "kind = \"none\"");
    house.restart();
    provider.say_of(MOBILE, json!({ "reassigned_number": { "is_number_reassigned": "yes" } }));
    assert!(is_sent(&ask(&house, 1, ACCOUNT, "1").await));
    provider.wait_for(1);
    assert_eq!(provider.look_ups(), []);
}

/// Networks that have nothing to say against anybody, and count how often they are asked.
#[derive(Debug, Default)]
struct Counted(AtomicUsize);

#[async_trait]
impl Numbers for Counted {
    async fn look_up(&self, _: About<'_>, _: tokio::time::Instant) -> Option<Told> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Some(Told::default())
    }
}

/// Each look-up costs: what was looked up is not asked again, nor anything of a number that calls without end.
#[tokio::test]
async fn what_was_looked_up_is_not_paid_for_again() {
    let numbers = Arc::new(Counted::default());
    let asked = || numbers.0.load(Ordering::SeqCst);
    let clock = Arc::new(VirtualClock::at(SystemClock.now()));
    let exchange = exchange(Arc::new(MemoryStore::default()), vault(), clock);
    let exchange = Arc::into_inner(exchange).unwrap().looking_up(numbers.clone(), true);
    let (number, since) = (PhoneNumber::parse(MOBILE).unwrap(), "2024-01-01".parse().unwrap());
    let phone = Phone { number: number.clone(), line: Line::Mobile, since };
    for (key, times) in [("one", 1), ("one", 1), ("two", 2)] {
        let fits = exchange.fits(key, std::slice::from_ref(&phone)).await.unwrap();
        assert_eq!((fits, asked()), (vec![Fit::Fits], times), "{key}");
    }
    let rings =
        async |sid: String| exchange.signals(CallId::of(ACCOUNT_SID, &Sid(sid)), &number).await;
    for call in 0..limits::CALLS_PER_CALLER_H {
        for _ in 0..2 {
            assert!(rings(format!("CA{call}")).await.is_empty());
            assert_eq!(asked(), 3 + usize::try_from(call).unwrap(), "once a call");
        }
    }
    let before = asked();
    assert_eq!(rings("CB".into()).await, BTreeSet::from([Signal::ManyCalls]));
    assert_eq!(asked(), before);
}
