//! What is measured, started: Redis, callgate, the limit, and the peers, each knowing the same
//! customers.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use callgate::chance::SeededChance;
use callgate::secret::Secret;
use callgate::store::envelope::Vault;

use super::call::{
    ACCOUNT_SID, ACCOUNTS, ENTRY, LINE, PIN_LINE, PINS, PUBLIC_URL, TOKEN, account, number, pin,
};
use super::machine::{LOAD_CORE, Process, SERVER_CORE, on_cores};
use super::words;

/// Starting a server, a peer's interpreter and its libraries included, takes less than this.
const START_MAX: Duration = Duration::from_mins(1);
pub(crate) const STATE_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    listener.local_addr().expect("it is bound").port()
}

/// Waits until somebody listens there.
pub(crate) fn wait_for(port: u16, name: &str) {
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < START_MAX, "{name} does not listen on port {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A Redis that keeps nothing on disk, on the core of the load.
pub(crate) struct Redis {
    pub(crate) process: Process,
    pub(crate) port: u16,
    _folder: tempfile::TempDir,
}

impl Redis {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(options: &[&str]) -> Self {
        let (port, folder) = (free_port(), folder());
        let mut command = on_cores(&LOAD_CORE.to_string(), "redis-server");
        command
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "no", "--dir"])
            .arg(folder.path())
            .args(options);
        let process = Process::start(command.stdout(Stdio::null()));
        wait_for(port, "redis-server");
        Self { process, port, _folder: folder }
    }

    /// Database `n`, for one server alone.
    pub(crate) fn url(&self, n: u8) -> String {
        format!("redis://127.0.0.1:{}/{n}", self.port)
    }

    /// What a question is answered with, one line each.
    pub(crate) fn ask(&self, question: &[&str]) -> String {
        let port = self.port.to_string();
        let said = Command::new("redis-cli").args(["-p", &port]).args(question).output();
        String::from_utf8_lossy(&said.expect("redis-cli comes with redis-server").stdout)
            .into_owned()
    }

    /// Bytes of memory in use, without what clients have.
    pub(crate) fn used_bytes(&self) -> u64 {
        let said = self.ask(&["MEMORY", "STATS"]);
        let lines: Vec<_> = said.lines().collect();
        let after = |name: &str| {
            let at = lines.iter().position(|line| *line == name)?;
            lines.get(at + 1)?.parse::<u64>().ok()
        };
        let total = after("total.allocated").expect("Redis tells its memory");
        let clients = after("clients.normal").unwrap_or(0);
        total.saturating_sub(clients)
    }
}

/// A server that answers webhooks.
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) process: Process,
    pub(crate) port: u16,
    /// Where it keeps its files.
    _folder: Option<tempfile::TempDir>,
}

impl Server {
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Processor time that it has used, with all its processes.
    pub(crate) fn cpu_ns(&self) -> u64 {
        self.process.pids().into_iter().map(super::machine::cpu_ns).sum()
    }

    /// callgate as it is shipped: its log at the level of production goes nowhere.
    pub(crate) fn callgate(store: &str, cores: &str) -> Self {
        Self::callgate_by(&[], store, cores)
    }

    /// callgate run by another program, such as one that counts.
    pub(crate) fn callgate_by(by: &[&str], store: &str, cores: &str) -> Self {
        let (port, folder) = (free_port(), house(store));
        let configuration = folder.path().join("callgate.toml");
        let text = std::fs::read_to_string(&configuration).expect("it was just written");
        let text = text.replace("PORT", &port.to_string());
        std::fs::write(&configuration, text).expect("the folder is ours");
        let mut words = by.iter().copied().chain([callgate_path()]);
        let mut command = on_cores(cores, words.next().unwrap_or_default());
        command.args(words).args(["serve", "--config"]).arg(&configuration);
        command
            .env("CALLGATE_STATE_KEY", STATE_KEY)
            .env("TWILIO_AUTH_TOKEN", TOKEN)
            .stdout(Stdio::null())
            .stderr(log());
        let process = Process::start(&mut command);
        wait_for(port, "callgate");
        Self { name: "callgate".into(), process, port, _folder: Some(folder) }
    }

    /// The limit: this program once more.
    pub(crate) fn limit(redis: &str, workers: usize) -> Self {
        Self::limit_by(&[], redis, workers)
    }

    /// The limit run by another program, such as one that counts.
    pub(crate) fn limit_by(by: &[&str], redis: &str, workers: usize) -> Self {
        let port = free_port();
        let own = std::env::current_exe().expect("a program knows where it lies");
        let own = own.to_string_lossy();
        let mut words = by.iter().copied().chain([own.as_ref()]);
        let mut command = on_cores(&cores_of(workers), words.next().unwrap_or_default());
        command.args(words).args(["limit", redis, &port.to_string(), &workers.to_string()]);
        let process = Process::start(&mut command);
        wait_for(port, "the limit");
        Self { name: "limit".into(), process, port, _folder: None }
    }

    /// A peer in `benches/peers`, installed.
    pub(crate) fn peer(name: &str, command: &mut Command, port: u16) -> Self {
        let process = Process::start(command.stdout(Stdio::null()).stderr(log()));
        wait_for(port, name);
        Self { name: name.into(), process, port, _folder: None }
    }
}

/// The program that is measured: the one that was built with this one, or another that is named.
fn callgate_path() -> &'static str {
    words().callgate.as_deref().unwrap_or(env!("CARGO_BIN_EXE_callgate"))
}

pub(crate) fn cores_of(workers: usize) -> String {
    if workers == 1 { SERVER_CORE.to_string() } else { format!("0-{}", workers - 1) }
}

/// What servers say goes nowhere, unless somebody wants to see it.
fn log() -> Stdio {
    if words().loud { Stdio::inherit() } else { Stdio::null() }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("there is a place for temporary files")
}

/// The files of a callgate: two flows, the customers, the configuration.
fn house(store: &str) -> tempfile::TempDir {
    let folder = folder();
    let put = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("the folder is ours");
    };
    std::fs::create_dir(folder.path().join("flows")).expect("the folder is ours");
    put("flows/bench.toml", include_str!("flow.toml"));
    put("flows/pin.toml", include_str!("pin.toml"));
    let mut accounts = String::new();
    for n in 0..ACCOUNTS {
        let _ = writeln!(accounts, "[[accounts]]\nid = \"{}\"", account(n));
        let _ = writeln!(
            accounts,
            "phones = [{{ number = \"{}\", line = \"mobile\", since = \"2024-01-01\" }}]",
            number(n as u64)
        );
        if let Some(hash) = pin_hashes().get(n) {
            let _ = writeln!(accounts, "pin_hash = \"{hash}\"");
        }
        let _ = writeln!(accounts, "[accounts.fields]\nfirst_name = \"Ada\"\nbalance = 1234.56\n");
    }
    put("accounts.toml", &accounts);
    put(
        "callgate.toml",
        &format!(
            "public_url = \"{PUBLIC_URL}\"\nlisten = \"127.0.0.1:PORT\"\nadmin_listen = \"127.0.0.1:0\"\n\
             flows = \"flows\"\nstore = \"{store}\"\n\n[twilio]\naccount_sid = \"{ACCOUNT_SID}\"\n\
             api_base = \"http://127.0.0.1:9\"\nfrom = \"{LINE}\"\n\n\
             [lines]\n\"{LINE}\" = {{ flow = \"bench\" }}\n\"{PIN_LINE}\" = {{ flow = \"pin\" }}\n\n\
             [directory]\nkind = \"file\"\npath = \"accounts.toml\"\n\n\
             # What is measured is the work, not a wait that hides it.\n\
             [policy.enumeration]\ndeadline_ms = 0\n"
        ),
    );
    folder
}

/// The PINs' hashes, as `callgate hash-pin` prints them.
fn pin_hashes() -> &'static [String] {
    static HASHES: OnceLock<Vec<String>> = OnceLock::new();
    HASHES.get_or_init(|| {
        let vault = Vault::from_base64(STATE_KEY).expect("the key is the harness's own");
        let chance = SeededChance::new(1);
        let hash = |n| callgate::directory::pin::hash(&Secret::new(pin(n)), &vault, &chance);
        (0..PINS).map(|n| hash(n).expect("there is memory for a hash")).collect()
    })
}

/// The customers as the peers read them.
pub(crate) fn customers() -> PathBuf {
    let path = std::env::temp_dir().join("callgate-bench-customers.json");
    let customers: Vec<_> = (0..ACCOUNTS)
        .map(|n| serde_json::json!({ "id": account(n), "entry": ENTRY, "balance": 1234.56 }))
        .collect();
    std::fs::write(&path, serde_json::Value::from(customers).to_string())
        .expect("there is a place for temporary files");
    path
}
