//! The real program, serving in a folder of its own.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, LazyLock, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callgate::carrier::signature;
use callgate::chance::SystemChance;
use callgate::directory::pin;
use callgate::secret::Secret;
use callgate::store::envelope::Vault;
use secrecy::SecretString;

use super::eventually::eventually;
use super::process::{Process, Ran as _};
use super::provider::{ACCOUNT_SID, AUTH_TOKEN};

/// What the provider knows us by.
pub(crate) const PUBLIC_URL: &str = "https://ivr.example.com";
/// The operator's token.
pub(crate) const OPERATOR: &str = "operator-token-of-the-tests";
/// The account that the flows are rung with.
pub(crate) const ACCOUNT: &str = "73195528";
/// Its PIN.
pub(crate) const PIN: &str = "860317";
/// Its mobile.
pub(crate) const MOBILE: &str = "+15005550010";
/// The line that is called.
pub(crate) const LINE: &str = "+15005550006";
/// Who takes callers whom nobody can serve.
pub(crate) const FALLBACK: &str = "+15005550009";

/// What its state is sealed with.
pub(crate) const STATE_KEY: [u8; 32] = [42; 32];

/// A server set up in a folder; killed when dropped.
pub(crate) struct House {
    pub(crate) folder: tempfile::TempDir,
    running: Option<Running>,
    /// Arguments of `serve` beside the usual ones.
    pub(crate) more: Vec<&'static str>,
    /// How much is logged.
    pub(crate) log_level: &'static str,
    /// What runs the program, with arguments of its own; empty: nothing does.
    pub(crate) under: Vec<String>,
    log: Arc<Mutex<String>>,
    /// What stands before it, where something does.
    front: Option<String>,
    environment: Vec<(String, String)>,
}

struct Running {
    process: Process,
    public: String,
    admin: String,
}

impl House {
    /// Sets a server up, and starts it.
    pub(crate) fn start(store: &str, api_base: &str) -> Self {
        let mut house = Self::set_up(store, api_base);
        house.restart();
        house
    }

    /// Writes the configuration, the flow and the accounts.
    pub(crate) fn set_up(store: &str, api_base: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        std::fs::create_dir(folder.path().join("flows")).unwrap();
        write("flows/desk.toml", include_str!("../e2e/desk.toml"));
        let hash = pin::hash(&Secret::new(PIN), &vault(), &SystemChance).unwrap();
        write(
            "accounts.toml",
            &format!(
                "[[accounts]]\nid = \"{ACCOUNT}\"\npin_hash = \"{hash}\"\n\
                 phones = [{{ number = \"{MOBILE}\", line = \"mobile\", since = \"2024-01-01\" }}]\n\
                 [accounts.fields]\nfirst_name = \"Ada\"\nbalance = 1234.56\n"
            ),
        );
        write(
            "callgate.toml",
            &format!(
                "public_url = \"{PUBLIC_URL}\"\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n\
                 store = \"{store}\"\n\
                 [twilio]\naccount_sid = \"{ACCOUNT_SID}\"\nauth_token_env = [\"TEST_AUTH_TOKEN\", \"TEST_OLD_TOKEN\"]\n\
                 api_base = \"{api_base}\"\nfrom = \"{LINE}\"\n\
                 [lines]\n\"{LINE}\" = {{ flow = \"desk\", fallback_number = \"{FALLBACK}\" }}\n\
                 [policy.enumeration]\ndeadline_ms = 0\n\
                 [policy.shared]\nparallel_auth_sessions_per_account = 100\n\
                 [directory]\nkind = \"file\"\npath = \"accounts.toml\"\n\
                 [[admin.tokens]]\nname = \"tests\"\nrole = \"operator\"\ntoken_env = \"TEST_OPERATOR\"\n"
            ),
        );
        Self {
            folder,
            running: None,
            log: Arc::default(),
            front: None,
            environment: Vec::new(),
            more: Vec::new(),
            log_level: "trace",
            under: Vec::new(),
        }
    }

    /// The program with its environment, to be run in the folder.
    pub(crate) fn command(&self) -> Command {
        let mut command = command_under(&self.under, self.folder.path());
        command.envs(self.environment.iter().cloned());
        command
    }

    /// The program with the state key and none of the house's other secrets.
    pub(crate) fn keeper(&self) -> Command {
        let mut command = self.command();
        for secret in ["TEST_AUTH_TOKEN", "TEST_OLD_TOKEN", "TEST_OPERATOR"] {
            command.env_remove(secret);
        }
        command
    }

    /// Sets a variable of the program's environment.
    pub(crate) fn set_environment(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Starts the server (again), and waits until it answers.
    pub(crate) fn restart(&mut self) {
        self.running = None;
        let child = self
            .command()
            .args(["serve", "--config", "callgate.toml", "--log", self.log_level])
            .args(&self.more)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut process = Process(child);
        let stderr = BufReader::new(process.0.stderr.take().unwrap());
        let log = self.log.clone();
        let begun = log.lock().unwrap().len();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                writeln!(log.lock().unwrap(), "{line}").unwrap();
            }
        });
        let (public, admin) = eventually("the server answers", || {
            let ended = process.0.try_wait().unwrap();
            assert!(ended.is_none(), "the server ended: {}", self.log.lock().unwrap());
            let log = self.log.lock().unwrap();
            let line = log[begun..].lines().find(|line| line.contains("callgate answers"))?;
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            let field = |name: &str| line["fields"][name].as_str().map(str::to_owned);
            Some((field("public")?, field("admin")?))
        });
        self.running = Some(Running { process, public, admin });
    }

    /// Kills the server with SIGKILL.
    pub(crate) fn kill(&mut self) {
        drop(self.running.take().unwrap());
    }

    /// The server's process.
    pub(crate) fn pid(&self) -> u32 {
        self.running.as_ref().unwrap().process.0.id()
    }

    /// Tells the server to stop.
    pub(crate) fn terminate(&self) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Has the server die as of a fault of its own, and says how it ended.
    pub(crate) fn abort(&mut self) -> ExitStatus {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-ABRT", &pid]).status().unwrap().success());
        self.running.take().unwrap().process.ends()
    }

    /// Waits for the end, and says the exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.running.take().unwrap().process.ends().code()
    }

    /// Lets webhooks go to what stands before it.
    pub(crate) fn stand_behind(&mut self, front: String) {
        self.front = Some(front);
    }

    /// Where webhooks go.
    pub(crate) fn public(&self) -> String {
        if let Some(front) = &self.front {
            return front.clone();
        }
        format!("http://{}", self.running.as_ref().unwrap().public)
    }

    /// Where operators go.
    pub(crate) fn admin(&self) -> String {
        format!("http://{}", self.running.as_ref().unwrap().admin)
    }

    /// Writes this at the head of the configuration.
    pub(crate) fn configure(&self, keys: &str) {
        self.change_configuration("public_url = ", &format!("{keys}public_url = "));
    }

    /// Has this directory asked about accounts, with the token in that variable, and waited for no longer.
    pub(crate) fn ask_directory(&self, url: &str, token_env: &str, timeout: &str) {
        self.change_configuration(
            "kind = \"file\"\npath = \"accounts.toml\"\n",
            &format!(
                "kind = \"http\"\nurl = \"{url}\"\ntoken_env = \"{token_env}\"\ntimeout = \"{timeout}\"\n\
                 allow = [\"127.0.0.1\"]\n"
            ),
        );
    }

    /// Writes something else in the configuration, in one place.
    pub(crate) fn change_configuration(&self, from: &str, to: &str) {
        self.change("callgate.toml", from, to);
    }

    /// Puts something else into a file in place of what stands there once.
    pub(crate) fn change(&self, file: &str, from: &str, to: &str) {
        let path = self.folder.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
    }

    /// What is told of a configuration that nobody can be served with, at its place.
    pub(crate) fn refused(&self) -> String {
        let output = self.command().args(["serve", "--config", "callgate.toml"]).ran();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("callgate.toml:"), "{told}");
        told
    }

    /// Waits until this stands in the log: a thread of its own writes it, a moment later.
    pub(crate) fn logs(&self, text: &str) {
        eventually(&format!("`{text}` in the log"), || self.log().contains(text).then_some(()));
    }

    /// Everything logged so far, over all starts.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// None of these stands in the log.
    pub(crate) fn hides(&self, secrets: &[&str]) {
        let log = self.log();
        for secret in secrets {
            assert!(!log.contains(secret), "{secret} is in the log: {log}");
        }
    }

    /// Posts a form as the provider does, signed; `path` begins with `/`.
    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> (u16, String) {
        self.post_signed(AUTH_TOKEN, path, form).await
    }

    /// The same, signed with this key.
    pub(crate) async fn post_signed(
        &self,
        key: &str,
        path: &str,
        form: &[(&str, &str)],
    ) -> (u16, String) {
        let form: Vec<(String, String)> =
            form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let url = format!("{PUBLIC_URL}{path}");
        let signature = signature::sign(&SecretString::from(key), &url, &form);
        let response = client()
            .post(format!("{}{path}", self.public()))
            .header("X-Twilio-Signature", signature)
            .form(&form)
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Asks the admin API.
    pub(crate) async fn ask(&self, path: &str) -> serde_json::Value {
        let response = client()
            .get(format!("{}{path}", self.admin()))
            .bearer_auth(OPERATOR)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), 200, "{path}");
        response.json().await.unwrap()
    }

    /// The metrics.
    pub(crate) async fn metrics(&self) -> String {
        client()
            .get(format!("{}/metrics", self.admin()))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    }
}

/// The program: the one that was built with the tests, or another that is named.
pub(crate) fn program() -> OsString {
    let built = || env!("CARGO_BIN_EXE_callgate").into();
    std::env::var_os("CALLGATE_TEST_PROGRAM").unwrap_or_else(built)
}

/// The program in a folder, with the environment that the tests' configuration names.
pub(crate) fn command_in(folder: &Path) -> Command {
    command_under(&[], folder)
}

fn command_under(under: &[String], folder: &Path) -> Command {
    let program = program();
    let mut command = match under {
        [] => Command::new(&program),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    };
    command
        .current_dir(folder)
        .env("CALLGATE_STATE_KEY", STANDARD.encode(STATE_KEY))
        .env("TEST_AUTH_TOKEN", AUTH_TOKEN)
        .env("TEST_OLD_TOKEN", "the-token-before-this-one")
        .env("TEST_OPERATOR", OPERATOR)
        .stdin(Stdio::null());
    command
}

/// What seals and hashes with the tests' key.
pub(crate) fn vault() -> Vault {
    Vault::new(&STATE_KEY)
}

/// A client that keeps nothing between requests, and so may be everybody's: to make one takes long.
pub(crate) fn client() -> reqwest::Client {
    static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy().build().unwrap()
    });
    CLIENT.clone()
}
