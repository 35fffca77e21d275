//! What the system tells a server by signals.

use std::fs::File;
use std::io::Read as _;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::support::eventually::eventually;
use crate::support::house::{House, client};
use crate::support::process::Process;
use crate::support::provider::Provider;
use crate::support::redis::{RedisServer, free_port};

fn hang_up(house: &House) {
    let pid = house.pid().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
}

/// When this was logged, at the end of so many times.
fn logged(house: &House, message: &str, times: usize) -> Timestamp {
    eventually(message, || {
        let log = house.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut of = lines.filter(|line| line["fields"]["message"] == message);
        of.nth(times - 1).map(|line| line["timestamp"].as_str().unwrap().parse().unwrap())
    })
}

/// Without it the other folder would be found once it has stayed for two seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_hung_up_on_looks_at_its_files_and_goes_on() {
    const LOOKS: &str = "callgate was told to look at its files";
    const IN_USE: &str = "the changed flows are in use for new calls";
    let provider = Provider::start();
    let mut house = House::set_up("memory:", &provider.api_base());
    let folder = house.folder.path().to_owned();
    let at = |name: &str| folder.join(name);
    std::fs::rename(at("flows"), at("first")).unwrap();
    symlink("first", at("flows")).unwrap();
    std::fs::create_dir(at("second")).unwrap();
    let flow = std::fs::read_to_string(at("first/desk.toml")).unwrap();
    std::fs::write(at("second/desk.toml"), flow.replace("Thanks for", "Thank you for")).unwrap();
    house.restart();
    // Nothing is other than it was.
    hang_up(&house);
    logged(&house, LOOKS, 1);
    symlink("second", at("link")).unwrap();
    std::fs::rename(at("link"), at("flows")).unwrap();
    hang_up(&house);
    let told = logged(&house, LOOKS, 2);
    let took = logged(&house, IN_USE, 1).duration_since(told);
    assert!(took < SignedDuration::from_secs(1), "{took}");
    let live = client().get(format!("{}/health/live", house.admin())).send().await.unwrap();
    assert_eq!(live.status().as_u16(), 200);
    house.terminate();
    assert_eq!(house.wait(), Some(0));
    assert_eq!(house.log().matches(IN_USE).count(), 1);
}

/// A server may start for long, where it reads many accounts or moves an older store on: what is changed meanwhile
/// is read again, and who says so ends nothing.
#[test]
fn a_server_that_is_hung_up_on_while_it_starts_takes_up_what_was_changed_meanwhile() {
    let redis = RedisServer::start();
    let house = House::set_up(&redis.url(), "http://127.0.0.1:9");
    let (folder, port) = (house.folder.path(), free_port());
    house.change_configuration(
        "\nlisten = \"127.0.0.1:0\"",
        &format!("\nlisten = \"127.0.0.1:{port}\""),
    );
    let (flow, log) = (folder.join("flows/desk.toml"), folder.join("log"));
    redis.freeze();
    let mut command = house.command();
    command.args(["serve", "--config", "callgate.toml"]).stderr(File::create(&log).unwrap());
    let mut server = Process(command.spawn().unwrap());
    // It has read its files by then, and waits for the store.
    eventually("a server that listens", || TcpStream::connect(("127.0.0.1", port)).ok());
    let changed = std::fs::read_to_string(&flow).unwrap().replace("Thanks for", "Thank you for");
    std::fs::write(folder.join("new"), changed).unwrap();
    std::fs::rename(folder.join("new"), &flow).unwrap();
    let pid = server.0.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    redis.thaw();
    eventually("the changed flow", || {
        let log = std::fs::read_to_string(&log).unwrap();
        assert_eq!(server.0.try_wait().unwrap(), None, "{log}");
        log.contains("a changed flow is in use for new calls").then_some(())
    });
}

/// Whoever closes the window that it runs in is done with it.
#[test]
fn a_server_whose_terminal_is_gone_stops() {
    let provider = Provider::start();
    let house = House::set_up("memory:", &provider.api_base());
    let (mut pty, pts) = pty_process::blocking::open().unwrap();
    let ours = house.command();
    let mut command = pty_process::blocking::Command::new(ours.get_program());
    command = command.args(["serve", "--config", "callgate.toml"]).current_dir(house.folder.path());
    for (name, value) in ours.get_envs() {
        command = command.env(name, value.unwrap());
    }
    let mut child = command.spawn(pts).unwrap();
    let (mut shown, mut bytes) = (String::new(), [0; 4096]);
    while !shown.contains("callgate answers") {
        let count = pty.read(&mut bytes).unwrap_or_else(|error| panic!("{error}: {shown}"));
        shown.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    drop(pty);
    let ended = eventually("the end", || child.try_wait().unwrap());
    assert_eq!(ended.code(), Some(0), "{ended}");
}
