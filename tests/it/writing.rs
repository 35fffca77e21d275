//! Whatever writes a file writes it whole or not at all: the real program, killed in the middle of it,
//! on a disk that is full, in a folder that may only be read.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use crate::support::eventually::{eventually, eventually_async};
use crate::support::house::{House, command_in};
use crate::support::process::Ran as _;
use crate::support::provider::Provider;
use crate::support::telephone::Telephone;
use crate::support::tree::root;

/// A flow of few ways, and a call that takes one of them.
const SMALL: &str = "name = \"small\"\nstart = \"q\"\n\n[states.q]\ntype = \"menu\"\n\
    prompt = \"Press 1 or 2.\"\nkeys = { 1 = \"bye\", 2 = \"bye\" }\n\
    on = { no_input = \"bye\", no_match = \"bye\" }\n\n[states.bye]\ntype = \"hangup\"\n";
const CALL: &str = "flow = \"small\"\n\n[[turn]]\nring = true\n\n[[turn]]\ndigits = \"1\"\n\
    end = \"hangup\"\n";

/// What the system kills a program with that writes more than it may.
const TOO_MUCH: i32 = 25;
/// Somebody who owns nothing.
const NOBODY: u32 = 65534;

/// A command that writes files.
struct Writes {
    arguments: &'static [&'static str],
    typed: &'static str,
    /// What it writes, and whether that was there before.
    file: &'static str,
    was_there: bool,
}

const fn over(arguments: &'static [&'static str], file: &'static str) -> Writes {
    Writes { arguments, typed: "", file, was_there: true }
}

const fn new(arguments: &'static [&'static str], file: &'static str) -> Writes {
    Writes { arguments, typed: "", file, was_there: false }
}

const WRITES: [Writes; 11] = [
    over(&["fmt", "flows"], "flows/bank.toml"),
    over(&["check", "flows", "--fix"], "flows/bank.toml"),
    over(&["replay", "calls", "--bless"], "calls/bank.balance.toml"),
    over(&["graph", "bank", "--out", "old.svg"], "old.svg"),
    over(&["replay", "calls", "--junit", "old.xml"], "old.xml"),
    over(&["check", "open.toml", "--write-fixtures", "old", "--force"], "old/pinline.new_pin.toml"),
    new(&["check", "open.toml", "--write-fixtures", "holes"], "holes/pinline.new_pin.toml"),
    new(&["graph", "bank", "--out", "new.dot", "--format", "dot"], "new.dot"),
    new(&["replay", "calls", "--junit", "new.xml"], "new.xml"),
    new(&["replay", "few", "--flows", "small", "--coverage", "--skeletons", "missing"], "missing/"),
    Writes {
        arguments: &["simulate", "bank"],
        typed: "1\n:save saved.toml\n:quit\n",
        file: "saved.toml",
        was_there: false,
    },
];

fn shipped(path: &str) -> PathBuf {
    root().join(path)
}

/// A folder in which each of the commands has something to write.
fn office() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    let read = |path: &str| fs::read_to_string(shipped(path)).unwrap();
    let changed = |path: &str, from: &str, to: &str| {
        let text = read(path);
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    };
    // A slip that only a warning tells of, and a layout of its own.
    let bank = changed("flows/bank.toml", "\"missing-locale\"", "\"missing-local\"");
    write("flows/bank.toml", &bank.replace(" = ", "="));
    write("flows/verify.toml", &read("flows/verify.toml"));
    let call = changed("fixtures/calls/bank.balance.toml", "Thank you for", "Thanks for");
    write("calls/bank.balance.toml", &call);
    write("open.toml", &read("fixtures/flows/bad/unproved.toml"));
    write("small/small.toml", SMALL);
    write("few/small.one.toml", CALL);
    write("old/pinline.new_pin.toml", "# an older one\n");
    write("old.svg", "<svg an older one");
    write("old.xml", "<?xml an older one");
    folder
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn files(folder: &Path) -> Files {
    let mut found = Files::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            // What has not got its name yet may go before it is read.
            match fs::read(&path) {
                _ if path.is_dir() => folders.push(path),
                Ok(bytes) => drop(found.insert(path, bytes)),
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
            }
        }
    }
    found
        .into_iter()
        .map(|(path, bytes)| (path.strip_prefix(folder).unwrap().into(), bytes))
        .collect()
}

fn has_its_name(path: &Path) -> bool {
    path.extension().is_none_or(|extension| extension != "new")
}

fn ran(command: &mut Command, writes: &Writes) -> Output {
    use std::io::Write as _;
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    // It may have ended before it has read anything.
    let _ = child.stdin.take().unwrap().write_all(writes.typed.as_bytes());
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// What is there before a command and after it, uninterrupted.
fn before_and_after(writes: &Writes) -> (Files, Files) {
    let office = office();
    let old = files(office.path());
    let done = ran(command_in(office.path()).args(writes.arguments), writes);
    let new = files(office.path());
    assert!(new.keys().all(|path| has_its_name(path)), "{:?}: {}", writes.arguments, said(&done));
    let written =
        |path: &&PathBuf| path.starts_with(writes.file) && old.get(*path) != new.get(*path);
    assert!(new.keys().any(|path| written(&path)), "{:?}: {}", writes.arguments, said(&done));
    assert_eq!(old.contains_key(Path::new(writes.file)), writes.was_there, "{}", writes.file);
    (old, new)
}

/// Each file is as it was or as it was to become.
fn assert_whole(left: &Files, (old, new): (&Files, &Files), what: &str) {
    for (path, text) in left.iter().filter(|(path, _)| has_its_name(path)) {
        let whole = [old.get(path), new.get(path)].contains(&Some(text));
        assert!(whole, "{what}: {} is\n{}", path.display(), String::from_utf8_lossy(text));
    }
    assert!(old.keys().all(|path| left.contains_key(path)), "{what}: a file is gone");
}

/// The numbers of bytes after which the writing is cut off: of the longest of the files.
fn cuts(old: &Files, new: &Files) -> [usize; 4] {
    let written = new.iter().filter(|(path, text)| old.get(*path) != Some(text));
    let longest = written.map(|(_, text)| text.len()).max().unwrap();
    [0, 1, longest / 2, longest - 1]
}

/// The program, which may write so many bytes into a file; `told`: it is told so, and not killed.
fn limited(folder: &Path, bytes: usize, told: bool) -> Command {
    let mut command = Command::new("sh");
    let trap = if told { "trap '' XFSZ; " } else { "" };
    let limits = format!("prlimit --core=0 --fsize={bytes}:{bytes}");
    command.current_dir(folder).args([
        "-c",
        &format!("{trap}exec {limits} \"$0\" \"$@\""),
        env!("CARGO_BIN_EXE_callgate"),
    ]);
    command
}

#[test]
fn whoever_dies_while_writing_leaves_what_was_there() {
    for writes in &WRITES {
        let (old, new) = before_and_after(writes);
        for bytes in cuts(&old, &new) {
            let what = format!("{:?} killed at {bytes} bytes", writes.arguments);
            let office = office();
            let died = ran(limited(office.path(), bytes, false).args(writes.arguments), writes);
            assert_eq!(died.status.signal(), Some(TOO_MUCH), "{what}: {}", said(&died));
            let left = files(office.path());
            assert_whole(&left, (&old, &new), &what);
            // What is new has no name before it is complete.
            let begun = usize::from(writes.was_there);
            assert_eq!(left.keys().filter(|path| !has_its_name(path)).count(), begun, "{what}");

            // What was begun is in nobody's way, and goes.
            let again = ran(command_in(office.path()).args(writes.arguments), writes);
            let left = files(office.path());
            assert!(left.keys().all(|path| has_its_name(path)), "{what}, and run again");
            if writes.arguments.contains(&"--skeletons") {
                assert_whole(&left, (&old, &new), &what);
            } else {
                assert!(left == new, "{what}, and run again: {}", said(&again));
            }
        }
    }
}

#[test]
fn a_full_disk_is_told_and_leaves_what_was_there() {
    for writes in &WRITES {
        let (old, new) = before_and_after(writes);
        for bytes in cuts(&old, &new) {
            let what = format!("{:?} with room for {bytes} bytes", writes.arguments);
            let office = office();
            let full = ran(limited(office.path(), bytes, true).args(writes.arguments), writes);
            let told = said(&full);
            assert!(told.contains("cannot write "), "{what}: {told}");
            // On the telephone another name can be tried.
            let code = if writes.arguments[0] == "simulate" { 0 } else { 3 };
            assert_eq!(full.status.code(), Some(code), "{what}: {told}");
            let left = files(office.path());
            assert_whole(&left, (&old, &new), &what);
            assert!(left.keys().all(|path| has_its_name(path)), "{what}: something is left over");
            if !writes.arguments.contains(&"--skeletons") {
                assert!(left == old, "{what}");
            }
        }
    }
}

#[test]
fn a_folder_that_may_only_be_read_is_told_and_stays() {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = place.path().join("callgate");
    let built = Path::new(env!("CARGO_BIN_EXE_callgate"));
    fs::hard_link(built, &program).or_else(|_| fs::copy(built, &program).map(drop)).unwrap();
    for writes in &WRITES {
        let office = office();
        let old = files(office.path());
        let folders = ["flows", "calls", "old", ""].map(|name| office.path().join(name));
        let allow = |mode| {
            for folder in &folders {
                fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
            }
        };
        allow(0o555);
        let mut command = Command::new(&program);
        command.current_dir(office.path()).args(writes.arguments);
        if fs::metadata("/proc/self").is_ok_and(|it| std::os::unix::fs::MetadataExt::uid(&it) == 0)
        {
            // Nothing is forbidden to root.
            command.uid(NOBODY);
        }
        let output = ran(&mut command, writes);
        allow(0o755);
        let told = said(&output);
        assert!(told.contains("ermission denied"), "{:?}: {told}", writes.arguments);
        let code = if writes.arguments[0] == "simulate" { 0 } else { 3 };
        assert_eq!(output.status.code(), Some(code), "{:?}: {told}", writes.arguments);
        assert!(files(office.path()) == old, "{:?}", writes.arguments);
    }
}

#[test]
fn a_file_that_may_only_be_read_is_told_and_stays() {
    for writes in WRITES.iter().filter(|writes| writes.was_there) {
        let office = office();
        let old = files(office.path());
        let file = office.path().join(writes.file);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
        let output = ran(command_in(office.path()).args(writes.arguments), writes);
        let told = said(&output);
        assert!(told.contains("may only be read; it stays as it is"), "{told}");
        assert_eq!(output.status.code(), Some(3), "{:?}: {told}", writes.arguments);
        assert!(files(office.path()) == old, "{:?}", writes.arguments);
    }
}

/// A file that is there stays, unless the command is one that changes it.
#[test]
fn what_is_new_is_not_written_over_anything() {
    for writes in WRITES.iter().filter(|writes| !writes.was_there) {
        let office = office();
        assert!(
            ran(command_in(office.path()).args(writes.arguments), writes).status.code().is_some()
        );
        let made: Vec<_> =
            files(office.path()).into_keys().filter(|path| path.starts_with(writes.file)).collect();
        for path in &made {
            fs::write(office.path().join(path), "mine").unwrap();
        }
        let there = files(office.path());
        let told = said(&ran(command_in(office.path()).args(writes.arguments), writes));
        assert!(told.contains(" is there already"), "{:?}: {told}", writes.arguments);
        assert!(files(office.path()) == there, "{:?}", writes.arguments);
    }
}

#[test]
fn a_link_stays_a_link() {
    for writes in WRITES.iter().filter(|writes| writes.was_there) {
        let (_, new) = before_and_after(writes);
        let office = office();
        let (link, real) = (office.path().join(writes.file), office.path().join("elsewhere"));
        fs::rename(&link, &real).unwrap();
        symlink(&real, &link).unwrap();
        ran(command_in(office.path()).args(writes.arguments), writes);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink(), "{:?}", writes.arguments);
        assert!(fs::read(&real).unwrap() == new[Path::new(writes.file)], "{:?}", writes.arguments);
    }
}

/// Starts a command and kills it as soon as it has done so much.
fn kill_when(folder: &Path, arguments: &[&str], mut done: impl FnMut() -> bool) -> bool {
    let quiet = || Stdio::null();
    let mut command = command_in(folder);
    let mut child: Child = command.args(arguments).stdout(quiet()).stderr(quiet()).spawn().unwrap();
    let ended = eventually("the moment to kill it", || {
        let ended = child.try_wait().unwrap().is_some();
        (ended || done()).then_some(ended)
    });
    child.kill().unwrap();
    child.wait().unwrap();
    !ended
}

/// Of many files some are done and some are not; none is half done.
#[test]
fn a_run_over_many_files_can_be_killed_anywhere() {
    const MANY: usize = 16;
    let crowd = || {
        let office = office();
        for (folder, one) in [("flows", "bank.toml"), ("calls", "bank.balance.toml")] {
            let folder = office.path().join(folder);
            for number in 0..MANY {
                fs::copy(folder.join(one), folder.join(format!("{number:02}.toml"))).unwrap();
            }
        }
        // The flows of so many names would be one flow so many times.
        fs::rename(office.path().join("flows"), office.path().join("many")).unwrap();
        let well = office.path().join("flows");
        fs::create_dir(&well).unwrap();
        for flow in ["bank.toml", "verify.toml"] {
            fs::copy(shipped("flows").join(flow), well.join(flow)).unwrap();
        }
        office
    };
    for (arguments, folder) in
        [(&["fmt", "many"][..], "many"), (&["replay", "calls", "--bless"], "calls")]
    {
        let whole = crowd();
        let old = files(whole.path());
        assert!(command_in(whole.path()).args(arguments).ran().status.success());
        let new = files(whole.path());
        let mut killed = 0;
        for at in [0, 1, MANY / 2, MANY - 1] {
            let office = crowd();
            let place = office.path().join(folder);
            let file = place.join(format!("{at:02}.toml"));
            let was = fs::read(&file).unwrap();
            let begun =
                || fs::read_dir(&place).unwrap().any(|it| !has_its_name(&it.unwrap().path()));
            let done = || if at == 0 { begun() } else { fs::read(&file).unwrap() != was };
            killed += usize::from(kill_when(office.path(), arguments, done));
            let left = files(office.path());
            assert_whole(&left, (&old, &new), &format!("{arguments:?} killed at {at}"));
            assert!(left.keys().filter(|path| !has_its_name(path)).count() <= 1);
            assert!(command_in(office.path()).args(arguments).ran().status.success());
            let left = files(office.path());
            assert!(left == new, "{arguments:?} killed at {at}, and run again");
        }
        assert!(killed > 0, "{arguments:?} was always too quick");
    }
}

/// A server whose disk is full says so and serves on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recording_survives_a_full_disk() {
    let provider = Provider::start();
    let mut house = House::set_up("memory:", &provider.api_base());
    house.more = vec!["--record", "recorded"];
    house.under = ["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""].map(str::to_owned).to_vec();
    house.restart();
    let limit = |bytes: &str| {
        let pid = house.pid().to_string();
        let limits = format!("--fsize={bytes}:");
        assert!(Command::new("prlimit").args(["--pid", &pid, &limits]).status().unwrap().success());
    };
    let recorded = house.folder.path().join("recorded");
    let ring = async |sid: &str| {
        let mut phone = Telephone::new(sid, "+12025550143");
        phone.ring(&house).await;
        assert!(phone.hears("Gather"), "{:?}", phone.heard);
        phone.status(&house, "/twilio/status", &[("CallStatus", "completed")]).await;
    };
    limit("100");
    ring("CA00000000000000000000000000000080").await;
    eventually_async("the failure is told", async || {
        house.log().contains("a call could not be recorded").then_some(())
    })
    .await;
    assert_eq!(fs::read_dir(&recorded).unwrap().count(), 0, "nothing is left over");
    limit("unlimited");
    ring("CA00000000000000000000000000000081").await;
    let file = eventually_async("the next is recorded", async || {
        let file = fs::read_dir(&recorded).ok()?.next()?.ok()?.path();
        has_its_name(&file).then_some(file)
    })
    .await;
    let replayed = house.command().args(["replay", "recorded"]).ran();
    assert!(replayed.status.success(), "{}: {}", file.display(), said(&replayed));
}

/// A server that dies while it writes a call down leaves nothing of it; one whose folder is gone serves
/// on, and records again when there is one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_is_whole_or_not_there() {
    let provider = Provider::start();
    let mut house = House::set_up("memory:", &provider.api_base());
    house.more = vec!["--record", "recorded"];
    house.restart();
    let recorded = house.folder.path().join("recorded");
    let ring = async |house: &House, sid: &str| {
        let mut phone = Telephone::new(sid, "+12025550143");
        phone.ring(house).await;
        assert!(phone.hears("Gather"), "{:?}", phone.heard);
        phone.status(house, "/twilio/status", &[("CallStatus", "completed")]).await;
    };
    fs::remove_dir(&recorded).unwrap();
    ring(&house, "CA00000000000000000000000000000082").await;
    eventually_async("the failure is told", async || {
        house.log().contains("a call could not be recorded").then_some(())
    })
    .await;
    fs::create_dir(&recorded).unwrap();
    ring(&house, "CA00000000000000000000000000000083").await;
    let count = || fs::read_dir(&recorded).unwrap().count();
    eventually("the next is recorded", || (count() == 1).then_some(()));

    let pid = house.pid().to_string();
    let limits = ["--core=0:0", "--fsize=100:100"];
    assert!(Command::new("prlimit").args(["--pid", &pid]).args(limits).status().unwrap().success());
    ring(&house, "CA00000000000000000000000000000084").await;
    // It may be gone, or wait to be asked how it ended.
    eventually("the server dies", || {
        let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        (status.is_empty() || status.contains(") Z ")).then_some(())
    });
    assert_eq!(count(), 1, "something is left over");
}
