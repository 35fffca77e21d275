//! What others say of a call and for it: back ends, the provider's statuses, whoever edits flows. Words stay words,
//! and no call is moved by what is not its own.

use std::time::Duration;

use callgate::engine::event::Heard;
use callgate::engine::id::{Nonce, Sid};
use callgate::engine::reply::{Dial, DialTarget, Verb};
use callgate::exchange::Wants;
use callgate::flow::level::Fact;
use callgate::twiml;
use callgate::twiml::grammar::{self, Node};
use callgate::twiml::links::Links;
use serde_json::{Value, json};

use super::office::{ACCOUNT, DESK, Line, Office, account, other_than};
use super::secrets::dump;
use crate::support::backend::{Backend, Manner};
use crate::support::eventually::eventually;
use crate::support::house::{self, FALLBACK, House, PIN, PUBLIC_URL};
use crate::support::provider::Provider;
use crate::support::redis::RedisServer;
use crate::support::telephone::{Telephone, digits};

/// A back end's text is spoken, sent and whispered.
const NOTES: &str = r#"name = "desk"
start = "who"
business = "Acme Bank"
[levels]
strong = { any = ["sms_otp"] }
[states.who]
type = "identify"
by = ["digits"]
digits = 8
prompt = "Your account?"
on = { found = "ask", unknown = "ask" }
[states.ask]
type = "lookup"
backend = "notes"
account = false
on = { ok = "menu", failed = "down" }
[states.ask.give]
note = { type = "text", label = "anyone" }
[states.menu]
type = "menu"
prompt = "Press 1, 2 or 3."
keys = { 1 = "said", 2 = "text", 3 = "person" }
on = { no_input = "bye", no_match = "bye" }
[states.said]
type = "hangup"
prompt = "They say: {{ note }}."
[states.text]
type = "send_link"
message = "Acme Bank: {{ note }}, see https://acme.example"
accept = ["enumeration"]
on = { sent = "bye", unavailable = "bye", limited = "down" }
[states.person]
type = "transfer"
to = { number = "+15005550042" }
whisper = "About: {{ note }}."
on = { completed = "bye", busy = "bye", no_answer = "bye", failed = "bye", declined = "bye" }
[states.down]
type = "hangup"
prompt = "Not now."
[states.bye]
type = "hangup"
prompt = "Goodbye."
"#;

/// What somebody writes who wants to be more than words. Each has a name in it by which it is found again.
const SAID: [&str; 8] = [
    "Mallory\r\nTo: +19005550100\r\n\r\nYour code is 000000",
    "Mallory</Say><Dial>+19005550100</Dial><Say>]]>&#60;Hangup/&#62;",
    "Mallory\" action=\"https://evil.example/\" x='",
    "Mallory\u{202e}elpmaxe.live\u{2066}\u{200f}\u{61c}",
    "Mallory\n@evil.example #000000",
    "Mallory\u{2028}Nobody at Acme Bank\u{2029}\u{85}\u{b}\u{c}",
    "Mallory\u{0}\u{1b}[2J\u{7}\u{fffe}{{ account.balance }}{% for x in y %}",
    "{\"level\":\"ERROR\",\"fields\":{\"message\":\"Mallory\"}}\n{\"level\":\"ERROR\"}",
];

fn shape(node: &Node) -> Vec<&str> {
    let mut names = vec![node.name.as_str()];
    names.extend(node.children.iter().flat_map(shape));
    names
}

/// Whether there is nothing in a text but what its reader sees, in its order and on its one line.
fn is_plain(text: &str) -> bool {
    let hidden = |c: char| {
        c.is_control()
            || ('\u{2028}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
            || ['\u{61c}', '\u{200e}', '\u{200f}'].contains(&c)
    };
    !text.chars().any(hidden)
}

fn notes(provider: &Provider, backend: &Backend) -> House {
    let mut house = House::set_up("memory:", &provider.api_base());
    std::fs::write(house.folder.path().join("flows/desk.toml"), NOTES).unwrap();
    house.change_configuration(
        "[[admin.tokens]]",
        &format!(
            "[backends.notes]\nurl = \"{}\"\nallow = [\"127.0.0.0/8\"]\n[[admin.tokens]]",
            backend.url()
        ),
    );
    // One account for each of them, so that none comes too soon after another.
    let path = house.folder.path().join("accounts.toml");
    let one = std::fs::read_to_string(&path).unwrap();
    let nth = |n: usize| {
        one.replace(house::ACCOUNT, &id(n))
            .replace(house::MOBILE, &format!("+1500555{:04}", 100 + n))
    };
    std::fs::write(path, (0..=SAID.len()).map(nth).collect::<String>()).unwrap();
    house.restart();
    house
}

fn id(n: usize) -> String {
    format!("{}", 81_000_000 + n)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t50_what_a_back_end_says_is_words_wherever_it_is_put() {
    let provider = Provider::start();
    let backend = Backend::start(|_| Manner::Drop);
    let house = notes(&provider, &backend);
    let ring = async |n: usize, key: &str| {
        let mut phone = Telephone::new(&format!("CA{key}{n:031}"), "");
        phone.ring(&house).await;
        phone.key(&house, &id(n)).await;
        if phone.hears("Gather") {
            phone.key(&house, key).await;
        }
        phone
    };
    for (n, said) in SAID.into_iter().enumerate() {
        backend.answer(move |_| Manner::Json(json!({ "note": said })));
        let phone = ring(n, "1").await;
        assert_eq!(shape(&phone.heard), ["Response", "Say", "Hangup"], "{said:?}");
        let spoken = phone.spoken();
        assert!(spoken.starts_with("They say: ") && spoken.contains("Mallory"), "{spoken:?}");
        assert!(is_plain(&spoken), "{spoken:?}");

        ring(n, "2").await;
        let sent = eventually("the message", || provider.messages().get(n).cloned());
        let body = sent.field("Body").unwrap();
        assert!(is_plain(body), "{body:?}");
        assert!(body.starts_with("Acme Bank: ") && body.ends_with(", see https://acme.example"));
        assert_eq!(sent.field("To"), Some(&*format!("+1500555{:04}", 100 + n)), "{said:?}");

        let phone = ring(n, "3").await;
        assert_eq!(shape(&phone.heard), ["Response", "Dial", "Number"], "{said:?}");
        let whisper = phone.heard.children[0].children[0].attribute("url").unwrap();
        let mut specialist = Telephone::rung(&format!("CAW{n:031}"), "+15005550042");
        let path = whisper.strip_prefix(PUBLIC_URL).unwrap();
        specialist.post(&house, path, &[("CallStatus", "in-progress")]).await;
        let names = shape(&specialist.heard);
        assert_eq!(names[..2], ["Response", "Gather"], "{said:?}");
        // Spoken words, and where a silent specialist is led.
        let is_own = |name: &&str| *name == "Say" || *name == "Redirect";
        assert!(names[2..].iter().all(is_own), "{said:?}: {names:?}");
        let redirects: Vec<_> = { &specialist.heard.children }.iter().skip(1).collect();
        assert!(redirects.iter().all(|it| it.text.starts_with(PUBLIC_URL)), "{redirects:?}");
        let spoken = specialist.spoken();
        assert!(spoken.starts_with("Not verified. ") && is_plain(&spoken), "{spoken:?}");
        assert!(spoken.ends_with("To take this call press 1."), "{spoken:?}");
    }
    // What is too long to be said is no answer.
    backend.answer(|_| Manner::Json(json!({ "note": "Mallory ".repeat(5_000) })));
    assert_eq!(ring(SAID.len(), "1").await.spoken(), "Not now.");
    let log = house.log();
    for line in log.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("no record: {line}"));
    }
    assert!(!log.contains("Mallory"), "what a back end says is not logged");
    assert!(!house.metrics().await.contains("Mallory"));
}

/// The nonce of the whisper to whom the caller is put through; `None`: they are put through to nobody.
pub(super) fn whisper_of(line: &Line) -> Option<Nonce> {
    line.reply.verbs.iter().find_map(|verb| match verb {
        Verb::Dial(Dial { to: DialTarget::Number { whisper, .. }, .. }) => *whisper,
        _ => None,
    })
}

/// Whispers that nobody has checked: a specialist hears of an account what was proved and no more, and where that is
/// less than the whisper has in it nobody is rung. A name with markup in it is words.
#[tokio::test]
async fn t42_no_whisper_tells_what_is_not_proved() {
    let name = "Ada</Say><Redirect>https://evil.example</Redirect>\\r\\n\\u202e";
    let accounts = account(ACCOUNT, "2024-01-01").replace("\"Ada\"", &format!("\"{name}\""));
    let links = Links::new("https://ivr.example.com");
    let wrong = other_than(super::office::PIN);
    let callers = [(ACCOUNT, super::office::PIN), (ACCOUNT, &*wrong), ("30000000", &*wrong)];
    let whispers =
        ["It is {{ account.first_name }}.", "{{ account.first_name }} {{ account.balance }}"];
    for (n, ((claim, entry), whisper)) in
        callers.into_iter().flat_map(|of| whispers.map(|whisper| (of, whisper))).enumerate()
    {
        let flow = DESK
            .replace("first_name = \"strong\"", "first_name = \"known\"")
            .replace("[levels]", "[levels]\nknown = { any = [\"pin\"] }")
            .replace("ok = \"menu\", failed = \"sorry\"", "ok = \"desk\", failed = \"desk\"")
            + "[states.desk]\ntype = \"transfer\"\nto = { number = \"+15005550042\" }\n\
               on = { completed = \"bye\", busy = \"bye\", no_answer = \"bye\", failed = \"bye\", declined = \"bye\" }\n\
               whisper = "
            + &format!("\"{whisper}\"\n");
        let office = Office::fresh(&flow, &accounts);
        let mut line = office.ring(&format!("CA{n}")).await;
        line.key(claim).await;
        for _ in 0..3 {
            if line.reply.verbs.iter().any(|verb| matches!(verb, Verb::Gather(_))) {
                line.key(entry).await;
            }
        }
        let rung = whisper_of(&line);
        assert_eq!(rung.is_some(), n == 0, "{n}: {:?}", line.reply);
        assert!(!line.spoken().contains("Ada") && !line.spoken().contains("1234"), "{n}");
        let Some(nonce) = rung else { continue };
        let mut leg = line.copy_at(&office);
        leg.sid = Sid("CAW".into());
        leg.tell(Wants::Turn(nonce), Heard::default()).await;
        let written = twiml::render(&leg.reply, &links, line.call);
        grammar::validate(&written).unwrap();
        let heard = grammar::read(&written).unwrap();
        let own = ["Response", "Gather", "Say", "Say", "Say", "Redirect"];
        assert_eq!(shape(&heard), own, "{written}");
        let told = crate::support::telephone::spoken(&heard);
        assert!(told.starts_with("Verified by PIN, just now. It is Ada"), "{told}");
        assert!(is_plain(&told), "{told:?}");
        // It is told to whoever was rung: another leg hears nothing of it.
        let mut other = line.copy_at(&office);
        other.sid = Sid("CA99".into());
        other.tell(Wants::Turn(nonce), Heard::default()).await;
        other.tell(leg.next(), Heard::default()).await;
        assert!(!twiml::render(&other.reply, &links, line.call).contains("Ada"));
    }
}

/// The ring of a call: where it is answered, where it is reported of, and its name.
struct Rung {
    url: String,
    status: String,
    sid: String,
}

fn rung(provider: &Provider, to: &str) -> Rung {
    eventually("the number on file is rung", || {
        let asked = provider.requests();
        let ring =
            asked.iter().find(|it| it.field("Url").is_some() && it.field("To") == Some(to))?;
        let sid = provider.calls().into_iter().find(|placed| placed.to == to)?.sid;
        let path = |field: &str| ring.field(field)?.strip_prefix(PUBLIC_URL).map(str::to_owned);
        Some(Rung { url: path("Url")?, status: path("StatusCallback")?, sid })
    })
}

/// How a call stands, without what goes on by itself.
async fn standing(house: &House, phone: &Telephone) -> Value {
    let call = house.ask(&format!("/api/calls/{}", crate::agents::call_of(&phone.sid))).await;
    let facts = call["facts"].as_array().unwrap().len();
    json!({ "state": call["state"], "turns": call["turns"], "end": call["end"], "facts": facts })
}

async fn no_status_moves_what_is_not_its_own(store: &str) {
    const FINAL: [&str; 5] = ["completed", "busy", "no-answer", "failed", "canceled"];
    let provider = Provider::start();
    let mut house = House::set_up(store, &provider.api_base());
    let path = house.folder.path().join("accounts.toml");
    let one = std::fs::read_to_string(&path).unwrap();
    let mobile = |n: usize| format!("+1500555{:04}", 100 + n);
    let nth = |n| one.replace(house::ACCOUNT, &id(n)).replace(house::MOBILE, &mobile(n));
    std::fs::write(path, [nth(0), nth(1)].concat()).unwrap();
    house.restart();
    let mut phones = Vec::new();
    for n in 0..2 {
        let mut phone = Telephone::new(&format!("CA12{n:030}"), "");
        phone.ring(&house).await;
        for entry in [&*id(n), PIN, "2"] {
            phone.key(&house, entry).await;
        }
        phones.push(phone);
    }
    let code = digits(&phones[0].spoken())[..6].to_owned();
    let [own, other] = [0, 1].map(|n| rung(&provider, &mobile(n)));
    let all = async || [standing(&house, &phones[0]).await, standing(&house, &phones[1]).await];
    // Now the names of the legs are known, whether the provider's answers have come or not.
    for (rung, n) in [(&own, 0), (&other, 1)] {
        Telephone::rung(&rung.sid, &mobile(n))
            .status(&house, &rung.status, &[("CallStatus", "ringing")])
            .await;
    }
    let before = all().await;
    let parts = |rung: &Rung| rung.status.split('/').map(str::to_owned).collect::<Vec<_>>();
    let (a, b) = (parts(&own), parts(&other));
    let nobody = crate::agents::call_of("CA99");
    let at = |call: &str, effect: &str| format!("/twilio/status/{call}/{effect}");
    let elsewhere = [
        at(&a[3], &b[4]),
        at(&b[3], &a[4]),
        at(&a[3], &nobody),
        at(&nobody, &a[4]),
        at(&a[4], &a[3]),
        "/twilio/status/none/none".to_owned(),
        "/twilio/status".to_owned(),
    ];
    for word in FINAL.into_iter().chain(["in-progress", "answered", "nonsense", ""]) {
        let word = [("CallStatus", word)];
        // At its own address, of other legs: the other call's, its own first one, and one of nobody's.
        for sid in [&other.sid, &phones[0].sid, "CA99"] {
            Telephone::rung(sid, &mobile(0)).status(&house, &own.status, &word).await;
        }
        for path in &elsewhere {
            Telephone::rung(&own.sid, &mobile(0)).status(&house, path, &word).await;
        }
    }
    assert_eq!(all().await, before, "nobody is moved by what is not theirs");
    // Not signed, signed with another key, for another address, for other words.
    let form = [("CallSid", &*own.sid), ("CallStatus", "completed")];
    let form = form.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let sign = |key: &str, path: &str, form: &[(String, String)]| {
        let url = format!("{PUBLIC_URL}{path}");
        callgate::carrier::signature::sign(&key.to_owned().into(), &url, form)
    };
    let key = crate::support::provider::AUTH_TOKEN;
    for signature in [
        None,
        Some(sign("guessed", &own.status, &form)),
        Some(sign(key, &other.status, &form)),
        Some(sign(key, &own.status, &form[..1])),
    ] {
        let post = house::client().post(format!("{}{}", house.public(), own.status)).form(&form);
        let post = match signature {
            Some(signature) => post.header("X-Twilio-Signature", signature),
            None => post,
        };
        assert_eq!(post.send().await.unwrap().status().as_u16(), 403);
    }
    assert_eq!(all().await, before, "nor by what nobody signed");
    // The ring is answered, and proved; what is told of it late, twice and out of order takes nothing back.
    let mut leg = Telephone::rung(&own.sid, &mobile(0));
    leg.post(&house, &own.url, &[("CallStatus", "in-progress"), ("AnsweredBy", "human")]).await;
    leg.copies = 2;
    for word in ["ringing", "initiated", "queued", "in-progress", "ringing"] {
        leg.status(&house, &own.status, &[("CallStatus", word)]).await;
    }
    leg.copies = 1;
    leg.key(&house, &code).await;
    let proved = all().await;
    assert_eq!(proved[0]["facts"], 2, "{proved:?}");
    assert_eq!(proved[1], before[1]);
    leg.copies = 2;
    for word in FINAL.into_iter().chain(["ringing", "in-progress"]) {
        leg.status(&house, &own.status, &[("CallStatus", word)]).await;
        let now = standing(&house, &phones[0]).await;
        for key in ["state", "facts", "end"] {
            assert_eq!(now[key], proved[0][key], "{word}");
        }
    }
    // And once the caller is gone nothing is told that anybody hears.
    phones[0].status(&house, "/twilio/status", &[("CallStatus", "completed")]).await;
    let over = standing(&house, &phones[0]).await;
    assert_ne!(over["end"], Value::Null, "{over}");
    for word in FINAL.into_iter().chain(["ringing", "in-progress", "answered"]) {
        leg.status(&house, &own.status, &[("CallStatus", word)]).await;
        phones[0].status(&house, "/twilio/status", &[("CallStatus", word)]).await;
    }
    assert_eq!(all().await, [over, proved[1].clone()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t12_no_status_moves_a_call_that_it_is_not_of_or_that_is_over_on_redb() {
    no_status_moves_what_is_not_its_own("embedded:calls.redb").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t12_no_status_moves_a_call_that_it_is_not_of_or_that_is_over_on_redis() {
    let redis = RedisServer::start();
    no_status_moves_what_is_not_its_own(&redis.url()).await;
}

/// The flow of the tests without its guard: the balance is for everybody, the states of its proof are gone, and
/// the menu has another name.
fn without_its_guard() -> String {
    let (before, rest) = DESK.split_once("[states.prove]").unwrap();
    let (_, after) = rest.split_once("[states.ring_back]").unwrap();
    let flow = format!("{before}[states.ring_back]{after}")
        .replace("requires = \"strong\"\nstep_up = \"prove\"\nprompt = \"Your balance is {{ account.balance | money }}.\"", "prompt = \"Anybody may hear this.\"")
        .replace("next = \"menu\"\non = { denied = \"sorry\" }", "next = \"choices\"")
        .replace("[states.menu]", "[states.choices]")
        .replace("ok = \"menu\"", "ok = \"choices\"")
        .replace("balance = \"strong\"\n", "");
    assert!(!flow.contains("\"menu\"\n[") && !flow.contains("states.code"));
    flow
}

async fn no_reload_moves_a_live_call(store: &str, redis: Option<&RedisServer>) {
    const ASKED: &str = "Key in the six digits we have just sent you.";
    let provider = Provider::start();
    let mut house = House::start(store, &provider.api_base());
    let mut at_menu = Vec::new();
    for n in 0..3 {
        let mut phone = Telephone::new(&format!("CA54{n:030}"), "+15005550777");
        phone.ring(&house).await;
        phone.key(&house, house::ACCOUNT).await;
        phone.key(&house, PIN).await;
        at_menu.push(phone);
    }
    let [mut old, mut later, mut robbed]: [Telephone; 3] = at_menu.try_into().ok().unwrap();
    let mut at_code = Telephone::new("CA00000000000000000000000000000054", "+15005550777");
    at_code.ring(&house).await;
    for entry in [house::ACCOUNT, PIN, "1"] {
        at_code.key(&house, entry).await;
    }
    assert_eq!(at_code.spoken(), ASKED);
    let code = digits(provider.wait_for(1)[0].field("Body").unwrap());

    std::fs::write(house.folder.path().join("flows/desk.toml"), without_its_guard()).unwrap();
    eventually("the flow without its guard is in use", || {
        house.log().contains("the changed flows are in use for new calls").then_some(())
    });
    let mut new = Telephone::new("CA00000000000000000000000000000055", "+15005550777");
    new.ring(&house).await;
    for entry in [house::ACCOUNT, PIN, "1"] {
        new.key(&house, entry).await;
    }
    assert!(new.spoken().starts_with("Anybody may hear this."), "{}", new.spoken());

    // In the state that is gone, in the one that has another name, and before the guard that is gone.
    at_code.key(&house, &code).await;
    assert!(at_code.spoken().starts_with("Your balance is 1,234 dollars"), "{}", at_code.spoken());
    let guarded = async |house: &House, phone: &mut Telephone| {
        phone.key(house, "1").await;
        assert!(!phone.spoken().contains("Anybody"), "{}", phone.spoken());
        assert!(!phone.spoken().contains("dollars"), "{}", phone.spoken());
    };
    guarded(&house, &mut old).await;
    house.kill();
    house.restart();
    guarded(&house, &mut later).await;

    // Nor where somebody changes the version that is kept for it: then there is none.
    let Some(redis) = redis else { return };
    house.kill();
    assert!(alter(redis, b"requires = ", b"comments = ") > 0);
    house.restart();
    robbed.key(&house, "1").await;
    let spoken = robbed.spoken();
    assert!(!spoken.contains("Anybody") && !spoken.contains("dollars"), "{spoken}");
    let dial = robbed.heard.children.iter().find(|verb| verb.name == "Dial").unwrap();
    assert_eq!(dial.children[0].text, FALLBACK, "they are put through to somebody");
}

/// Changes these bytes wherever Redis keeps them, and says how often.
fn alter(redis: &RedisServer, from: &[u8], to: &[u8]) -> usize {
    let mut connection = redis::Client::open(redis.url()).unwrap().get_connection().unwrap();
    let changed = |value: &[u8]| {
        let at = value.windows(from.len()).position(|window| window == from)?;
        Some([&value[..at], to, &value[at + from.len()..]].concat())
    };
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    let mut count = 0;
    for key in keys {
        let kind: String = redis::cmd("TYPE").arg(&key).query(&mut connection).unwrap();
        if kind == "string" {
            let value: Vec<u8> = redis::cmd("GET").arg(&key).query(&mut connection).unwrap();
            if let Some(value) = changed(&value) {
                redis::cmd("SET")
                    .arg(&key)
                    .arg(value)
                    .arg("KEEPTTL")
                    .exec(&mut connection)
                    .unwrap();
                count += 1;
            }
        } else if kind == "hash" {
            let fields: Vec<(Vec<u8>, Vec<u8>)> =
                redis::cmd("HGETALL").arg(&key).query(&mut connection).unwrap();
            for (field, value) in fields {
                if let Some(value) = changed(&value) {
                    redis::cmd("HSET")
                        .arg(&key)
                        .arg(field)
                        .arg(value)
                        .exec(&mut connection)
                        .unwrap();
                    count += 1;
                }
            }
        }
    }
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t54_no_reload_moves_a_live_call_on_redb() {
    no_reload_moves_a_live_call("embedded:calls.redb", None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t54_no_reload_moves_a_live_call_on_redis() {
    let redis = RedisServer::start();
    no_reload_moves_a_live_call(&redis.url(), Some(&redis)).await;
    assert!(!dump(&redis).is_empty());
}

/// Two actions, each with a message of its own: who was talked into passing the code of one on has not passed on that
/// of the other.
#[tokio::test]
async fn t71_the_code_of_a_message_for_one_action_is_none_for_another() {
    let card = "[states.prove_card]\ntype = \"send_sms_otp\"\nmessage = \"Acme Bank: {{ code }} lets a caller order a new card. Nobody will ask you for it.\"\n\
        on = { sent = \"code\", unavailable = \"sorry\", limited = \"sorry\" }\n";
    let flow = DESK
        .replace("all = [\"pin\", \"callback\"]", "all = [\"pin\", \"sms_otp\"]")
        .replace("type = \"send_sms_otp\"", "type = \"send_sms_otp\"\nmessage = \"Acme Bank: {{ code }} lets a caller hear your balance. Nobody will ask you for it.\"")
        .replace("step_up = \"ring_back\"", "step_up = \"prove_card\"")
        .replace("type = \"gather_otp\"\n", "type = \"gather_otp\"\ntries = 1\n")
        .replace("next = \"menu\"\non = { denied = \"sorry\" }", "next = \"menu\"\non = { denied = \"menu\" }")
        + card;
    for uses_own in [false, true] {
        let office = Office::fresh(&flow, &account(ACCOUNT, "2024-01-01"));
        let mut line = office.ring_to_menu("CA71").await;
        line.key("1").await;
        let balance = office.code(line.call).await;
        // The attacker has it out of the customer, and does not use it for what its message says.
        line.key(&other_than(&balance)).await;
        assert!(line.spoken().contains("For a new card press 2"), "{}", line.spoken());
        office.clock.advance(Duration::from_mins(2));
        line.key("2").await;
        let card = office.code(line.call).await;
        assert_ne!(card, balance, "one in a million");
        let messages = office.world.messages(line.call);
        let bodies: Vec<_> = messages.iter().map(|message| message.body.expose()).collect();
        assert!(
            bodies[0].contains("hear your balance") && !bodies[0].contains(&card),
            "{bodies:?}"
        );
        assert!(
            bodies[1].contains("order a new card") && !bodies[1].contains(&balance),
            "{bodies:?}"
        );
        line.key(if uses_own { &card } else { &balance }).await;
        let proved = office.facts(line.call).await.contains(&Fact::SmsOtp);
        let connected = line.reply.verbs.iter().any(|verb| matches!(verb, Verb::Enqueue(_)));
        assert_eq!((proved, connected), (uses_own, uses_own), "{:?}", line.reply);
    }
}
