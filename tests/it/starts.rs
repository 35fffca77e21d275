//! What keeps a server from starting, or from taking up what was changed: it is told, and nobody waits for it.

mod away;

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::clock::{FAKETIME, give_a_clock, set_clock};
use crate::support::eventually::eventually;
use crate::support::house::{ACCOUNT, House, command_in};
use crate::support::provider::Provider;
use crate::support::redis::RedisServer;
use crate::support::telephone::Telephone;

/// Nobody is asked anything in these.
const NOBODY: &str = "http://127.0.0.1:9";

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// What the program says of this, which must end by itself.
fn ends(command: &mut Command) -> (Option<i32>, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        eventually("the end", || child.try_wait().unwrap())
    }));
    if ended.is_err() {
        let _ = child.kill();
    }
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

fn serve(house: &House) -> (Option<i32>, String) {
    ends(house.command().args(["serve", "--config", "callgate.toml"]))
}

#[test]
fn what_is_named_as_a_flow_and_is_no_file_is_told() {
    let house = House::set_up("memory:", NOBODY);
    let flows = house.folder.path().join("flows");
    let at = |name: &str| flows.join(name);
    // Editors leave such links, and whoever writes a file beside its place hides it.
    symlink("nobody@nowhere.1", at(".#desk.toml")).unwrap();
    let check = || ends(command_in(house.folder.path()).args(["check", "flows"]));
    assert_eq!(check().0, Some(0), "{}", check().1);
    let others: [fn(&Path); 4] = [
        make_pipe,
        |path| symlink("not-there", path).unwrap(),
        |path| symlink("/dev/zero", path).unwrap(),
        |path| std::fs::create_dir(path).unwrap(),
    ];
    for make in others {
        make(&at("other.toml"));
        for (code, told) in [serve(&house), check()] {
            assert_eq!(code, Some(2), "{told}");
            assert!(told.contains("flows/other.toml` is no file, and no link to one"), "{told}");
        }
        let other = at("other.toml");
        std::fs::remove_file(&other).or_else(|_| std::fs::remove_dir(&other)).unwrap();
    }
    // A link to a file is as good as the file.
    std::fs::rename(at("desk.toml"), at("desk")).unwrap();
    symlink("desk", at("desk.toml")).unwrap();
    assert_eq!(check().0, Some(0), "{}", check().1);
    // Whoever names a pipe means it; but nothing is read without end.
    let piped = "\"$0\" check <(cat flows/desk)";
    let mut shell = Command::new("bash");
    shell
        .current_dir(house.folder.path())
        .args(["-c", piped])
        .arg(crate::support::house::program());
    assert_eq!(ends(&mut shell).0, Some(0));
    let (code, told) = ends(command_in(house.folder.path()).args(["check", "/dev/zero"]));
    assert!(code == Some(3) && told.contains("far too large"), "{code:?}: {told}");
}

/// All of it would be read into memory, and callers would lose the server to the system.
#[test]
fn a_file_that_is_far_too_large_for_accounts_is_not_read() {
    let house = House::set_up("memory:", NOBODY);
    let accounts = std::fs::File::create(house.folder.path().join("accounts.toml")).unwrap();
    // It takes no room on the disk.
    accounts.set_len((1 << 30) + 1).unwrap();
    let (code, told) = serve(&house);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("`accounts.toml`: it is far too large for a file of accounts"), "{told}");
}

#[test]
fn a_pipe_in_place_of_the_flows_or_the_accounts_is_told() {
    for name in ["flows", "accounts.toml"] {
        let house = House::set_up("memory:", NOBODY);
        let path = house.folder.path().join(name);
        std::fs::rename(&path, house.folder.path().join("before")).unwrap();
        make_pipe(&path);
        let (code, told) = serve(&house);
        assert!(
            code.is_some_and(|code| code > 1) && told.contains("is no file"),
            "{code:?}: {told}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipe_that_comes_while_it_serves_keeps_it_from_nothing() {
    let provider = Provider::start();
    let mut house = House::start("memory:", &provider.api_base());
    let folder = house.folder.path().to_owned();
    let tells = |house: &House, what: &str| {
        eventually(what, || {
            let log = house.log();
            log.lines().any(|line| line.contains(what) && line.contains("is no file")).then_some(())
        });
    };
    make_pipe(&folder.join("flows/other.toml"));
    tells(&house, "the last good flows stay in use");
    make_pipe(&folder.join("accounts.new"));
    std::fs::rename(folder.join("accounts.new"), folder.join("accounts.toml")).unwrap();
    tells(&house, "the last good accounts stay in use");
    assert!(house.metrics().await.contains("callgate_flows_current 0"));
    house.terminate();
    assert_eq!(house.wait(), Some(0));
}

/// Whoever mounts a file into a container makes an empty one first; but it may be all that is left of a store.
#[test]
fn a_store_in_an_empty_file_is_begun_and_the_log_warns_of_it() {
    const TOLD: &str = "begun anew in an empty file";
    let mut house = House::set_up("embedded:calls.redb", NOBODY);
    std::fs::write(house.folder.path().join("calls.redb"), "").unwrap();
    house.restart();
    let says =
        |house: &House, what: &str| house.log().lines().filter(|line| line.contains(what)).count();
    eventually("the warning", || (says(&house, TOLD) == 1).then_some(()));
    house.terminate();
    assert_eq!(house.wait(), Some(0));
    house.restart();
    eventually("the second start", || (says(&house, "callgate answers") == 2).then_some(()));
    assert_eq!(says(&house, TOLD), 1, "now it has a store in it");
}

/// What lies in it is sealed, and nobody else on the machine reads it all the same.
#[test]
fn a_store_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let house = House::start("embedded:calls.redb", NOBODY);
    let store = house.folder.path().join("calls.redb");
    let mode = std::fs::metadata(store).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
}

/// Under another key every PIN would be wrong and no lock known.
#[tokio::test]
async fn a_store_of_another_state_key_is_not_gone_on_with() {
    for store in ["embedded:store.redb".to_owned(), RedisServer::shared().database()] {
        let mut house = House::start(&store, NOBODY);
        let ring = [("CallSid", "CA1"), ("From", "+15005550010"), ("To", "+15005550006")];
        assert_eq!(house.post("/twilio/voice", &ring).await.0, 200);
        house.kill();
        for command in [
            &["serve", "--config", "callgate.toml"][..],
            &["unlock", "--config", "callgate.toml", "12345678"],
            &["outbox", "--config", "callgate.toml", "list"],
            &["audit", "verify", "--config", "callgate.toml"],
            &[
                "replay",
                "--config",
                "callgate.toml",
                "--from-journal",
                "00000000-0000-0000-0000-000000000000",
            ],
        ] {
            let mut other = house.command();
            other.args(command).env("CALLGATE_STATE_KEY", STANDARD.encode([7; 32]));
            let (code, told) = ends(&mut other);
            assert_eq!(code, Some(2), "{command:?}: {told}");
            assert!(told.contains("the store was written under another state key"), "{told}");
        }
        house.restart();
        assert_eq!(house.post("/twilio/voice", &ring).await.0, 200, "its own key opens it");
    }
}

/// An image with nothing in it but the program has no certificates.
#[test]
fn a_machine_without_certificates_is_told_what_it_lacks() {
    let house = House::set_up("memory:", NOBODY);
    let mut command = house.command();
    command.args(["serve", "--config", "callgate.toml"]);
    let (code, told) =
        ends(command.env("SSL_CERT_FILE", "/dev/null").env("SSL_CERT_DIR", "/nowhere"));
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("the HTTP client cannot be set up: ") && told.contains("cert"), "{told}");
}

/// An answer has a date, which there is not before 1970.
#[test]
fn a_clock_that_was_never_set_is_told() {
    let house = House::set_up("memory:", NOBODY);
    let mut command = house.command();
    command.args(["serve", "--config", "callgate.toml"]).envs(FAKETIME).env("FAKETIME", "-36500d");
    let (code, told) = ends(&mut command);
    assert!(code == Some(3) && told.contains("stands before 1970"), "{code:?}: {told}");
}

/// From then on no connection would be answered, also when the clock is right again.
#[tokio::test]
async fn a_server_whose_clock_is_set_before_1970_ends_and_says_why() {
    let mut house = House::set_up("memory:", NOBODY);
    give_a_clock(&mut house, "+0");
    house.restart();
    let ring = [("CallSid", "CA1"), ("From", "+15005550010"), ("To", "+15005550006")];
    assert_eq!(house.post("/twilio/voice", &ring).await.0, 200);
    set_clock(&house, "@1969-06-01 00:00:00");
    house.logs("the clock of this machine was set before 1970: callgate stops");
    assert_eq!(house.wait(), Some(3));
    house.logs("error: the clock of this machine stands before 1970: set it");
}

/// A store that has lost everything, or another one than the other servers have.
#[tokio::test]
async fn a_call_that_the_store_does_not_know_is_told() {
    let store = RedisServer::shared().database();
    let house = House::start(&store, NOBODY);
    let mut phone = Telephone::new("CA1", "+15005550777");
    phone.ring(&house).await;
    redis::cmd("FLUSHDB").exec(&mut RedisServer::connection(&store)).unwrap();
    phone.key(&house, ACCOUNT).await;
    assert!(phone.spoken().contains("something is not working"), "{}", phone.spoken());
    house.logs("the store knows nothing of a call that goes on");
}

#[test]
fn a_demo_that_does_not_begin_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("flows")).unwrap();
    std::fs::write(folder.path().join("flows/bank.toml"), "name = \"bank\"\n").unwrap();
    let (code, told) = ends(command_in(folder.path()).arg("serve"));
    assert_eq!(code, Some(1), "{told}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

/// Whatever level is asked for, other libraries only warn: at a finer one they would write down what they carry.
#[tokio::test]
async fn a_level_is_of_our_own_lines_alone() {
    let provider = Provider::start();
    let mut house = House::start("memory:", &provider.api_base());
    let mut phone = Telephone::new("CA1", "+15005550777");
    phone.ring(&house).await;
    house.terminate();
    assert_eq!(house.wait(), Some(0));
    let log = house.log();
    let lines = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let own = |target: &str| target == "callgate" || target.starts_with("callgate::");
    let (own, others): (Vec<_>, Vec<_>) =
        lines.partition(|line| own(line["target"].as_str().unwrap()));
    assert!(own.iter().any(|line| line["level"] == "INFO"), "{log}");
    let warns =
        |line: &serde_json::Value| ["WARN", "ERROR"].contains(&line["level"].as_str().unwrap());
    assert!(others.iter().all(warns), "{others:?}");
}
