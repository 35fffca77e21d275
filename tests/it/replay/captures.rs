//! Raw requests of the provider, replayed through the real server.

use std::path::{Path, PathBuf};

use callgate::carrier::signature::sign;
use callgate::engine::id::{CallId, Sid};

use crate::support::house::{PUBLIC_URL, command_in};
use crate::support::provider::{ACCOUNT_SID, AUTH_TOKEN};

const SID: &str = "CA00000000000000000000000000000042";
const CALLBACK: &str = "CA00000000000000000000000000000043";
const CALLER: &str = "+15005550010";

/// A request as a proxy would have written it down.
fn captured(path: &str, sid: &str, more: &[(&str, &str)]) -> String {
    let mut fields = vec![
        ("AccountSid", ACCOUNT_SID),
        ("CallSid", sid),
        ("From", CALLER),
        ("To", "+15005550006"),
    ];
    fields.extend(more);
    let own: Vec<_> = fields.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
    let signature = sign(&AUTH_TOKEN.to_owned().into(), &format!("{PUBLIC_URL}{path}"), &own);
    let body: Vec<_> =
        fields.iter().map(|(n, v)| format!("{n}={}", v.replace('+', "%2B"))).collect();
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
        let flows: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("flows");
        let mut command = command_in(self.folder.path());
        command.args(["replay", "a.http", "--public-url", PUBLIC_URL, "--flows"]).arg(flows);
        command.args(&self.more).env("TWILIO_AUTH_TOKEN", AUTH_TOKEN);
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}

#[test]
fn a_captured_call_goes_as_it_went_with_the_nonces_of_now() {
    let pin = turn(4, &[("Digits", "730915")]);
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
            For your balance, press 1. For your last payment, press 2. For a new card, press 3. For anything else, press 0.
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
    assert!(out.contains("a.http:9: POST /twilio/turn/…: the signature is not what this token makes of this public URL, target and form\n"), "{out}");
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
