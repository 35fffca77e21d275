//! What stands before several servers: a real proxy.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use super::eventually::eventually;
use super::process::Process;
use super::redis::free_port;

/// A proxy before two servers; killed when dropped.
pub(crate) struct Proxy {
    _process: Process,
    pub(crate) url: String,
    _folder: tempfile::TempDir,
}

impl Proxy {
    /// What the handbook shows: a turn that a server did not answer goes to the other one, for the
    /// same request twice is one turn; and where none is ready, they apologise to callers themselves.
    pub(crate) fn before(servers: &[(u16, u16)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut settings = format!(
            "defaults\n  mode http\n  timeout connect 1s\n  timeout client 30s\n  timeout server 10s\n  \
             timeout check 3s\n  retries 3\n  option redispatch 1\n  retry-on all-retryable-errors\n\
             frontend calls\n  bind 127.0.0.1:{port}\n  use_backend alive if {{ nbsrv(ready) eq 0 }}\n  \
             default_backend ready\n"
        );
        for health in ["ready", "live"] {
            let name = if health == "live" { "alive" } else { health };
            write!(
                settings,
                "backend {name}\n  balance roundrobin\n  option httpchk GET /health/{health}\n"
            )
            .unwrap();
            for (n, (public, admin)) in servers.iter().enumerate() {
                writeln!(
                    settings,
                    "  server s{n} 127.0.0.1:{public} check port {admin} inter 100ms fall 1 rise 1"
                )
                .unwrap();
            }
        }
        let file = folder.path().join("haproxy.cfg");
        std::fs::write(&file, settings).unwrap();
        let child = Command::new("haproxy")
            .args(["-db", "-f"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let process = Process(child);
        eventually("the proxy to listen", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(())
        });
        Self { _process: process, url: format!("http://127.0.0.1:{port}"), _folder: folder }
    }
}
