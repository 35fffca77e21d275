//! Requests that are not the provider's, and requests that come twice, late, or out of order.

use callgate::carrier::signature;
use callgate::limits;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::eventually::eventually;
use crate::support::house::{ACCOUNT, FALLBACK, House, LINE, MOBILE, PIN, PUBLIC_URL, client};
use crate::support::provider::{ACCOUNT_SID, AUTH_TOKEN, Provider};
use crate::support::telephone::Telephone;

const CALLER: &str = "+15005550777";

type Field = (String, String);
/// What it is, the status it gets, its signature, its type, its body.
type Case = (&'static str, u16, Option<String>, &'static str, Vec<u8>);

fn form(more: &[(&str, &str)]) -> Vec<Field> {
    let mut fields = vec![
        ("AccountSid", ACCOUNT_SID),
        ("CallSid", "CA00000000000000000000000000000077"),
        ("From", CALLER),
        ("To", LINE),
    ];
    fields.extend(more);
    fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn sign(key: &str, path: &str, form: &[Field]) -> String {
    signature::sign(&SecretString::from(key.to_owned()), &format!("{PUBLIC_URL}{path}"), form)
}

fn encode(form: &[Field]) -> String {
    let request = client().post("http://x/").form(form).build().unwrap();
    String::from_utf8(request.body().unwrap().as_bytes().unwrap().to_vec()).unwrap()
}

async fn send(house: &House, signature: Option<&str>, kind: &str, body: Vec<u8>) -> u16 {
    let mut request = client()
        .post(format!("{}/twilio/voice", house.public()))
        .header("Content-Type", kind)
        .body(body);
    if let Some(signature) = signature {
        request = request.header("X-Twilio-Signature", signature);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    // Nobody on the way keeps what a caller is told.
    assert!(status != 200 || answer.headers()["cache-control"] == "no-store", "{answer:?}");
    status
}

const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_the_providers_is_refused_and_touches_nothing() {
    let provider = Provider::start();
    let house = House::start("embedded:callgate.redb", &provider.api_base());
    let good = form(&[]);
    let signed = sign(AUTH_TOKEN, "/twilio/voice", &good);
    let body = encode(&good);
    let repeated = form(&[("Digits", "1"), ("Digits", "2")]);
    let other = form(&[]).into_iter().map(|(name, value)| {
        let value =
            if name == "AccountSid" { "AC99999999999999999999999999999999".into() } else { value };
        (name, value)
    });
    let other: Vec<_> = other.collect();
    let cases: Vec<Case> = vec![
        ("unsigned", 403, None, FORM, body.clone().into()),
        (
            "signed by somebody else",
            403,
            Some(sign("x", "/twilio/voice", &good)),
            FORM,
            body.clone().into(),
        ),
        (
            "signed for another path",
            403,
            Some(sign(AUTH_TOKEN, "/twilio/status", &good)),
            FORM,
            body.clone().into(),
        ),
        ("no signature at all", 403, Some(String::new()), FORM, body.clone().into()),
        ("oversized", 413, Some(signed.clone()), FORM, vec![b'a'; 64 * 1024 + 1]),
        ("as large as may be", 403, Some(signed.clone()), FORM, vec![b'a'; 64 * 1024]),
        ("JSON", 400, Some(signed.clone()), "application/json", b"{}".to_vec()),
        ("not UTF-8", 400, Some(signed.clone()), FORM, b"From=%FF".to_vec()),
        ("raw bytes", 400, Some(signed.clone()), FORM, vec![0xff, 0xfe]),
        (
            "a parameter twice",
            400,
            Some(sign(AUTH_TOKEN, "/twilio/voice", &repeated)),
            FORM,
            encode(&repeated).into(),
        ),
        (
            "another account",
            403,
            Some(sign(AUTH_TOKEN, "/twilio/voice", &other)),
            FORM,
            encode(&other).into(),
        ),
    ];
    for (what, status, signature, kind, body) in &cases {
        assert_eq!(send(&house, signature.as_deref(), kind, body.clone()).await, *status, "{what}");
    }
    let get = client().get(format!("{}/twilio/voice", house.public())).send().await.unwrap();
    assert!([404, 405].contains(&get.status().as_u16()));
    assert_eq!(house.ask("/api/calls").await["calls"].as_array().unwrap().len(), 0);
    let metrics = house.metrics().await;
    for (reason, count) in
        [("Signature", 5), ("Size", 1), ("Form", 3), ("Repeated", 1), ("Account", 1), ("Route", 1)]
    {
        let line = format!("callgate_webhooks_refused_total{{reason=\"{reason}\"}} {count}");
        assert!(metrics.contains(&line), "{line} is not in\n{metrics}");
    }
    // The same form, signed with the key before the present one, is the provider's.
    let old = sign("the-token-before-this-one", "/twilio/voice", &good);
    assert_eq!(send(&house, Some(&old), FORM, body.clone().into()).await, 200);
    // A kind may be written in either case, with more to it; and not every service names its account.
    let kind = "Application/X-WWW-Form-Urlencoded; charset=UTF-8";
    assert_eq!(send(&house, Some(&signed), kind, body.into()).await, 200);
    let nameless: Vec<_> = good.into_iter().filter(|(name, _)| name != "AccountSid").collect();
    let signed = sign(AUTH_TOKEN, "/twilio/voice", &nameless);
    assert_eq!(send(&house, Some(&signed), FORM, encode(&nameless).into()).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spent_nonce_with_another_entry_is_no_second_guess() {
    let provider = Provider::start();
    let house = House::start("embedded:callgate.redb", &provider.api_base());
    let mut phone = Telephone::new("CA00000000000000000000000000000011", CALLER);
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    let spent = phone.action();
    phone.key(&house, "111222").await;
    let answer = phone.heard.clone();
    // The right PIN on the spent nonce: the stored answer, and nothing is proved.
    phone.post(&house, &spent, &[("Digits", PIN)]).await;
    assert_eq!(phone.heard, answer);
    let calls = house.ask("/api/calls").await;
    let call = house.ask(&format!("/api/calls/{}", calls["calls"][0].as_str().unwrap())).await;
    assert_eq!(call["facts"].as_array().unwrap().len(), 0);
    assert_eq!(call["turns"], 3);
    let counted = "callgate_webhooks_total{route=\"Turn\",outcome=\"Contradicted\"} 1";
    assert!(house.metrics().await.contains(counted), "it is a security event");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_out_of_step_hears_the_present_prompt() {
    let provider = Provider::start();
    let house = House::start("embedded:callgate.redb", &provider.api_base());
    let mut phone = Telephone::new("CA00000000000000000000000000000012", CALLER);
    phone.ring(&house).await;
    let first = phone.action();
    phone.key(&house, ACCOUNT).await;
    let second = phone.action();
    phone.key(&house, "111222").await;
    let present = phone.heard.clone();
    let call = first.split('/').nth(3).unwrap().to_owned();
    // A nonce spent long ago, one never made, one misspelt, the voice URL again, the resume URL.
    let never = format!("/twilio/turn/{call}/{}", "0".repeat(32));
    let misspelt = format!("/twilio/turn/{call}/zzz");
    let resume = format!("/twilio/resume/{call}/0");
    // Some addresses were keyed in with a slash at the end.
    let slash = format!("{resume}/");
    let all = [&first, &never, &misspelt, "/twilio/voice", &resume, "/twilio/fallback"];
    for path in all.into_iter().chain([slash.as_str(), "/twilio/voice/"]) {
        phone.post(&house, path, &[("Digits", PIN)]).await;
        assert_eq!(phone.heard, present, "{path}");
    }
    // The fallback for the nonce last spent is its stored answer.
    let failed = format!("{PUBLIC_URL}{second}");
    phone.post(&house, "/twilio/fallback", &[("ErrorUrl", &failed), ("ErrorCode", "11200")]).await;
    assert_eq!(phone.heard, present);
    // Another leg's name on this call's nonce is nobody's.
    let action = {
        phone.post(&house, &resume, &[]).await;
        phone.action()
    };
    let mut stranger = Telephone::new("CA00000000000000000000000000000099", CALLER);
    stranger.post(&house, &action, &[("Digits", PIN)]).await;
    assert!(stranger.hears("Hangup"));
    let view = house.ask(&format!("/api/calls/{call}")).await;
    assert_eq!(view["turns"], 3, "nothing of it changed the call");
    // After the end every URL of the call ends the leg.
    phone.status(&house, "/twilio/status", &[("CallStatus", "completed")]).await;
    phone.post(&house, "/twilio/fallback", &[]).await;
    assert!(phone.hears("Hangup"));
    phone.post(&house, &action, &[("Digits", PIN)]).await;
    assert_eq!(
        house.ask(&format!("/api/calls/{call}")).await["facts"].as_array().unwrap().len(),
        0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_body_is_cut_off_and_others_are_served() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let provider = Provider::start();
    let house = House::start("embedded:callgate.redb", &provider.api_base());
    let address = house.public().trim_start_matches("http://").to_owned();
    let mut slow = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = "POST /twilio/voice HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nFrom=";
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut phone = Telephone::new("CA00000000000000000000000000000013", CALLER);
    phone.ring(&house).await;
    let mut answer = Vec::new();
    slow.read_to_end(&mut answer).await.unwrap();
    assert!(
        String::from_utf8_lossy(&answer).contains(" 408 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

/// Anybody may send what is refused, as much as they like: it is counted, and fills no disk with lines.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_refusals_is_a_few_lines_and_a_count() {
    const SENT: usize = 40;
    let provider = Provider::start();
    let mut house = House::start("memory:", &provider.api_base());
    let signed = sign(AUTH_TOKEN, "/twilio/voice", &[]);
    let pages = client().get(format!("{}/", house.admin()));
    let api = client().get(format!("{}/api/calls", house.admin()));
    for n in 0..SENT {
        assert_eq!(send(&house, Some("forged"), FORM, b"From=1".to_vec()).await, 403);
        assert_eq!(send(&house, Some(&signed), FORM, b"From=%FF".to_vec()).await, 400);
        let (api, pages) = (api.try_clone().unwrap(), pages.try_clone().unwrap());
        let guess = match n % 2 {
            0 => api.bearer_auth("guessed-by-somebody"),
            _ => pages.basic_auth("any", Some("guessed-by-somebody")),
        };
        assert_eq!(guess.send().await.unwrap().status().as_u16(), 401);
        // A browser that has not been told yet that there is a password.
        assert_eq!(pages_status(&house).await, 401);
    }
    let metrics = house.metrics().await;
    for counted in [
        "webhooks_refused_total{reason=\"Signature\"}",
        "webhooks_refused_total{reason=\"Form\"}",
        "admin_refused_total",
    ] {
        assert!(metrics.contains(&format!("callgate_{counted} {SENT}\n")), "{counted}");
    }
    house.terminate();
    assert_eq!(house.wait(), Some(0));
    let lines = |reason: &str, what: &str| {
        let log = house.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let of = lines.filter(|line| line["fields"]["reason"] == reason);
        let of = of.filter(|line| line["fields"]["message"].as_str().unwrap().contains(what));
        of.map(|line| line["fields"]["left_out"].clone()).collect::<Vec<_>>()
    };
    for reason in ["Signature", "Form", "Token"] {
        let told = limits::REFUSALS_TOLD_A_MINUTE;
        let left_out = eventually("what was left out", || {
            Some(lines(reason, "than lines tell of")).filter(|it| !it.is_empty())
        });
        assert_eq!(left_out, [json!(SENT as u64 - told)], "{reason}");
        assert_eq!(lines(reason, "was refused").len() as u64, told, "{reason}");
    }
    assert!(!house.log().contains("guessed-by"));
}

async fn pages_status(house: &House) -> u16 {
    client().get(format!("{}/", house.admin())).send().await.unwrap().status().as_u16()
}

/// A body that does not announce its length is read no further than one that does.
#[tokio::test]
async fn a_body_in_pieces_is_bounded_too() {
    let provider = Provider::start();
    let house = House::start("memory:", &provider.api_base());
    for (bytes, status) in [(limits::BODY_BYTES_MAX, "403"), (limits::BODY_BYTES_MAX + 1, "413")] {
        let mut stream = TcpStream::connect(house.public().replace("http://", "")).await.unwrap();
        let head = format!(
            "POST /twilio/voice HTTP/1.1\r\nHost: x\r\nX-Twilio-Signature: x\r\nContent-Type: {FORM}\r\n\
             Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{bytes:x}\r\n{}\r\n0\r\n\r\n",
            "a".repeat(bytes)
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, *format!("HTTP/1.1 {status}").as_bytes(), "{bytes}");
    }
}

/// Whom we ring and cannot serve is no caller of the line: they are put through to nobody.
#[tokio::test]
async fn who_is_rung_is_not_put_through() {
    let provider = Provider::start();
    let house = House::start("memory:", &provider.api_base());
    for (direction, is_put_through) in
        [("inbound", true), ("outbound-api", false), ("outbound-dial", false)]
    {
        // Without a name of its leg a call cannot be taken.
        let form = form(&[("Direction", direction)]);
        let form: Vec<_> = form.into_iter().filter(|(name, _)| name != "CallSid").collect();
        let request = client().post(format!("{}/twilio/voice", house.public())).form(&form);
        let signed = sign(AUTH_TOKEN, "/twilio/voice", &form);
        let answer = request.header("X-Twilio-Signature", signed).send().await.unwrap();
        let text = answer.text().await.unwrap();
        assert!(text.contains("<Response>"), "{text}");
        assert_eq!(text.contains(FALLBACK), is_put_through, "{direction}: {text}");
    }
}

/// The provider has an address for a recording of nothing as well.
#[tokio::test]
async fn a_recording_of_no_length_is_no_message() {
    let provider = Provider::start();
    let mut house = House::set_up("memory:", &provider.api_base());
    let flow = "name = \"note\"\nstart = \"note\"\n[states.note]\ntype = \"voicemail\"\nprompt = \"After the tone.\"\n\
        max_length = \"1m\"\non = { ok = \"thanks\", no_input = \"nothing\" }\n\
        [states.thanks]\ntype = \"hangup\"\nprompt = \"Thank you.\"\n\
        [states.nothing]\ntype = \"hangup\"\nprompt = \"Nothing was said.\"\n";
    std::fs::write(house.folder.path().join("flows/note.toml"), flow).unwrap();
    house.change_configuration("flow = \"desk\"", "flow = \"note\"");
    house.restart();
    for (sid, seconds, said) in [("CA1", "7", "Thank you."), ("CA2", "0", "Nothing was said.")] {
        let mut phone = Telephone::new(sid, CALLER);
        phone.ring(&house).await;
        let action = phone.action();
        let url = "https://api.example.com/Recordings/RE1";
        let recorded = [("RecordingUrl", url), ("RecordingDuration", seconds)];
        phone.post(&house, &action, &recorded).await;
        assert_eq!(phone.spoken(), said, "{seconds} s");
    }
}

/// The provider hands on what a caller shows, and networks may refuse what is no number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_shows_no_number_is_put_through_with_that_of_the_line() {
    let provider = Provider::start();
    let house = House::start("memory:", &provider.api_base());
    for (from, shown) in [
        (CALLER, None),
        ("anonymous", Some(LINE)),
        ("+266696687", Some(LINE)),
        ("sip:ada@pbx.example.com", Some(LINE)),
        ("client:ada", Some(LINE)),
        ("", Some(LINE)),
    ] {
        // Without a name of its leg a call cannot be taken.
        let mut phone = Telephone::new("", from);
        phone.ring(&house).await;
        let dial = phone.heard.children.iter().find(|node| node.name == "Dial").unwrap();
        assert_eq!(dial.attribute("callerId"), shown, "{from}");
    }
}

/// What the provider shows where a number is withheld is not a number that somebody could use up for everybody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_who_withhold_their_numbers_are_not_one_caller() {
    const OTHER: &str = "73195529";
    let provider = Provider::start();
    let mut house = House::set_up("memory:", &provider.api_base());
    let path = house.folder.path().join("accounts.toml");
    let accounts = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{accounts}{}", accounts.replace(ACCOUNT, OTHER))).unwrap();
    house.change_configuration("[policy.shared]\n", "[policy.shared]\naccounts_per_ani_h = 1\n");
    house.restart();
    let shown = "+15005550777";
    let withheld = ["+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253"];
    for (n, from) in ["anonymous", shown].into_iter().chain(withheld).enumerate() {
        for account in [ACCOUNT, OTHER] {
            let mut phone = Telephone::new(&format!("CA{n:024}{account}"), from);
            phone.ring(&house).await;
            phone.key(&house, account).await;
            phone.key(&house, PIN).await;
            let known = phone.spoken().starts_with("For your balance");
            assert_eq!(known, from != shown || account == ACCOUNT, "{from}: {}", phone.spoken());
        }
    }
}

/// Over a trunk of another carrier's a number of the house is called by a SIP address: it is its line, and what rings
/// go out from.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_of_the_house_in_a_sip_address_is_its_line() {
    let provider = Provider::start();
    let house = House::start("memory:", &provider.api_base());
    let mut phone = Telephone::new("CA1", "sip:+15005550777@carrier.example.com:5060");
    phone.to = format!("sip:{LINE}@acme.sip.twilio.com;user=phone");
    phone.ring(&house).await;
    assert!(phone.spoken().starts_with("Thanks for calling"), "{}", phone.spoken());
    for keys in [ACCOUNT, PIN, "2"] {
        phone.key(&house, keys).await;
    }
    let calls = eventually("the mobile is rung", || {
        Some(provider.calls()).filter(|calls| !calls.is_empty())
    });
    assert_eq!(calls[0].from, LINE);
    // One that is not of the house has no line here.
    let mut other = Telephone::new("CA2", "sip:+15005550777@carrier.example.com");
    other.to = "sip:+15005550123@acme.sip.twilio.com".into();
    other.ring(&house).await;
    assert!(!other.spoken().starts_with("Thanks for calling"), "{}", other.spoken());
}

/// Of a call to a SIP domain the provider says no number that could ring, or be shown: the line has one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_to_no_number_is_one_of_the_lines_own() {
    const NUMBER: &str = "+15005550007";
    let provider = Provider::start();
    for number in [Some(NUMBER), None] {
        let mut house = House::set_up("memory:", &provider.api_base());
        let own = number.map_or(String::new(), |number| format!(", number = \"{number}\""));
        let line =
            format!("\"*\" = {{ flow = \"desk\", fallback_number = \"{FALLBACK}\"{own} }}\n");
        house.change_configuration("[policy.enumeration]", &format!("{line}[policy.enumeration]"));
        house.restart();
        let mut phone = Telephone::new("", "sip:ada@acme.sip.twilio.com");
        phone.to = "sip:1001@acme.sip.twilio.com".into();
        phone.ring(&house).await;
        let dial = phone.heard.children.iter().find(|node| node.name == "Dial").unwrap();
        assert_eq!(dial.attribute("callerId"), number);
        // Whom we have rung is put through to nobody.
        let mut rung = Telephone::rung("", MOBILE);
        rung.ring(&house).await;
        assert!(!rung.hears("Dial"), "{:?}", rung.heard);

        phone.sid = format!("CA{:032x}", u8::from(number.is_none()));
        phone.ring(&house).await;
        for keys in [ACCOUNT, PIN, "2"] {
            phone.key(&house, keys).await;
        }
        if number.is_some() {
            let calls = eventually("the mobile is rung", || {
                Some(provider.calls()).filter(|calls| !calls.is_empty())
            });
            assert_eq!(calls[0].from, NUMBER);
        } else {
            assert!(phone.spoken().starts_with("We could not help you"), "{}", phone.spoken());
            assert_eq!(provider.calls().len(), 1);
        }
        let told = house.log().matches("has no `number`: nobody can be rung back").count();
        assert_eq!(told, usize::from(number.is_none()));
    }
}
