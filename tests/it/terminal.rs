//! `simulate` on a real terminal: keys are typed, and the screen is looked at.

use rustix::process::Signal;

use crate::support::house::command_in;
use crate::support::process::Ran as _;
use crate::support::terminal::Terminal;
use crate::support::tree::root;

const WIDE: (u16, u16) = (60, 132);
const NARROW: (u16, u16) = (60, 40);
const CTRL_C: &str = "\u{3}";
const CTRL_D: &str = "\u{4}";
const BACKSPACE: &str = "\u{7f}";
const SIGINT: i32 = 2;

/// Where the bank waits for an account's number.
const WHO: &str = "eight digit account number";
const MENU: &str = "press 0.";

#[test]
fn a_call_is_rung_by_hand_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(folder.path(), &["simulate", "bank"], WIDE);
    terminal.answers("oprima dos.", "\r");
    // As many keys as the line takes need no Enter.
    terminal.answers(WHO, "12345678");
    terminal.answers(MENU, ":facts\r");
    terminal.answers("nothing is proved", ":speech balance\r");
    terminal.answers(":sms shows it]", ":sms\r");
    terminal.answers("to +1", ":wait 30s\r:state\r");
    terminal.answers("code (en-US)", "000000");
    terminal.answers("not", ":back\r");
    terminal.answers("code (en-US)\n▸", ":twiml\r");
    terminal.answers("</Response>", ":nonsense\r");
    terminal.answers("`:nonsense` does nothing here", ":save call.toml\r");
    terminal.answers("call.toml", CTRL_D);
    assert_eq!(terminal.ends().code(), Some(0), "{}", terminal.screen());
    expect_test::expect![[r##"
        ▸ Thank you for calling Acme Bank.
        ▸ Para español, oprima dos.

        ▸ Please key in your eight digit account number.
        12345678
        ▸ For your balance, press 1. For your last payment, press 2. For a new card, press 3. To change your address, press 4. For anything
          else, press 0.
        :facts
          nothing is proved
        :speech balance
        ▸ I have just sent a six digit code to the mobile number we have on file. Please key it in. For a new code, press star.
          [a text message to +15005550010; :sms shows it]
        :sms
          to +15005550010: You called Acme Bank. Key in 330293 on your phone. Nobody will ask you to say it. Didn't call? Ignore this.
        :wait 30s
        :state
          code (en-US)
        000000
        ▸ That did not work. Please key in the six digits of the newest message. For a new code, press star.
        :back
          code (en-US)
        ▸ I have just sent a six digit code to the mobile number we have on file. Please key it in. For a new code, press star.
        :twiml
          <Response>
            <Gather action="https://ivr.example.com/twilio/turn/<call>/<nonce>" method="POST" input="dtmf" actionOnEmptyResult="true"
            timeout="20" finishOnKey="#" numDigits="6">
              <Say language="en-US" voice="Polly.Joanna-Neural">I have just sent a six digit code to the mobile number we have on file.
              Please key it in. For a new code, press star.</Say>
            </Gather>
            <Redirect method="POST">https://ivr.example.com/twilio/turn/<call>/<nonce></Redirect>
          </Response>
        :nonsense
          ! `:nonsense` does nothing here; see `:help`
        :save call.toml
          [saved; `callgate replay call.toml` runs it]

          [you have hung up]"##]].assert_eq(&terminal.screen());

    let flows = concat!(env!("CARGO_MANIFEST_DIR"), "/flows");
    let replayed = command_in(folder.path()).args(["replay", "call.toml", "--flows", flows]).ran();
    assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stdout));
}

/// Prompts are broken between words; a line of keys that is longer than the window can be taken back.
#[test]
fn a_narrow_window_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(folder.path(), &["simulate", "bank"], NARROW);
    terminal.answers("oprima dos.", "\r");
    let long = format!(":speech {}", "balance ".repeat(9));
    let erased = BACKSPACE.repeat(long.len() - ":sms".len());
    terminal.answers("number.", &format!("{long}{erased}"));
    terminal.types(&format!("{}:state\r", BACKSPACE.repeat(":sms".len())));
    terminal.answers("who (en-US)", "12345678");
    terminal.answers(MENU, ":hangup\r");
    terminal.answers("an empty line", "\r");
    assert_eq!(terminal.ends().code(), Some(0), "{}", terminal.screen());
    expect_test::expect![[r"
        ▸ Thank you for calling Acme Bank.
        ▸ Para español, oprima dos.

        ▸ Please key in your eight digit account
          number.
        :state
          who (en-US)
        12345678
        ▸ For your balance, press 1. For your
          last payment, press 2. For a new card,
          press 3. To change your address, press
          4. For anything else, press 0.
        :hangup
          [you have hung up]
          [:back goes back, :save FILE keeps it,
          an empty line leaves]"]]
    .assert_eq(&terminal.screen());
}

/// What is typed ahead is seen once, and heard in its order.
#[test]
fn keys_may_be_typed_ahead() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(folder.path(), &["simulate", "bank"], WIDE);
    terminal.shows("oprima dos.");
    terminal.types("\r12345678:state\r:hangup\r:quit\r");
    assert_eq!(terminal.ends().code(), Some(0), "{}", terminal.screen());
    let screen = terminal.screen();
    assert_eq!(screen.matches("12345678").count(), 1, "{screen}");
    assert!(screen.contains("menu (en-US)") && screen.contains("you have hung up"), "{screen}");
}

#[test]
fn it_can_be_interrupted_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    for keys in ["", "1234", ":save ca"] {
        let mut terminal = Terminal::start(folder.path(), &["simulate", "bank"], WIDE);
        terminal.answers("oprima dos.", "\r");
        terminal.answers(WHO, keys);
        terminal.types(CTRL_C);
        assert_eq!(terminal.dies(), Some(SIGINT), "{keys}: {}", terminal.screen());
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Whoever is told to end leaves the terminal as it was: with an echo of what is typed.
#[test]
fn it_gives_the_terminal_back_when_it_is_told_to_end() {
    let folder = tempfile::tempdir().unwrap();
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let mut terminal = Terminal::start(folder.path(), &["simulate", "bank"], WIDE);
        terminal.answers("oprima dos.", "\r");
        terminal.answers(WHO, "1234");
        terminal.shows("1234");
        terminal.tells(signal);
        assert_eq!(terminal.dies(), Some(signal.as_raw()), "{}", terminal.screen());
    }
}

/// Beside each other where there is room, above each other where there is not; the bar is gone in the end.
#[test]
fn differences_are_laid_out_as_the_window_has_room() {
    let root = root();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("flows")).unwrap();
    for flow in ["bank.toml", "verify.toml"] {
        let text = std::fs::read_to_string(root.join("flows").join(flow)).unwrap();
        let text = text.replace("Your balance is", "You have");
        std::fs::write(folder.path().join("flows").join(flow), text).unwrap();
    }
    let calls = root.join("fixtures/calls/bank.balance.toml");
    std::fs::copy(calls, folder.path().join("call.toml")).unwrap();
    for (size, beside) in [(WIDE, true), ((24, 80), false)] {
        let mut terminal = Terminal::start(folder.path(), &["replay", "call.toml"], size);
        assert_eq!(terminal.ends().code(), Some(1));
        terminal.shows("0 calls as expected, 1 not; 6 turns");
        let screen = terminal.screen();
        let line = screen.lines().find(|line| line.contains("- Your balance is")).unwrap();
        assert_eq!(line.contains("+ You have"), beside, "{screen}");
        assert!(screen.contains("+ You have") && !screen.contains("/1 calls"), "{screen}");
    }
}
