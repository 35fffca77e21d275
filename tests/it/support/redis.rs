//! A real Redis of the tests' own, on a free port, without a trace left behind.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::ops::Range;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::eventually::eventually;

/// Databases of one server: each test takes one of its own.
const DATABASES: usize = 4_096;

/// A server that keeps nothing.
const UNKEPT: [&str; 6] = ["--save", "", "--appendonly", "no", "--databases", "4096"];

/// Starts the server and kills it when standard input ends: however the tests end, it does not stay.
const KEEPER: &str = r#"
directory=$1; shift
"${CALLGATE_TEST_REDIS:-redis-server}" "$@" --dir "$directory" </dev/null >"$directory/log" 2>&1 &
echo $!
read -r _
kill -KILL $! 2>/dev/null
wait
rm -rf -- "$directory"
"#;

/// A running (or stopped) server; killed when dropped.
#[derive(Debug)]
pub(crate) struct RedisServer {
    pub(crate) port: u16,
    /// The file of a Sentinel, which keeps what it learns in it.
    file: Option<std::path::PathBuf>,
    options: Vec<String>,
    running: Option<Running>,
    next_database: AtomicUsize,
}

#[derive(Debug)]
struct Running {
    keeper: Child,
    server: u32,
}

impl RedisServer {
    /// The one that all tests of this process share; each takes its [`Self::database`].
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<RedisServer> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server that this test alone may stop, freeze and flush.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, with further options of `redis-server`.
    pub(crate) fn start_with(options: &[&str]) -> Self {
        let mut server = Self::stopped(options);
        server.restart();
        server
    }

    /// A server that is not up yet: its address is fixed, and refuses.
    pub(crate) fn stopped(options: &[&str]) -> Self {
        let options = options.iter().map(|&option| option.to_owned()).collect();
        let port = free_port();
        Self { port, file: None, options, running: None, next_database: AtomicUsize::new(0) }
    }

    /// A Sentinel that keeps its settings in this file.
    pub(crate) fn sentinel(file: std::path::PathBuf) -> Self {
        let mut server = Self::stopped(&["--sentinel"]);
        server.file = Some(file);
        server.restart();
        server
    }

    /// The address of its database 0.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The address of a database that nobody else uses.
    pub(crate) fn database(&self) -> String {
        let database = self.next_database.fetch_add(1, Ordering::Relaxed);
        assert!(database < DATABASES, "more tests than databases");
        format!("{}/{database}", self.url())
    }

    /// A plain connection, to look at it from behind.
    pub(crate) fn connection(url: &str) -> redis::Connection {
        redis::Client::open(url).unwrap().get_connection().unwrap()
    }

    /// Kills it; what it held is gone.
    pub(crate) fn stop(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        drop(running.keeper.stdin.take());
        running.keeper.wait().unwrap();
    }

    /// Starts it (anew), empty, at its address.
    pub(crate) fn restart(&mut self) {
        self.stop();
        let mut tries = 0;
        self.running = Some(eventually("a redis-server at its port", || {
            tries += 1;
            assert!(tries < 20, "redis-server does not start; is it installed?");
            self.try_start()
        }));
    }

    /// Lets it do nothing, as a machine that swaps or a network that is cut: connections stay.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let server = self.running.as_ref().expect("a running server").server.to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &server]).status().unwrap();
        assert!(status.success());
    }

    /// `None`: another process took the port.
    fn try_start(&self) -> Option<Running> {
        let directory =
            tempfile::Builder::new().prefix("callgate-redis-").tempdir().unwrap().keep();
        let mut keeper = Command::new("sh")
            // Whoever ends all that the tests have started leaves it to tidy up.
            .process_group(0)
            .args(["-c", KEEPER, "keeper"])
            .arg(directory)
            .args(&self.file)
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(if self.file.is_some() { &[][..] } else { &UNKEPT[..] })
            .args(&self.options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pid = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut pid).unwrap();
        let server = pid.trim().parse().unwrap();
        let running = Running { keeper, server };

        let up = eventually("redis-server to answer or to end", || {
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return Some(self.listens(server));
            }
            let ended = std::fs::read_to_string(format!("/proc/{server}/stat"))
                .is_ok_and(|stat| stat.contains(") Z "));
            ended.then_some(false)
        });
        if up {
            return Some(running);
        }
        let mut keeper = running.keeper;
        drop(keeper.stdin.take());
        keeper.wait().unwrap();
        None
    }

    /// Whether this very process has the port.
    fn listens(&self, server: u32) -> bool {
        let asked = redis::Client::open(self.url()).unwrap().get_connection();
        let info = asked.and_then(|mut connection| {
            redis::cmd("INFO").arg("server").query::<String>(&mut connection)
        });
        match info {
            Ok(info) => info.contains(&format!("process_id:{server}\r\n")),
            // It wants a password, as it was told to.
            Err(error) => error.to_string().to_lowercase().contains("auth"),
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A port for whoever listens later, and again after a restart. It is below those that the system gives to whoever asks
/// for any, be it for a connection only: one of them may be somebody else's by then.
pub(crate) fn free_port() -> u16 {
    const PORTS: Range<u32> = 10_000..32_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Tests of several processes begin at several places.
    let first = std::process::id().wrapping_mul(997);
    loop {
        let nth = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + nth % (PORTS.end - PORTS.start);
        let port = u16::try_from(port).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
