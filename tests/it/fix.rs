//! `check --fix`: what is surely a slip is mended, and nothing else is touched.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::support::house::command_in;
use crate::support::process::Ran as _;
use crate::support::tree::{entries, root};

const FLOW: &str = r#"# The desk.
name   = "desk"     # as it is called
start  = "numbr"
locale = "en_US"

[levels]
basic = { any = ["pin", "passcod"] } # one thing known

[disclose]
balance = "basik"

[states.number]
type   = 'identify'
by     = ["digits"]
digits = "8"
promt  = "Your number."
on     = { found = "pin", unkown = "pin" }

[states.pin]
type   = "gather-pin"
digits = 6
prompt = "Your PIN."
on     = { ok = "balance", failed = "goodbye", locked = "goodby" }

[states.balance]
type     = "say"
requires = "basic"
accept   = ["unproved", "missing-local"]   # later
on       = { denied = "goodbye" }
prompt   = "It is {{ account.balance | money }}."
next     = "gooodbye"

[states.goodbye]
type   = "hangup"
accept = ["no-way-out"]
prompt = "Bye."
"#;

fn check(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = command_in(folder).arg("check").args(arguments).ran();
    let Output { status, stdout, stderr } = output;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// The lines of two texts that differ.
fn differences(before: &str, after: &str) -> String {
    let diff = similar::TextDiff::from_lines(before, after);
    let changes =
        diff.iter_all_changes().filter(|change| change.tag() != similar::ChangeTag::Equal);
    changes.fold(String::new(), |drawn, change| drawn + &change.tag().to_string() + change.value())
}

#[test]
fn slips_are_mended_in_place_and_the_rest_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("desk.toml");
    fs::write(&file, FLOW).unwrap();
    let (code, stdout, stderr) = check(folder.path(), &["desk.toml", "--fix"]);
    let mended = fs::read_to_string(&file).unwrap();
    expect_test::expect![[r#"
        -start  = "numbr"
        -locale = "en_US"
        +start  = "number"
        +locale = "en-US"
        -basic = { any = ["pin", "passcod"] } # one thing known
        +basic = { any = ["pin", "passcode"] } # one thing known
        -balance = "basik"
        +balance = "basic"
        -digits = "8"
        -promt  = "Your number."
        -on     = { found = "pin", unkown = "pin" }
        +digits = 8
        +prompt  = "Your number."
        +on     = { found = "pin", unknown = "pin" }
        -type   = "gather-pin"
        +type   = "gather_pin"
        -on     = { ok = "balance", failed = "goodbye", locked = "goodby" }
        +on     = { ok = "balance", failed = "goodbye", locked = "goodbye" }
        -accept   = ["unproved", "missing-local"]   # later
        +accept   = []   # later
        -next     = "gooodbye"
        +next     = "goodbye"
        -accept = ["no-way-out"]
    "#]]
    .assert_eq(&differences(FLOW, &mended));
    expect_test::expect![[r"
        fixed desk.toml:3: there is no state `numbr` to start in: write `number`
        fixed desk.toml:4: `en_US` is not a language such as en-US: write `en-US`
        fixed desk.toml:7: `passcod` is neither a fact nor a class: write `passcode`
        fixed desk.toml:10: there is no level `basik`: write `basic`
        fixed desk.toml:16: state `number` has no key `promt`: write `prompt`
        fixed desk.toml:17: an `identify` state never ends with `unkown`: write `unknown`
        fixed desk.toml:20: there is no state type `gather-pin`: write `gather_pin`
        fixed desk.toml:31: there is no state `gooodbye`: write `goodbye`
        fixed desk.toml:35: `no-way-out` is an error, which cannot be accepted: take it out
        fixed desk.toml:15: `digits` must be a whole number from 1 to 64, not a text: write 8 without quotes
        fixed desk.toml:23: there is no state `goodby`: write `goodbye`
        fixed desk.toml:28: `unproved` is an error, which cannot be accepted: take it out
        fixed desk.toml:28: there is no warning `missing-local`: write `missing-locale`
        fixed desk.toml:28: there is no `missing-locale` here to accept: take it out
        14 fixes in 1 file
        no findings
    "]].assert_eq(&stderr);
    assert_eq!((code, stdout.as_str()), (0, ""));
    let written = fs::metadata(&file).unwrap().modified().unwrap();
    let (code, _, stderr) = check(folder.path(), &["desk.toml", "--fix"]);
    assert_eq!((code, stderr.as_str()), (0, "no findings\n"), "there is nothing left to do");
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), written, "and nothing is written");
    let left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["desk.toml"]);
}

#[test]
fn what_is_not_certain_is_left_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("desk.toml");
    // Either state may be meant, the level may be another, and a broken file is not to be touched.
    let sent = FLOW.replace("goodbye", "sent").replace("gooodbye", "senk");
    let doubtful = sent.clone() + "[states.send]\ntype = \"hangup\"\n";
    fs::write(&file, &doubtful).unwrap();
    let (code, stdout, stderr) = check(folder.path(), &["desk.toml", "--fix"]);
    assert_eq!(code, 1);
    assert!(stdout.contains("there is no state `senk`"), "{stdout}\n{stderr}");
    assert!(fs::read_to_string(&file).unwrap().contains("next     = \"senk\""));
    let broken = FLOW.replace("prompt = \"Bye.\"", "prompt = \"Bye.");
    fs::write(&file, &broken).unwrap();
    let (code, _, stderr) = check(folder.path(), &["desk.toml", "--fix"]);
    assert!(code == 1 && !stderr.contains("fixed"), "{stderr}");
    assert_eq!(fs::read_to_string(&file).unwrap(), broken);
    fs::write(&file, FLOW).unwrap();
    let (_, _, stderr) = check(folder.path(), &["desk.toml"]);
    assert!(stderr.contains("`--fix` mends"), "{stderr}");
    assert_eq!(fs::read_to_string(&file).unwrap(), FLOW, "nothing is done unasked");
}

#[cfg(unix)]
#[test]
fn what_a_link_leads_to_is_changed_and_keeps_its_rights() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("real.toml"), folder.path().join("link.toml"));
    fs::write(&file, FLOW).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    symlink(&file, &link).unwrap();
    let (code, _, stderr) = check(folder.path(), &["link.toml", "--fix"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&file).unwrap().contains("start  = \"number\""));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
}

/// What is mended of the bad flows, drawn; what is mended is not found again, and mending twice is
/// mending once.
#[test]
fn the_bad_flows_are_mended_where_that_is_certain() {
    let bad = root().join("fixtures/flows/bad");
    let mut paths = entries(&bad);
    paths.retain(|path| path.extension().is_some_and(|e| e == "toml"));
    paths.sort();
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<_> = paths.iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    let mut drawn = String::new();
    for (path, file) in paths.iter().zip(&files) {
        let alone = folder.path().join(Path::new(file).file_stem().unwrap());
        fs::create_dir(&alone).unwrap();
        let text = fs::read_to_string(path).unwrap();
        if !callgate::check::check_sources(&sources(&text)).1.iter().any(|f| f.fix.is_some()) {
            continue;
        }
        fs::write(alone.join(file), &text).unwrap();
        let (_, _, stderr) = check(&alone, &[".", "--fix"]);
        let mended = fs::read_to_string(alone.join(file)).unwrap();
        assert!(mended == text || stderr.contains("fixed"), "{stderr}");
        let again = check(&alone, &[".", "--fix"]).2;
        assert!(!again.contains("fixed"), "{again}");
        assert_eq!(fs::read_to_string(alone.join(file)).unwrap(), mended);
        drawn += &format!("{}\n{}", file.to_str().unwrap(), differences(&text, &mended));
    }
    expect_test::expect_file!["./fixes.txt"].assert_eq(&drawn);
}

fn sources(text: &str) -> callgate::diagnostic::Sources {
    let mut sources = callgate::diagnostic::Sources::default();
    sources.add("f.toml", text);
    sources
}
