//! What is left of tests that somebody ends before they are done: no server, and none of its files.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use crate::support::eventually::eventually;
use crate::support::process::Process;
use crate::support::redis::RedisServer;

/// Set where this binary is another process, which holds a server.
const HOLDS: &str = "CALLGATE_TEST_HOLDS_REDIS";

/// Not a test: what another process does, when this binary is started as one.
#[test]
fn as_whoever_holds_a_server() {
    if std::env::var_os(HOLDS).is_none() {
        return;
    }
    let server = RedisServer::start();
    println!("\nat {}", server.port);
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// Whoever interrupts the tests ends at once all that they have started.
#[test]
fn nothing_is_left_of_the_servers_of_tests_that_were_ended() {
    let folder = tempfile::tempdir().unwrap();
    let holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "leftovers::as_whoever_holds_a_server", "--nocapture"])
        .env(HOLDS, "1")
        .env("TMPDIR", folder.path())
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut holder = Process(holder);
    let mut lines = BufReader::new(holder.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let port = lines.find_map(|line| line.strip_prefix("at ")?.parse::<u16>().ok());
    let left = || folder.path().read_dir().unwrap().count();
    assert_eq!(left(), 1);
    let group = format!("-{}", holder.0.id());
    assert!(Command::new("kill").args(["-TERM", "--", &group]).status().unwrap().success());
    holder.ends();
    eventually("nothing to be left", || {
        let answers = TcpStream::connect(("127.0.0.1", port.unwrap())).is_ok();
        (!answers && left() == 0).then_some(())
    });
}
