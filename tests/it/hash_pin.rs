//! `hash-pin`: what is taken for a PIN or a passcode, and what is said of what is not.

use std::process::Output;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callgate::directory::pin::StoredPin;
use callgate::secret::Secret;

use crate::support::house::{command_in, vault};
use crate::support::process::Ran as _;
use crate::support::terminal::Terminal;

/// Runs `hash-pin` with this standard input.
fn hash_pin(folder: &std::path::Path, arguments: &[&str], input: &str) -> (i32, String, String) {
    use std::io::Write as _;
    use std::process::Stdio;
    let mut child = command_in(folder)
        .arg("hash-pin")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have said no before it has read anything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[test]
fn a_pin_is_hashed_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = hash_pin(folder.path(), &[], "869317\n");
    assert_eq!((code, stderr.as_str()), (0, ""), "nobody is asked who is not there");
    assert!(stdout.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stdout}");
    // A line of another system ends with one more character, which nobody can key in.
    let (code, stdout, stderr) = hash_pin(folder.path(), &[], "869317\r\n");
    assert_eq!((code, stderr.as_str()), (0, ""));
    let stored = StoredPin::hashed(stdout.trim_end()).unwrap();
    assert!(stored.is(&Secret::new("869317"), &vault()));
    // What is blank is no secret: everybody would know it.
    for key in [None, Some(""), Some(" \n")] {
        let mut command = command_in(folder.path());
        match key {
            Some(key) => command.env("CALLGATE_STATE_KEY", key),
            None => command.env_remove("CALLGATE_STATE_KEY"),
        };
        let output = command.arg("hash-pin").ran();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr.contains("CALLGATE_STATE_KEY is not set"), "{key:?}: {stderr}");
    }
}

#[test]
fn a_pin_on_the_command_line_is_refused_and_not_told() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["739168"][..], &["--passcode", "purple", "739168"], &["--short", "739168"]]
    {
        let (code, stdout, stderr) = hash_pin(folder.path(), arguments, "869317\n");
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains("not given on the command line"), "{stderr}");
        assert!(!stderr.contains("739168") && !stderr.contains("purple"), "{stderr}");
    }
    let (_, help, _) = hash_pin(folder.path(), &["--help"], "");
    assert!(!help.to_lowercase().contains("misplaced"), "{help}");
}

#[test]
fn a_pin_that_guessers_try_first_is_refused_with_the_reason_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("accounts.toml"),
        "[[accounts]]\nid = \"73195528\"\n\
         phones = [{ number = \"+15005550142\", line = \"mobile\", since = \"2024-01-01\" }]\n\
         [accounts.fields]\nborn = \"1975-03-08\"\n",
    )
    .unwrap();
    let hers = ["--account", "73195528", "--accounts", "accounts.toml"];
    for (arguments, pin, more, reason) in [
        (&[][..], "12a456", "", "6 to 12 digits"),
        (&[], "5092", "", "`--short`"),
        (&["--short"], "2580", "", "a way over the keys"),
        (&[], "112233", "", "digits in groups"),
        (&[], "241286", "", "a date"),
        (&hers, "975520", "", ""),
        (&hers, "550142", "", "customer's own numbers"),
        (&hers, "197542", "", "customer's own dates"),
        (&["--avoid", "1975-03-08"], "197542", "", "customer's own dates"),
        (&["--avoid", "-"], "869317", "2000-01-01\n+4986931799\n", "customer's own numbers"),
        (&["--passcode"], "my password", "", "guessed first"),
        (&["--passcode"], "one two three four five six", "", "a run of digits"),
    ] {
        let (code, stdout, stderr) = hash_pin(folder.path(), arguments, &format!("{pin}\n{more}"));
        if reason.is_empty() {
            assert_eq!(code, 0, "{arguments:?} {pin}: {stderr}");
            continue;
        }
        assert_eq!((code, stdout.as_str()), (1, ""), "{arguments:?} {pin}");
        assert!(stderr.contains(reason), "{arguments:?} {pin}: {stderr}");
        assert!(!stderr.contains(pin), "{stderr}");
    }
    // Digits for a passcode are held to what a PIN is, and none is shorter.
    let (code, _, stderr) = hash_pin(folder.path(), &["--passcode"], "one two three\n");
    assert!(code == 1 && stderr.contains("6 to 12 digits"), "{stderr}");
    assert!(!stderr.contains("--short"), "{stderr}");
    let strange = ["--account", "1", "--accounts", "accounts.toml"];
    assert_eq!(hash_pin(folder.path(), &strange, "869317\n").0, 2);
    let nowhere = ["--account", "1", "--accounts", "nowhere.toml"];
    assert_eq!(hash_pin(folder.path(), &nowhere, "869317\n").0, 2);
}

/// Said or typed, a passcode has one form: the hash is of that.
#[test]
fn a_passcode_is_hashed_in_the_form_it_is_heard_in() {
    let folder = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = hash_pin(folder.path(), &["--passcode"], "Purple  TRACTOR!\n");
    assert_eq!(code, 0, "{stderr}");
    let vault = callgate::store::envelope::Vault::new(&[42; 32]);
    let stored = callgate::directory::pin::StoredPin::hashed(stdout.trim()).unwrap();
    let locale = callgate::flow::locale::Locale::parse("en-US").unwrap();
    let heard = callgate::engine::spoken::passcode("purple tractor", None, &locale);
    assert!(stored.is(&callgate::secret::Secret::new(heard), &vault));
}

/// Whoever sits at a terminal is asked for it.
#[test]
fn who_sits_there_is_told_what_to_key_in() {
    let folder = tempfile::tempdir().unwrap();
    let key = format!("CALLGATE_STATE_KEY={}", STANDARD.encode([42; 32]));
    let program = env!("CARGO_BIN_EXE_callgate");
    for (arguments, asked, entry) in [
        (&[][..], "Key in the PIN and press Enter", "869317\r"),
        (&["--passcode"], "Type the passcode and press Enter", "purple tractor\r"),
    ] {
        let all = [&[&*key, program, "hash-pin"], arguments].concat();
        let mut terminal = Terminal::running("env", &all, folder.path(), (24, 132));
        terminal.answers(asked, entry);
        assert_eq!(terminal.ends().code(), Some(0), "{}", terminal.screen());
        assert!(terminal.screen().contains("$argon2id$"), "{}", terminal.screen());
    }
}
