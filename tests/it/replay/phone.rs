//! The telephone in the terminal, in a pipe.

use callgate::cli::Exit;
use callgate::cli::simulate::{Args, run_with};
use callgate::phone::PhoneNumber;
use callgate::replay::phone::Lines;
use clap::Parser;
use expect_test::{Expect, expect};

use crate::support::house::command_in;
use crate::support::process::Ran as _;
use crate::support::tree::root;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

/// Rings with these arguments, types these lines, and gives the exit code and what was printed.
fn ring(arguments: &[&str], typed: &str) -> (Exit, String, String) {
    let line = ["simulate"].iter().chain(arguments);
    let args = Line::try_parse_from(line).unwrap().args;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = run_with(&args, &mut Lines(typed.as_bytes()), &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

fn check(arguments: &[&str], typed: &str, expected: &Expect) {
    let (code, out, err) = ring(arguments, typed);
    assert_eq!((code, err.as_str()), (Exit::Well, ""));
    expected.assert_eq(&out);
}

#[test]
fn a_balance_in_a_pipe() {
    // The code is in the message that the demo's chance makes.
    let (_, out, _) = ring(&[], "\n12345678\n1\n:sms\n:quit\n");
    let code = code_in(&out);
    let typed = format!("\n12345678\n1\n{code}\n:facts\n:state\n\n");
    check(
        &[],
        &typed,
        &expect![[r"
            ▸ Thank you for calling Acme Bank.
            ▸ Para español, oprima dos.
            ▸ Please key in your eight digit account number.
            ▸ For your balance, press 1. For your last payment, press 2. For a new card, press 3. To change your address, press 4. For anything else, press 0.
            ▸ I have just sent a six digit code to the mobile number we have on file. Please key it in. For a new code, press star.
              [a text message to +15005550010; :sms shows it]
            ▸ Your balance is 1,234 dollars and 56 cents.
            ▸ To hear the menu again, press 1. If that was all, you may hang up.
              sms_otp, 0 s ago
              enough for basic, strong
              more (en-US)
            ▸ Thank you for calling Acme Bank. Goodbye.
              [the call is over]
        "]],
    );
}

/// One code for ten minutes, made, worded and looked at by the provider.
#[test]
fn the_provider_makes_the_codes() {
    let (_, out, _) = ring(&["--otp", "verify"], "\n12345678\n1\n:sms\n:quit\n");
    assert!(out.contains("[the provider sends a code to +15005550010; :sms shows it]"), "{out}");
    let code = out.lines().find_map(|line| line.strip_prefix("  to +15005550010: ")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("saved.toml");
    let typed = format!("\n12345678\n1\n000000\n{code}\n:save {}\n:quit\n", saved.display());
    let (exit, out, err) = ring(&["--otp", "verify"], &typed);
    assert_eq!((exit, err.as_str()), (Exit::Well, ""));
    assert!(out.contains("Your balance is 1,234 dollars and 56 cents."), "{out}");
    let saved = std::fs::read_to_string(saved).unwrap();
    assert!(saved.contains("otp = \"verify\"") && saved.contains("begin_verification"), "{saved}");

    let flows = tempfile::tempdir().unwrap();
    let worded = include_str!("../e2e/desk.toml").replace(
        "type = \"send_sms_otp\"",
        "type = \"send_sms_otp\"\nmessage = \"{{ code }} it is.\"",
    );
    let file = flows.path().join("desk.toml");
    std::fs::write(&file, worded).unwrap();
    // What an editor leaves beside a file that it holds is no flow.
    std::fs::write(flows.path().join(".#desk.toml"), "x").unwrap();
    let (exit, _, err) = ring(&[file.to_str().unwrap(), "--otp", "verify"], "\n");
    let message = "error: state `prove` of flow `desk` has a `message` of its own, and the provider words its messages\n";
    assert_eq!((exit, err.as_str()), (Exit::Findings, message));
}

#[test]
fn a_patient_is_rung_back() {
    let (_, out, _) = ring(&["clinic", "--from", "+15005550011"], "23456789\n1\n:quit\n");
    let spoken = out.lines().find(|line| line.starts_with("▸ ") && line.len() < 20).unwrap();
    let code: String = spoken.chars().filter(char::is_ascii_digit).collect();
    let typed = format!(
        "23456789\n1\n:callback answered\n{code}\n2\n5\n:whisper decline\n:dial completed\n:queue queue-full\n:record yes\n"
    );
    check(
        &["clinic", "--from", "+15005550011"],
        &typed,
        &expect![[r"
            ▸ Riverside Clinic, good day. In an emergency, hang up and dial 9 1 1.
            ▸ Please say or key in the eight digits of your patient number.
            ▸ For your next appointment, press 1. For test results, press 2. For a repeat prescription, press 3. To pay a bill, press 4. To speak with a nurse, press 5. For anything else, stay on the line.
            ▸ To be sure that it is you, I will ring you back at the number we have on file. Please note this code, hang up, and key it in when I ring.
            ▸ 2 4 4 8 5 5
            ▸ Once more:
            ▸ 2 4 4 8 5 5
              [`mail` is unavailable: no e-mail address is on file]
              [the inbound line is hung up]
              [+15005550011 rings; :callback answered]
            ▸ callback: Riverside Clinic. Somebody has just called us. If that was you, key in the code you were given. If not, please hang up.
            ▸ callback: Your next appointment is on January 14, 2027.
            ▸ callback: For another day, press 1. For the menu, press 2. If that was all, you may hang up.
            ▸ callback: For your next appointment, press 1. For test results, press 2. For a repeat prescription, press 3. To pay a bill, press 4. To speak with a nurse, press 5. For anything else, stay on the line.
            ▸ callback: I am ringing a nurse for you.
              [the line is being connected to +15005550007; :whisper accept]
            ▸ whisper: Verified by callback, just now.
            ▸ whisper: A patient of Riverside Clinic is on the line.
            ▸ whisper: To take this call press 1.
            ▸ callback: One moment. The desk will be with you shortly.
              [the line waits in a queue `desk`; :queue bridged]
            ▸ callback: Please say your name, your number and what it is about after the tone. When you are done, hang up or press hash.
              [the line records a message; :record yes]
            ▸ callback: Thank you. We will ring you back when we are open. Goodbye.
              [the call is over]
        "]],
    );
}

#[test]
fn what_cannot_be_is_said_and_the_call_goes_on() {
    check(
        &[],
        "hello\n:dial busy\n:callback answered\n:wait long\n:wait 25h\n:wait 1us\n:dial\n:speech uh\n:hangup\n",
        &expect![[r"
            ▸ Thank you for calling Acme Bank.
            ▸ Para español, oprima dos.
              ! `hello` is no keys; say it with `:speech hello`, or see `:help`
              ! the line listens
              ! there is no callback leg
              ! write how long, a day at most: `:wait 90s`, `:wait 5m`
              ! write how long, a day at most: `:wait 90s`, `:wait 5m`
              ! write how long, a day at most: `:wait 90s`, `:wait 5m`
              ! one of: completed, answered, busy, no-answer, failed, canceled
              [the line listens for keys alone: nothing is heard]
            ▸ Please key in your eight digit account number.
              [you have hung up]
        "]],
    );
}

#[test]
fn a_pipe_that_ends_hangs_up() {
    let (code, out, _) = ring(&[], "\n");
    assert_eq!(code, Exit::Well);
    assert!(out.ends_with("  [you have hung up]\n"), "{out}");
}

#[test]
fn a_flow_that_is_not_there_is_a_matter_of_usage() {
    let (code, out, err) = ring(&["bnak"], "");
    assert_eq!((code, out.as_str()), (Exit::Usage, ""));
    assert_eq!(err, "error: there is no flow `bnak`; there are: bank, clinic, verify\n");
    assert!(Line::try_parse_from(["simulate", "--from", "555"]).is_err());
    assert!(PhoneNumber::parse("+15005550099").is_some());
}

/// What is known when a call rings can be tried at the desk, and is saved with the call.
#[test]
fn a_call_is_rung_at_any_risk_and_at_any_time() {
    let folder = tempfile::tempdir().unwrap();
    let flow = "name = \"risk\"\nstart = \"ask\"\n\
        [hours.day]\nzone = \"Europe/Vienna\"\nopen = [\"mon-fri 08:00-18:00\"]\n\
        [states.ask]\ntype = \"branch\"\notherwise = \"low\"\ncases = [\n\
        { when = { not = { open = \"day\" } }, next = \"shut\" },\n\
        { when = { attestation = \"B\" }, next = \"lesser\" },\n\
        { when = { risk = \"high\" }, next = \"high\" },\n\
        { when = { risk = \"medium\" }, next = \"medium\" }]\n\
        [states.shut]\ntype = \"hangup\"\nprompt = \"Shut.\"\n[states.low]\ntype = \"hangup\"\nprompt = \"Low.\"\n\
        [states.lesser]\ntype = \"hangup\"\nprompt = \"Lesser.\"\n[states.high]\ntype = \"reject\"\n\
        [states.medium]\ntype = \"hangup\"\nprompt = \"Medium.\"\n";
    std::fs::write(folder.path().join("risk.toml"), flow).unwrap();
    let file = folder.path().join("risk.toml").display().to_string();
    for (number, (arguments, heard, written)) in [
        (&[][..], "Low.", ""),
        (&["--from", "withheld"], "Medium.", ""),
        (&["--forwarded"], "Medium.", "forwarded = true\n"),
        (&["--attestation", "B"], "Lesser.", "attestation = \"B\"\n"),
        (&["--attestation", "failed"], "the call was refused", "attestation = \"failed\"\n"),
        (
            &["--signal", "many_calls", "--signal", "sim_swapped"],
            "the call was refused",
            "signals = [\"many_calls\", \"sim_swapped\"]\n",
        ),
        (&["--clock", "2026-12-25T23:00:00Z"], "Shut.", "clock = \"2026-12-25T23:00:00Z\"\n"),
    ]
    .into_iter()
    .enumerate()
    {
        let saved = folder.path().join(format!("calls{number}.toml"));
        let all = [&[file.as_str()][..], arguments].concat();
        let (code, out, err) = ring(&all, &format!(":save {}\n", saved.display()));
        assert_eq!((code, err.as_str()), (Exit::Well, ""), "{arguments:?}");
        assert!(out.contains(heard), "{arguments:?}: {out}");
        let text = std::fs::read_to_string(&saved).unwrap();
        assert!(text.contains(written), "{arguments:?}: {text}");
        assert_eq!(text.contains("from ="), !arguments.contains(&"withheld"), "{text}");
        std::fs::remove_file(&saved).unwrap();
    }
    for wrong in [["--attestation", "X"], ["--signal", "none"], ["--clock", "noon"]] {
        assert!(Line::try_parse_from(["simulate"].iter().chain(&wrong)).is_err(), "{wrong:?}");
    }
}

/// The code that the demo's chance sends in the bank's balance.
const TO_THE_CODE: &str = "\n12345678\n1\n";

#[test]
fn a_call_goes_back_and_takes_another_way() {
    let code = code_in(&ring(&[], &format!("{TO_THE_CODE}:sms\n:quit\n")).1);
    let typed = format!(
        "{TO_THE_CODE}{code}\n:facts\n:back\n:facts\n000000\n:back 2\n3\n:back 99\n:back\n:back x\n:quit\n"
    );
    check(
        &[],
        &typed,
        &expect![[r"
        ▸ Thank you for calling Acme Bank.
        ▸ Para español, oprima dos.
        ▸ Please key in your eight digit account number.
        ▸ For your balance, press 1. For your last payment, press 2. For a new card, press 3. To change your address, press 4. For anything else, press 0.
        ▸ I have just sent a six digit code to the mobile number we have on file. Please key it in. For a new code, press star.
          [a text message to +15005550010; :sms shows it]
        ▸ Your balance is 1,234 dollars and 56 cents.
        ▸ To hear the menu again, press 1. If that was all, you may hang up.
          sms_otp, 0 s ago
          enough for basic, strong
          code (en-US)
        ▸ I have just sent a six digit code to the mobile number we have on file. Please key it in. For a new code, press star.
          nothing is proved
        ▸ That did not work. Please key in the six digits of the newest message. For a new code, press star.
          menu (en-US)
        ▸ For your balance, press 1. For your last payment, press 2. For a new card, press 3. To change your address, press 4. For anything else, press 0.
        ▸ For this I need two things from you. First, the six digit code that I have just sent to the mobile number we have on file. Please key it in. For a new code, press star.
          [a text message to +15005550010; :sms shows it]
          welcome (en-US)
        ▸ Thank you for calling Acme Bank.
        ▸ Para español, oprima dos.
          ! the call has just begun: there is nothing to go back to
          ! write how many turns: `:back`, `:back 3`
    "]],
    );
}

/// The one code of the messages that were shown.
fn code_in(out: &str) -> String {
    let message = out.lines().find(|line| line.contains("You called Acme Bank")).unwrap();
    message.split("Key in ").nth(1).unwrap().chars().take(6).collect()
}

#[test]
fn a_call_is_saved_and_replays() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bank.by_hand.toml");
    let shown = file.display().to_string();
    let code = code_in(&ring(&[], &format!("{TO_THE_CODE}:sms\n:quit\n")).1);
    let typed =
        format!("{TO_THE_CODE}:wait 90s\n{code}\n\n:back\n2\n\n:save {shown}\n:save {shown}\n1\n");
    let (code, out, err) = ring(&["--from", "+15005550010"], &typed);
    assert_eq!((code, err.as_str()), (Exit::Well, ""));
    let out = out.replace(&shown, "FILE");
    let (_, end) = out.split_once("Goodbye.\n").unwrap();
    expect![[r"
          [the call is over]
          more (en-US)
        ▸ Your balance is 1,234 dollars and 56 cents.
        ▸ To hear the menu again, press 1. If that was all, you may hang up.
        ▸ Thank you for calling Acme Bank. Goodbye.
          [the call is over]
          ! the call is over; `:back` goes back, `:save FILE` keeps it, `:quit` leaves
          [saved; `callgate replay FILE` runs it]
          ! `FILE` is there already; it stays as it is: choose another name
          ! the call is over; `:back` goes back, `:save FILE` keeps it, `:quit` leaves
    "]]
    .assert_eq(end);
    let text = std::fs::read_to_string(&file).unwrap();
    expect![[r#"
        # Made with `callgate simulate`.

        flow = "bank"
        from = "+15005550010"

        [[accounts]]                                       # a mobile
        id     = "12345678"
        pin    = "730495"
        phones = [{ number = "+15005550010", line = "mobile", since = "2024-01-01" }]
        email  = { address = "ada@example.com", since = "2024-01-01" }
        [accounts.fields]
        first_name   = "Ada"
        balance      = 1234.56
        last_payment = "2026-11-02"
        next_visit   = "2026-12-03"
        results      = "all values are as they should be"
        medicine     = "blood pressure tablets"

        [[turn]]
        ring = true
        state = "welcome"
        says = ["Thank you for calling Acme Bank.", "Para español, oprima dos."]

        [[turn]]
        wait = "3s"
        state = "welcome"

        [[turn]]
        silence = true
        state = "who"
        says = ["Please key in your eight digit account number."]

        [[turn]]
        digits = "12345678"
        state = "menu"
        says = [
            "For your balance, press 1. For your last payment, press 2. For a new card, press 3. To change your address, press 4. For anything else, press 0.",
        ]

        [[turn]]
        digits = "1"
        state = "code"
        says = [
            "I have just sent a six digit code to the mobile number we have on file. Please key it in. For a new code, press star.",
        ]
        effects = [
            "send_sms +15005550010: You called Acme Bank. Key in <code> on your phone. Nobody will ask you to say it. Didn't call? Ignore this.",
        ]

        [[turn]]
        wait = "1m30s"
        state = "code"

        [[turn]]
        otp = "last"
        state = "more"
        says = [
            "Your balance is 1,234 dollars and 56 cents.",
            "To hear the menu again, press 1. If that was all, you may hang up.",
        ]
        facts = ["sms_otp"]

        [[turn]]
        digits = "2"
        state = "bye"
        says = ["Thank you for calling Acme Bank. Goodbye."]
        end = "hangup"
    "#]].assert_eq(&text);

    let replayed = command_in(folder.path())
        .args(["replay", "bank.by_hand.toml", "--flows"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/flows"))
        .ran();
    assert!(replayed.status.success(), "{replayed:?}");
}

#[test]
fn a_call_that_is_rung_back_is_saved_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("saved.toml");
    let clinic = ["clinic", "--from", "+15005550011"];
    let (_, out, _) = ring(&clinic, "23456789\n1\n:quit\n");
    let spoken = out.lines().find(|line| line.starts_with("▸ ") && line.len() < 20).unwrap();
    let code: String = spoken.chars().filter(char::is_ascii_digit).collect();
    let typed = format!(
        "23456789\n1\n:callback answered\n{code}\n2\n5\n:whisper decline\n:dial completed\n:queue queue-full\n:record yes\n:save {}\n",
        file.display()
    );
    let (_, out, _) = ring(&clinic, &typed);
    assert!(out.contains("[saved; "), "{out}");
    let text = std::fs::read_to_string(&file).unwrap();
    for part in ["callback_code = \"said\"", "hangup = true", "end = \"hangup\"", "recorded = true"]
    {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

/// Whatever it is, and however long before it is asked for.
#[test]
fn what_a_back_end_will_answer_waits_until_one_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("invoices.owed.toml");
    let flows = root().join("fixtures/calls/flows");
    let arguments = ["invoices", "--flows", flows.to_str().unwrap(), "--from", "+15005550010"];
    let rung = |answers: &str| {
        let _ = std::fs::remove_file(&file);
        let typed = format!("{answers}12345678\n11\n730495\n:save {}\n", file.display());
        let (code, out, err) = ring(&arguments, &typed);
        assert_eq!((code, err.as_str()), (Exit::Well, ""));
        assert!(file.exists(), "{answers}\n{out}");
        (out, std::fs::read_to_string(&file).unwrap())
    };
    let values =
        r#""due": "2026-12-01", "late": false, "office": "1", "of": [null, {"a": null, "b": 1}]"#;
    let (out, text) = rung(&format!(":backend {{\"amount\": 12.5, {values}}}\n:backend failed\n"));
    assert!(out.contains("You owe 12 dollars and 50 cents"), "{out}");
    assert!(text.contains("amount = 12.5") && !text.contains("failed\"]"), "{text}");
    let (out, _) = rung(&format!(":backend {{\"amount\": null, {values}}}\n"));
    assert!(out.contains("We cannot look that up right now."), "{out}");
    let (out, _) = rung(&format!(":backend {{\"amount\": [1], {values}}}\n"));
    assert!(out.contains("We cannot look that up right now."), "{out}");
}

/// A call that has not come to the look-up yet can be saved.
#[test]
fn an_answer_that_nobody_asked_for_is_not_in_the_transcript() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("early.toml");
    let typed =
        format!(":backend failed\n\n:lookup sim_swapped\n12345678\n:save {}\n", file.display());
    let (_, out, _) = ring(&[], &typed);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("{out}"));
    assert!(!text.contains("backend") && !text.contains("lookup ="), "{text}");
}

#[test]
fn the_last_answer_is_shown_as_the_provider_gets_it() {
    let (_, out, _) = ring(&[], ":twiml\n:quit\n");
    assert!(out.contains("  <Response>\n    <Gather action=\"https://ivr.example.com/twilio/turn/<call>/<nonce>\""), "{out}");
}

#[test]
fn help_names_every_command() {
    let (_, out, _) = ring(&[], ":help\n:mail\n:sms\n:messages\n:nonsense\n:quit\n");
    for command in [
        "speech",
        "wait",
        "back",
        "save",
        "sms",
        "mail",
        "messages",
        "undelivered",
        "facts",
        "state",
        "twiml",
        "service_code",
        "callback",
        "on",
        "dial",
        "whisper",
        "queue",
        "record",
        "hangup",
        "quit",
    ] {
        assert!(out.contains(&format!(":{command}")), "{command}\n{out}");
    }
    assert!(out.contains("  none was sent\n  none was sent\n  no message was sent\n"), "{out}");
    assert!(out.contains("  ! `:nonsense` does nothing here; see `:help`"), "{out}");
}

#[test]
fn a_flow_file_is_rung_by_its_name_on_disc() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hello.toml");
    let text = "name = \"greeting\"\nstart = \"hello\"\n[states.hello]\ntype = \"hangup\"\nprompt = \"Hello.\"\n";
    std::fs::write(&file, text).unwrap();
    let (code, out, err) = ring(&[file.to_str().unwrap()], "");
    assert_eq!((code, err.as_str()), (Exit::Well, ""));
    assert_eq!(out, "▸ Hello.\n  [the call is over]\n");
}
