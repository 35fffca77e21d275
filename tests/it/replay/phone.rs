//! The telephone in the terminal, in a pipe.

use callgate::cli::simulate::{Args, run_with};
use callgate::phone::PhoneNumber;
use clap::Parser;
use expect_test::{Expect, expect};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

/// Rings with these arguments, types these lines, and gives the exit code and what was printed.
fn ring(arguments: &[&str], typed: &str) -> (u8, String, String) {
    let line = ["simulate"].iter().chain(arguments);
    let args = Line::try_parse_from(line).unwrap().args;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = run_with(&args, &mut typed.as_bytes(), &mut out, &mut err);
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

fn check(arguments: &[&str], typed: &str, expected: &Expect) {
    let (code, out, err) = ring(arguments, typed);
    assert_eq!((code, err.as_str()), (0, ""));
    expected.assert_eq(&out);
}

#[test]
fn a_balance_in_a_pipe() {
    // The code is in the message that the demo's chance makes.
    let (_, out, _) = ring(&[], "\n12345678\n1\n:messages\n:quit\n");
    let message = out.lines().find(|line| line.contains("is your code")).unwrap();
    let code: String = message.split("Acme Bank: ").nth(1).unwrap().chars().take(6).collect();
    let typed = format!("\n12345678\n1\n{code}\n:facts\n:state\n\n");
    check(
        &[],
        &typed,
        &expect![[r"
        ▸ Thank you for calling Acme Bank.
        ▸ Para español, oprima dos.
        ▸ Please key in your eight digit account number.
        ▸ For your balance, press 1. For your last payment, press 2. For a new card, press 3. For anything else, press 0.
        ▸ I have just sent a six digit code to the mobile number we have on file. Please key it in. For a new code, press star.
          [a text message to +15005550010; :messages shows it]
        ▸ Your balance is 1,234 dollars and 56 cents.
        ▸ To hear the menu again, press 1. If that was all, you may hang up.
          sms_otp, 0 s ago
          more (en-US)
        ▸ Thank you for calling Acme Bank. Goodbye.
          [the call is over]
    "]],
    );
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
            ▸ 2 8 3 4 6 8
            ▸ Once more:
            ▸ 2 8 3 4 6 8
              [the inbound line is hung up]
              [+15005550011 rings; :callback answered]
            ▸ callback: Riverside Clinic. Somebody has just called us. If that was you, key in the code you were given. If not, please hang up.
            ▸ callback: Your next appointment is on January 14, 2027.
            ▸ callback: For another day, press 1. For the menu, press 2. If that was all, you may hang up.
            ▸ callback: For your next appointment, press 1. For test results, press 2. For a repeat prescription, press 3. To pay a bill, press 4. To speak with a nurse, press 5. For anything else, stay on the line.
            ▸ callback: I am ringing a nurse for you.
              [the line is being connected to +15005550007; :whisper accept]
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
        "hello\n:dial busy\n:callback answered\n:wait long\n:dial\n:speech uh\n:hangup\n",
        &expect![[r"
            ▸ Thank you for calling Acme Bank.
            ▸ Para español, oprima dos.
              ! `hello` is no keys; say it with `:speech hello`, or see `:help`
              ! the line listens
              ! there is no callback leg
              ! write how long: `:wait 90s`, `:wait 5m`
              ! one of: completed, answered, busy, no-answer, failed, canceled
            ▸ Please key in your eight digit account number.
              [you have hung up]
        "]],
    );
}

#[test]
fn a_pipe_that_ends_hangs_up() {
    let (code, out, _) = ring(&[], "\n");
    assert_eq!(code, 0);
    assert!(out.ends_with("  [you have hung up]\n"), "{out}");
}

#[test]
fn a_flow_that_is_not_there_is_a_matter_of_usage() {
    let (code, out, err) = ring(&["bnak"], "");
    assert_eq!((code, out.as_str()), (2, ""));
    assert_eq!(
        err,
        "callgate simulate: there is no flow `bnak`; there are: bank, clinic, verify\n"
    );
    assert!(Line::try_parse_from(["simulate", "--from", "555"]).is_err());
    assert!(PhoneNumber::parse("+15005550099").is_some());
}
