//! Raw requests of the provider, replayed through the real server.

use std::path::PathBuf;
use std::process::Command;

use callgate::carrier::signature::sign;
use callgate::engine::id::{CallId, Sid};

use crate::support::house::{ACCOUNT, House, LINE, PIN, PUBLIC_URL, command_in};
use crate::support::process::Ran as _;
use crate::support::provider::{ACCOUNT_SID, AUTH_TOKEN};
use crate::support::tree::root;

const SID: &str = "CA00000000000000000000000000000042";
const CALLBACK: &str = "CA00000000000000000000000000000043";
const CALLER: &str = "+15005550010";

/// A request as a proxy would have written it down.
fn captured(path: &str, sid: &str, more: &[(&str, &str)]) -> String {
    signed_at(PUBLIC_URL, path, sid, more)
}

/// The same, called at another address.
fn signed_at(base: &str, path: &str, sid: &str, more: &[(&str, &str)]) -> String {
    let mut fields = vec![
        ("AccountSid", ACCOUNT_SID),
        ("CallSid", sid),
        ("From", CALLER),
        ("To", "+15005550006"),
    ];
    fields.extend(more);
    let own: Vec<_> = fields.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
    let signature = sign(&AUTH_TOKEN.to_owned().into(), &format!("{base}{path}"), &own);
    let body: Vec<_> = fields
        .iter()
        .map(|(n, v)| format!("{n}={}", v.replace('+', "%2B").replace('/', "%2F")))
        .collect();
    let body = body.join("&");
    format!(
        "POST {path} HTTP/1.1\r\nHost: ivr.example.com\r\nUser-Agent: TwilioProxy/1.1\r\nX-Twilio-Signature: {signature}\r\nContent-Type: application/x-www-form-urlencoded; charset=UTF-8\r\nContent-Length: {}\r\n\r\n{body}\r\n",
        body.len()
    )
}

/// A request of the call, with the nonce of number `n` of long ago.
fn turn(n: u128, more: &[(&str, &str)]) -> String {
    let call = CallId::of(ACCOUNT_SID, &Sid(SID.into()));
    captured(&format!("/twilio/turn/{call}/{}", uuid::Uuid::from_u128(n)), SID, more)
}

fn ring() -> String {
    captured("/twilio/voice", SID, &[])
}

struct Run {
    folder: tempfile::TempDir,
    more: Vec<&'static str>,
}

impl Run {
    fn of(capture: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.http"), capture).unwrap();
        Self { folder, more: Vec::new() }
    }

    fn come(&self) -> (i32, String, String) {
        self.come_at(&["--public-url", PUBLIC_URL])
    }

    fn come_at(&self, address: &[&str]) -> (i32, String, String) {
        let flows: PathBuf = root().join("flows");
        let mut command = command_in(self.folder.path());
        command.args(["replay", "a.http", "--flows"]).arg(flows).args(address);
        command.args(&self.more).env("TWILIO_AUTH_TOKEN", AUTH_TOKEN);
        ran(&mut command)
    }
}

fn ran(command: &mut Command) -> (i32, String, String) {
    let output = command.ran();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_captured_call_goes_as_it_went_with_the_nonces_of_now() {
    let pin = turn(4, &[("Digits", "730495")]);
    let capture = [
        ring(),
        turn(1, &[]),
        turn(2, &[("Digits", "12345678")]),
        turn(3, &[("Digits", "2")]),
        pin.clone(),
        // The provider sends it again: the same answer, and nothing changes.
        pin,
        captured("/twilio/status", SID, &[("CallStatus", "completed")]),
    ];
    let run = Run::of(&capture.concat());
    let (code, out, err) = run.come();
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    expect_test::expect![[r"
        a.http:1: POST /twilio/voice: 200, in `welcome`
            Thank you for calling Acme Bank.
            Para español, oprima dos.
        a.http:9: POST /twilio/turn/…: 200, in `who`
            Please key in your eight digit account number.
        a.http:17: POST /twilio/turn/…: 200, in `menu`
            For your balance, press 1. For your last payment, press 2. For a new card, press 3. To change your address, press 4. For anything else, press 0.
        a.http:25: POST /twilio/turn/…: 200, in `pin`
            Please key in your six digit PIN.
        a.http:33: POST /twilio/turn/…: 200, in `more`
            Thank you, Ada. Your last payment was on November 2, 2026.
            To hear the menu again, press 1. If that was all, you may hang up.
        a.http:41: POST /twilio/turn/…: 200, in `more`
            Thank you, Ada. Your last payment was on November 2, 2026.
            To hear the menu again, press 1. If that was all, you may hang up.
        a.http:49: POST /twilio/status: 204, in `more`
        7 requests taken, 0 not
    "]].assert_eq(&out);
}

/// Codes are drawn anew: whoever looks is told why the call does not go on as it did.
#[test]
fn a_code_of_then_is_said_to_be_one() {
    let asked = turn(4, &[("Digits", "730495")]);
    let code = turn(5, &[("Digits", "482913")]);
    let capture = [
        ring(),
        turn(1, &[]),
        turn(2, &[("Digits", "12345678")]),
        // A balance is told after a code.
        turn(3, &[("Digits", "1")]),
        turn(4, &[("Digits", "48")]),
        code.clone(),
        code,
        asked,
    ];
    let (code, out, err) = Run::of(&capture.concat()).come();
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let heads: Vec<_> = out.lines().filter(|line| line.starts_with("a.http")).skip(3).collect();
    expect_test::expect![[r"
        a.http:25: POST /twilio/turn/…: 200, in `code`
        a.http:33: POST /twilio/turn/…: 200, in `code`
        a.http:41: POST /twilio/turn/…: 200, in `code` (a code of then, which is wrong now)
        a.http:49: POST /twilio/turn/…: 200, in `code`
        a.http:57: POST /twilio/turn/…: 200, in `code`"]]
    .assert_eq(&heads.join("\n"));
}

#[test]
fn a_callback_leg_has_another_name_and_messages_are_told_apart() {
    let call = CallId::of(ACCOUNT_SID, &Sid(SID.into()));
    let effect = |n: u128| uuid::Uuid::from_u128(n);
    let capture = [
        ring(),
        turn(1, &[]),
        turn(2, &[("Digits", "12345678")]),
        turn(3, &[("Digits", "1")]),
        captured(
            &format!("/twilio/message/{call}/{}", effect(9)),
            SID,
            &[("MessageStatus", "undelivered")],
        ),
        captured("/twilio/status", SID, &[("CallStatus", "completed")]),
        captured(
            &format!("/twilio/leg/{call}/{}", effect(10)),
            CALLBACK,
            &[("AnsweredBy", "human")],
        ),
        captured(
            &format!("/twilio/status/{call}/{}", effect(11)),
            CALLBACK,
            &[("CallStatus", "completed")],
        ),
    ];
    let (code, out, err) = Run::of(&capture.concat()).come();
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("POST /twilio/message/…: 204, in `call_back`"), "{out}");
    assert!(out.contains("POST /twilio/leg/…: 200"), "{out}");
}

#[test]
fn a_wrong_signature_is_told_at_its_line_and_changes_nothing() {
    let forged = turn(1, &[("Digits", "2")]).replace("Digits=2", "Digits=1");
    let capture = [ring(), forged].concat();
    let run = Run { more: vec!["--twiml"], ..Run::of(&capture) };
    let (code, out, err) = run.come();
    assert_eq!((code, err.as_str()), (1, ""), "{out}");
    assert!(out.contains("a.http:9: POST /twilio/turn/…: the signature is not what this token makes of this public URL, target and form; the public URL is `https://ivr.example.com`\n"), "{out}");
    assert!(out.contains("    <Response>") || out.contains("<Response><Gather"), "{out}");
    assert!(out.ends_with("1 requests taken, 1 not\n"), "{out}");
}

#[test]
fn what_is_no_capture_is_told() {
    let capture = [ring(), turn(1, &[])].concat();
    let cut = Run::of(&capture[..capture.len() - 20]);
    let (code, _, err) = cut.come();
    assert_eq!(code, 1);
    assert!(err.contains("a.http:9: its `Content-Length` is"), "{err}");
    assert!(err.contains("bytes follow: it is cut off"), "{err}");

    let (code, out, _) = Run::of(&turn(1, &[])).come();
    assert_eq!(code, 1);
    assert!(out.contains("does not have the call's first request, `/twilio/voice`"), "{out}");

    let other = Run { more: vec!["--auth-token-env", "NOT_SET_ANYWHERE"], ..Run::of(&capture) };
    let (code, _, err) = other.come();
    assert_eq!(code, 2);
    assert!(err.contains("`NOT_SET_ANYWHERE` is not set"), "{err}");
}

/// A configuration's lines, policy, accounts (whose PINs are hashed under its key), tokens and public URL.
#[test]
fn a_configuration_says_what_a_capture_is_replayed_with() {
    let house = House::set_up("memory:", "http://127.0.0.1:1");
    let place = |name: &str| house.folder.path().join(name);
    let config = std::fs::read_to_string(place("callgate.toml")).unwrap();
    let stricter = config.replace("[policy.enum", "[policy.pin]\nper_call = 1\n[policy.enum");
    let old_token = [("CallSid", SID), ("From", CALLER), ("To", LINE), ("AccountSid", ACCOUNT_SID)];
    let old_token = old_token.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let rung = ring();
    let line = rung.lines().find(|line| line.starts_with("X-Twilio-Signature")).unwrap();
    let address = format!("{PUBLIC_URL}/twilio/voice");
    let signature = sign(&"the-token-before-this-one".to_owned().into(), &address, &old_token);
    let rung = rung.replace(line, &format!("X-Twilio-Signature: {signature}"));
    let wrong = turn(2, &[("Digits", "111222")]);
    let capture = [rung, turn(1, &[("Digits", ACCOUNT)]), wrong, turn(3, &[("Digits", PIN)])];
    std::fs::write(place("a.http"), capture.concat()).unwrap();
    let replay = |config: &str, more: &[&str]| {
        std::fs::write(place("callgate.toml"), config).unwrap();
        let arguments = ["replay", "a.http", "--config", "callgate.toml"];
        ran(house.command().args(arguments).args(more))
    };

    let (code, out, err) = replay(&config, &[]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    expect_test::expect![[r"
        a.http:1: POST /twilio/voice: 200, in `who`
            Thanks for calling Acme Bank.
            Please key in your eight digit account number.
        a.http:9: POST /twilio/turn/…: 200, in `pin`
            Please key in your PIN.
        a.http:17: POST /twilio/turn/…: 200, in `pin`
            That did not work. Please key in your PIN.
        a.http:25: POST /twilio/turn/…: 200, in `menu`
            For your balance press 1. For a new card press 2. To end the call press 9.
        4 requests taken, 0 not
    "]]
    .assert_eq(&out);
    // One attempt a call, and the right PIN comes too late.
    let (code, out, err) = replay(&stricter, &[]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("a.http:25: POST /twilio/turn/…: 200, in `pin`"), "{out}");

    // What the command line says goes.
    let (code, out, _) = replay(&config, &["--public-url", "https://other.example.com"]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("the public URL is `https://other.example.com`"), "{out}");
    let (code, _, err) = replay(&config, &["--flow", "bank"]);
    assert_eq!(code, 2);
    assert!(err.contains("there is no flow `bank`: name another with `--flow`"), "{err}");

    // The account of somebody else is refused, as it would be.
    let other = config.replace(ACCOUNT_SID, &ACCOUNT_SID.replace('0', "1"));
    assert_ne!(other, config);
    let (code, out, _) = replay(&other, &[]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("a.http:1: POST /twilio/voice: 403"), "{out}");

    // Accounts that are wrong are shown without anything of a customer's.
    let accounts = std::fs::read_to_string(place("accounts.toml")).unwrap();
    std::fs::write(place("accounts.toml"), accounts.replace("\"mobile\"", "\"pager\"")).unwrap();
    for more in [&[][..], &["--accounts", "accounts.toml"]] {
        let (code, _, err) = replay(&config, more);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains("`line` cannot be") && !err.contains("+1500555"), "{err}");
    }

    let (code, _, err) = replay(&config.replace("public_url", "public_ulr"), &[]);
    assert_eq!(code, 2);
    assert!(err.contains("callgate.toml:1:1") && err.contains("public_ulr"), "{err}");
}

/// Whoever wrote it down had another name for us, or stood before the proxy.
#[test]
fn a_capture_tells_where_it_went() {
    let elsewhere = |base: &str, path: &str| signed_at(base, path, SID, &[]);
    let voice = "/twilio/voice";
    let tunnel = "https://c0ffee.tunnel.example";
    let host = |capture: String, host: &str| {
        capture.replace("Host: ivr.example.com", &format!("Host: {host}"))
    };
    for (capture, told) in [
        (ring(), PUBLIC_URL),
        (host(elsewhere(tunnel, voice), "c0ffee.tunnel.example"), tunnel),
        (host(elsewhere("http://10.0.0.7:8080", voice), "10.0.0.7:8080"), "http://10.0.0.7:8080"),
        (
            host(
                elsewhere(tunnel, voice),
                "callgate:8080\r\nX-Forwarded-Host: c0ffee.tunnel.example",
            ),
            tunnel,
        ),
        (
            host(elsewhere(tunnel, voice), "callgate").replace(voice, &format!("{tunnel}{voice}")),
            tunnel,
        ),
    ] {
        let (code, out, err) = Run::of(&capture).come_at(&[]);
        assert_eq!(code, 0, "{told}: {out}{err}");
        assert_eq!(err, format!("note: a.http went to `{told}`, as it tells\n"));
    }
    // A prefix that the proxy takes away is part of the public URL.
    let behind = elsewhere(&format!("{PUBLIC_URL}/ivr"), voice);
    let before = elsewhere(PUBLIC_URL, "/ivr/twilio/voice");
    for capture in [behind, before] {
        let (code, out, err) =
            Run::of(&capture).come_at(&["--public-url", "https://ivr.example.com/ivr/"]);
        assert_eq!(code, 0, "{out}{err}");
    }
    let nameless = ring().replace("Host:", "X-Host:");
    let (code, _, err) = Run::of(&nameless).come_at(&[]);
    assert_eq!(code, 2);
    assert!(err.contains("does not tell the address that the provider called"), "{err}");
}

#[test]
fn a_capture_may_hold_answers_chunks_and_what_fell_back() {
    let answer =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n<Response/>\r\n0\r\n\r\n";
    let whole = turn(1, &[]);
    let (head, body) = whole.trim_end().split_once("\r\n\r\n").unwrap();
    let (first, second) = body.split_at(10);
    let length = format!("Content-Length: {}", body.len());
    let chunked = format!(
        "{}\r\n\r\na\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        head.replace(&length, "Transfer-Encoding: chunked"),
        second.len()
    );
    assert!(!chunked.contains("Content-Length"), "{chunked}");
    let call = CallId::of(ACCOUNT_SID, &Sid(SID.into()));
    let spent = format!("{PUBLIC_URL}/twilio/turn/{call}/{}", uuid::Uuid::from_u128(1));
    let fell_back = captured("/twilio/fallback", SID, &[("ErrorUrl", &spent)]);
    let next = turn(2, &[("Digits", "12345678")]);
    let capture = [ring(), answer.into(), chunked, answer.into(), fell_back, next].concat();
    let (code, out, err) = Run::of(&capture).come();
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    expect_test::expect![[r"
        a.http:1: POST /twilio/voice: 200, in `welcome`
            Thank you for calling Acme Bank.
            Para español, oprima dos.
        a.http:16: POST /twilio/turn/…: 200, in `who`
            Please key in your eight digit account number.
        a.http:36: POST /twilio/fallback: 200, in `who`
            Please key in your eight digit account number.
        a.http:44: POST /twilio/turn/…: 200, in `menu`
            For your balance, press 1. For your last payment, press 2. For a new card, press 3. To change your address, press 4. For anything else, press 0.
        4 requests taken, 0 not
    "]].assert_eq(&out);
}

/// The server serves none, and so does its replay.
#[test]
fn a_webhook_by_get_is_told() {
    let target = format!("/twilio/voice?AccountSid={ACCOUNT_SID}&CallSid={SID}");
    let signature = sign(&AUTH_TOKEN.to_owned().into(), &format!("{PUBLIC_URL}{target}"), &[]);
    let get = format!(
        "GET {target} HTTP/1.1\r\nHost: ivr.example.com\r\nX-Twilio-Signature: {signature}\r\n\r\n"
    );
    let (code, out, err) = Run::of(&[get, ring()].concat()).come();
    assert_eq!((code, err.as_str()), (1, ""), "{out}");
    assert!(out.starts_with("a.http:1: GET /twilio/voice: callgate serves no `GET`: set the webhook to `POST` where the number is bought\na.http:5: POST /twilio/voice: 200"), "{out}");
}
