//! A caller is handed over with what was proved, and the fields that it allows.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use callgate::clock::{Clock as _, SystemClock};
use callgate::engine::event::{DialStatus, Heard};
use callgate::engine::id::Sid;
use callgate::engine::reply::{DialTarget, Verb};
use callgate::exchange::{Request, Wants};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::office::{AGENT, CALLER, agent, call_of, caller, house};
use super::verifier::verify;
use crate::support::house::{ACCOUNT, House, OPERATOR, PIN, client};
use crate::support::provider::Provider;
use crate::support::telephone::Telephone;
use crate::threats::office::{Line, Office, account};

const WORKFLOW: &str = "WW0123456789abcdef0123456789abcdef";
const SIP: &str = "sip:desk@example.com";

/// The published keys: no token is asked for.
async fn keys(house: &House) -> Value {
    let url = format!("{}/.well-known/jwks.json", house.admin());
    client().get(url).send().await.unwrap().json().await.unwrap()
}

/// The attributes of the task in the last answer.
fn task(phone: &Telephone) -> Value {
    let enqueue = phone.heard.children.iter().find(|verb| verb.name == "Enqueue").unwrap();
    serde_json::from_str(&enqueue.children[0].text).unwrap()
}

/// The header fields of the SIP address in the last answer.
fn headers(phone: &Telephone) -> Vec<(String, String)> {
    let dial = phone.heard.children.iter().find(|verb| verb.name == "Dial").unwrap();
    let address = &dial.children[0].text;
    let (uri, query) = address.split_once('?').unwrap();
    assert_eq!(uri, SIP);
    assert!(query.len() < callgate::limits::SIP_HEADERS_BYTES_MAX, "{}", query.len());
    let field = |field: &str| {
        let (name, value) = field.split_once('=').unwrap();
        (name.to_owned(), percent_decode_str(value).decode_utf8().unwrap().into_owned())
    };
    query.split('&').map(field).collect()
}

fn now_s() -> u64 {
    u64::try_from(SystemClock.now().as_second()).unwrap()
}

#[tokio::test]
async fn a_task_has_what_the_facts_allow_and_a_voucher_that_others_can_check() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    let mut phone = caller(&house, "CA01", true).await;
    phone.copies = 2;
    phone.key(&house, "1").await;
    let task = task(&phone);
    assert_eq!(task["shared"], json!({ "first_name": "Ada" }), "no balance for a PIN");
    assert_eq!(task["proved"], json!(["pin"]));
    assert_eq!(task["levels"], json!(["basic"]));
    assert!(task["age_s"]["pin"].as_u64().unwrap() < 60);
    assert_eq!(task["edition"].as_str().unwrap().len(), 64);

    let voucher = task["voucher"].as_str().unwrap();
    let keys = keys(&house).await;
    let said = verify(voucher, &keys, WORKFLOW, now_s()).unwrap();
    assert_eq!(said["call"], task["callgate_call"]);
    assert_eq!(said["iat"], task["at"]);
    assert_eq!(said["facts"], task["age_s"]);
    assert_eq!((&said["levels"], &said["flow"]), (&json!(["basic"]), &json!("desk")));
    assert_eq!((&said["edition"], &said["share"]), (&task["edition"], &json!(["first_name"])));
    let (issued, until) = (said["iat"].as_u64().unwrap(), said["exp"].as_u64().unwrap());
    assert_eq!(until - issued, callgate::limits::VOUCHER_TTL.as_secs());
    let subject = said["sub"].as_str().unwrap();
    assert_eq!(subject.len(), 64, "a reference, and no account");
    for secret in [ACCOUNT, PIN, "Ada", "1234.56"] {
        assert!(!said.to_string().contains(secret), "{secret}");
    }

    assert!(verify(voucher, &keys, WORKFLOW, until - 1).is_ok());
    assert!(verify(voucher, &keys, WORKFLOW, until).is_err(), "it runs out");
    assert!(verify(voucher, &keys, SIP, now_s()).is_err(), "it is for one audience");
    let bytes = voucher.as_bytes();
    for at in 0..bytes.len() {
        let mut altered = bytes.to_vec();
        altered[at] = match altered[at] {
            b'.' => b'A',
            b'A' => b'B',
            _ => b'A',
        };
        let altered = String::from_utf8(altered).unwrap();
        assert!(verify(&altered, &keys, WORKFLOW, now_s()).is_err(), "byte {at}");
    }
    // What others are shown is enough to check a voucher and not to make one: neither without a key, nor with the
    // published one as if it were a shared secret, nor under the name of another key.
    let published = keys["keys"].as_array().unwrap();
    for key in published {
        assert_eq!((key["kty"].as_str(), key["alg"].as_str()), (Some("OKP"), Some("EdDSA")));
        assert!(["d", "k", "p", "q"].iter().all(|private| key.get(private).is_none()), "{key}");
    }
    let [head, claims, signed] = voucher.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let own: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).unwrap()).unwrap();
    let other = published.iter().find(|key| key["kid"] != own["kid"]).unwrap();
    for (alg, kid, signed) in [
        ("none", &own["kid"], ""),
        ("none", &own["kid"], signed),
        ("HS256", &own["kid"], signed),
        ("EdDSA", &other["kid"], signed),
        ("EdDSA", &json!("no such key"), signed),
    ] {
        let head = URL_SAFE_NO_PAD.encode(json!({ "alg": alg, "kid": kid }).to_string());
        let forged = format!("{head}.{claims}.{signed}");
        assert!(verify(&forged, &keys, WORKFLOW, now_s()).is_err(), "{alg}, {kid}");
    }

    let log = house.log();
    assert!(!log.contains(voucher), "no voucher is logged");
}

/// Whoever takes the caller over is told which web session a code came from, wherever they look.
#[tokio::test]
async fn a_code_of_a_session_with_one_factor_is_told_as_that() {
    let provider = Provider::start();
    let mut house = house("memory:", &provider);
    let flow = house.folder.path().join("flows/desk.toml");
    let text = std::fs::read_to_string(&flow).unwrap();
    let pin = "type = \"gather_pin\"\nprompt = \"Please key in your PIN.\"\ndigits = 6";
    let web = "type = \"gather_service_code\"\nprompt = \"Please key in your code.\"";
    assert!(text.contains(pin));
    std::fs::write(&flow, text.replacen(pin, web, 1)).unwrap();
    house.restart();
    for (number, level, told) in [(0, "aal1", Some(json!(["service_code"]))), (1, "aal2", None)] {
        let mut taken_over = Vec::new();
        for (sid, choice) in [(format!("CA4{number}"), "1"), (format!("CA5{number}"), "4")] {
            let issued = client()
                .post(format!("{}/api/service-codes", house.admin()))
                .bearer_auth(OPERATOR)
                .json(&json!({ "account": ACCOUNT, "level": level }));
            let issued: Value = issued.send().await.unwrap().json().await.unwrap();
            let mut phone = Telephone::new(&sid, CALLER);
            phone.ring(&house).await;
            for keys in [ACCOUNT, issued["code"].as_str().unwrap(), choice] {
                phone.key(&house, keys).await;
            }
            taken_over.push((phone, call_of(&sid)));
        }
        let task = task(&taken_over[0].0);
        let voucher = task["voucher"].as_str().unwrap();
        let said = verify(voucher, &keys(&house).await, WORKFLOW, now_s()).unwrap();
        let call = &taken_over[1].1;
        let (_, seen) = agent(&house, None, &format!("/api/calls/{call}")).await;
        for (of, said) in [("task", &task), ("voucher", &said), ("call", &seen)] {
            assert_eq!(said.get("one_factor"), told.as_ref(), "{of}: {said}");
        }
        let page = client().get(format!("{}/calls/{call}", house.admin()));
        let page = page.basic_auth("desk", Some(AGENT)).send().await.unwrap().text().await.unwrap();
        assert!(page.contains("service_code"), "{page}");
        assert_eq!(page.contains(", by one factor"), told.is_some(), "{page}");
    }
}

#[tokio::test]
async fn of_a_caller_who_proved_nothing_nothing_is_said() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    let mut phone = caller(&house, "CA02", false).await;
    phone.key(&house, "1").await;
    let told = task(&phone);
    assert_eq!((&told["shared"], &told["proved"]), (&json!({}), &json!([])));
    assert_eq!((&told["age_s"], &told["levels"]), (&json!({}), &json!([])));
    let said = verify(told["voucher"].as_str().unwrap(), &keys(&house).await, WORKFLOW, now_s());
    let said = said.unwrap();
    assert_eq!((said["facts"].clone(), said.get("sub")), (json!({}), None));

    let mut phone = caller(&house, "CA03", false).await;
    phone.key(&house, "2").await;
    let names: Vec<_> = headers(&phone).into_iter().map(|(name, _)| name).collect();
    let own = ["X-Callgate-Call", "X-Callgate-Proved", "X-Callgate-Levels", "X-Callgate-Voucher"];
    assert_eq!(names, own);
}

#[tokio::test]
async fn a_sip_endpoint_has_it_in_its_headers() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    let mut phone = caller(&house, "CA04", true).await;
    phone.key(&house, "2").await;
    let headers = headers(&phone);
    let field = |name: &str| {
        headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap()
    };
    assert!(field("X-Callgate-Proved").starts_with("pin;age="), "{headers:?}");
    assert_eq!((field("X-Callgate-Levels"), field("X-first-name")), ("basic".into(), "Ada".into()));
    let said = verify(&field("X-Callgate-Voucher"), &keys(&house).await, SIP, now_s()).unwrap();
    assert_eq!(said["call"], field("X-Callgate-Call"));
    assert!(headers.iter().all(|(name, _)| name != "X-balance"));
}

/// What stands in a directory is a value and stays one, whoever wrote it there: no header field, no attribute, no
/// element of its own.
#[tokio::test]
async fn no_field_of_an_account_becomes_more_than_a_value() {
    const NAMES: [&str; 5] = [
        "Ada\\r\\nX-Callgate-Levels: strong",
        "Ada\\u0085X-Callgate-Levels: strong\\u2028\\u0000",
        "Ada&X-Callgate-Proved=sms_otp;age=1?X-a=b",
        "Ada%0D%0AX-Callgate-Levels:%20strong",
        "Ada</Sip><Hangup/>]]>&#13;&lt;\\\", \\\"levels\\\": [\\\"strong\\\"], \\\"a\\\": \\\"",
    ];
    let provider = Provider::start();
    let mut house = house("memory:", &provider);
    for (n, name) in NAMES.into_iter().enumerate() {
        house.kill();
        let file = house.folder.path().join("accounts.toml");
        let accounts = std::fs::read_to_string(&file).unwrap();
        let line = accounts.lines().find(|line| line.starts_with("first_name")).unwrap();
        let accounts = accounts.replace(line, &format!("first_name = \"{name}\""));
        std::fs::write(file, accounts).unwrap();
        house.restart();
        let mut phone = caller(&house, &format!("CA5{n}"), true).await;
        phone.key(&house, "2").await;
        let headers = headers(&phone);
        let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let own = ["X-Callgate-Call", "X-Callgate-Proved", "X-Callgate-Levels"];
        assert_eq!(names, [&own[..], &["X-first-name", "X-Callgate-Voucher"]].concat(), "{name:?}");
        assert_eq!(headers[2].1, "basic", "{name:?}");
        assert!(headers[1].1.starts_with("pin;age="), "{name:?}");
        assert!(!headers[3].1.contains(|c: char| c.is_control()), "{:?}", headers[3].1);
        let [dial] = &phone.heard.children[..] else { panic!("{:?}", phone.heard) };
        assert_eq!((dial.name.as_str(), dial.children.len()), ("Dial", 1), "{name:?}");

        let mut phone = caller(&house, &format!("CA6{n}"), true).await;
        phone.key(&house, "1").await;
        let task = task(&phone);
        assert_eq!(task["levels"], json!(["basic"]), "{name:?}");
        let shared = task["shared"].as_object().unwrap();
        assert!(shared.len() == 1 && shared["first_name"].as_str().unwrap().starts_with("Ada"));
    }
}

/// A bank that hands over whoever keyed in the PIN, to whom `to` says.
fn handing_over(to: &str) -> Office {
    let flow = format!(
        "name = \"desk\"\nstart = \"who\"\n[levels]\nknown = {{ any = [\"pin\"] }}\n\
         [disclose]\nfirst_name = \"known\"\ncallgate_levels = \"known\"\n\
         [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
         on = {{ found = \"pin\", unknown = \"pin\" }}\n\
         [states.pin]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"PIN?\"\n\
         on = {{ ok = \"first\", failed = \"bye\", locked = \"bye\" }}\n\
         [states.first]\ntype = \"transfer\"\n{to}\n\
         on = {{ completed = \"bye\", busy = \"bye\", no_answer = \"second\", failed = \"bye\", declined = \"bye\" }}\n\
         [states.second]\ntype = \"transfer\"\n{to}\n\
         on = {{ completed = \"bye\", busy = \"bye\", no_answer = \"bye\", failed = \"bye\", declined = \"bye\" }}\n\
         [states.bye]\ntype = \"hangup\"\n"
    );
    let accounts = account(ACCOUNT, "2024-01-01") + "callgate_levels = \"strong\"\n";
    Office::fresh(&flow, &accounts)
}

fn dialled(line: &Line) -> DialTarget {
    let dial = line.reply.verbs.iter().find_map(|verb| match verb {
        Verb::Dial(dial) => Some(dial.to.clone()),
        _ => None,
    });
    dial.unwrap_or_else(|| panic!("{:?}", line.reply))
}

/// What callgate says of a caller is said by nobody else, however the directory names its fields.
#[tokio::test]
async fn no_field_of_an_account_passes_for_what_callgate_says() {
    let shared = "share = [\"first_name\", \"callgate_levels\"]";
    let office = handing_over(&format!("to = {{ sip = \"sip:desk@example.com\" }}\n{shared}"));
    let line = office.ring_to_menu("CA1").await;
    let DialTarget::Sip { headers, .. } = dialled(&line) else { panic!("{:?}", line.reply) };
    let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let own = ["X-Callgate-Call", "X-Callgate-Proved", "X-Callgate-Levels"];
    assert_eq!(names, [&own[..], &["X-first-name"]].concat());
    assert_eq!(headers[2].1, "known");
}

/// Somebody who was rung before the present specialist, and picks up late, is told nothing and connected to nobody.
#[tokio::test]
async fn who_picks_up_when_another_is_rung_hears_nothing() {
    let office = handing_over("to = { number = \"+15005550016\" }\nwhisper = \"A caller.\"");
    let mut line = office.ring_to_menu("CA1").await;
    let whispers = |line: &Line| match dialled(line) {
        DialTarget::Number { whisper: Some(nonce), .. } => nonce,
        other => panic!("{other:?}"),
    };
    let first = whispers(&line);
    let action = line.reply.verbs.iter().find_map(|verb| match verb {
        Verb::Dial(dial) => dial.action,
        _ => None,
    });
    let no_answer = Heard { dial: Some(DialStatus::NoAnswer), ..Heard::default() };
    line.tell(Wants::Turn(action.unwrap()), no_answer).await;
    let second = whispers(&line);
    for (sid, nonce, is_told) in [("CB1", first, false), ("CB2", second, true)] {
        let request = Request {
            call: line.call,
            sid: Sid(sid.into()),
            wants: Wants::Turn(nonce),
            heard: Heard::default(),
            fallback_number: None,
        };
        let (reply, _) = office.exchange.serve(&request).await.unwrap();
        let told = reply.verbs.iter().any(|verb| matches!(verb, Verb::Gather(_)));
        assert_eq!(told, is_told, "{sid}: {reply:?}");
    }
}

#[tokio::test]
async fn a_specialist_is_told_first_what_was_proved() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    for (sid, pin, told) in [
        ("CA05", true, "Verified by PIN, just now. A caller for the desk."),
        ("CA06", false, "Not verified. A caller for the desk."),
    ] {
        let mut phone = caller(&house, sid, pin).await;
        phone.key(&house, "3").await;
        let dial = phone.heard.children.iter().find(|verb| verb.name == "Dial").unwrap();
        let whisper = dial.children[0].attribute("url").unwrap();
        let whisper = whisper.strip_prefix(crate::support::house::PUBLIC_URL).unwrap().to_owned();
        let mut specialist = Telephone::rung(&format!("{sid}W"), "+15005550042");
        specialist.post(&house, &whisper, &[("CallStatus", "in-progress")]).await;
        assert_eq!(specialist.spoken(), format!("{told} To take this call press 1."));
    }
}

#[tokio::test]
async fn keys_are_changed_without_a_gap() {
    let provider = Provider::start();
    let mut house = house("memory:", &provider);
    let mut phone = caller(&house, "CA07", true).await;
    phone.key(&house, "1").await;
    let old = task(&phone)["voucher"].as_str().unwrap().to_owned();
    let before = keys(&house).await;

    house.kill();
    house.change_configuration("[directory]", "[vouchers]\nkey = 2\n[directory]");
    house.restart();
    let after = keys(&house).await;
    let mut phone = caller(&house, "CA08", true).await;
    phone.key(&house, "1").await;
    let new = task(&phone)["voucher"].as_str().unwrap().to_owned();
    let kid = |voucher: &str| jsonwebtoken::decode_header(voucher).unwrap().kid;
    assert_ne!(kid(&old), kid(&new));
    for (keys, when) in [(&before, "before"), (&after, "after")] {
        assert!(verify(&old, keys, WORKFLOW, now_s()).is_ok(), "the old one, {when}");
        assert!(verify(&new, keys, WORKFLOW, now_s()).is_ok(), "the new one, {when}");
        assert!(!keys.to_string().contains("\"d\""), "no private key is published");
    }
}

#[test]
fn a_key_that_is_none_is_told_at_its_place_with_the_way_out() {
    let provider = Provider::start();
    for (written, told) in [
        ("[vouchers]\nkeys = 2", "did you mean `key`?"),
        ("[vouchers]\nttl = \"1h\"", "`vouchers` has no key `ttl`"),
        ("[vouchers]\nkey = 0", "`key` must be a whole number from 1 to 1000000"),
        ("[vouchers]\nkey = -1", "`key` must be a whole number from 1 to 1000000"),
        ("[vouchers]\nkey = 1_000_001", "`key` must be a whole number from 1 to 1000000"),
        (
            "[vouchers]\nkey = 99999999999999999999999999",
            "`key` must be a whole number from 1 to 1000000",
        ),
        ("[vouchers]\nkey = 1.5", "`key` must be a whole number from 1 to 1000000"),
        ("[vouchers]\nkey = \"2\"", "`key` must be a whole number from 1 to 1000000"),
        ("[vouchers]\nkey = [1, 2]", "`key` must be a whole number from 1 to 1000000"),
        ("[[vouchers]]\nkey = 1", "`vouchers`"),
        ("[voucher]\nkey = 2", "did you mean `vouchers`?"),
    ] {
        let house = House::set_up("memory:", &provider.api_base());
        house.change_configuration("[directory]", &format!("{written}\n[directory]"));
        let shown = house.refused();
        assert!(shown.contains(told), "{written}: {shown}");
    }
}
