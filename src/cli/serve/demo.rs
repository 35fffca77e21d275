//! The demo: shipped flows, made-up accounts, and a carrier that prints on the terminal. It listens on
//! loopback alone, with a key of its own.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use indexmap::IndexMap;
use secrecy::{ExposeSecret as _, SecretString};

use super::needs::Offer;
use super::{Plan, watch};
use crate::audit::key::is_of_another_key;
use crate::carrier::console::ConsoleCarrier;
use crate::carrier::signature::{self, Keys};
use crate::chance::{Chance as _, SystemChance};
use crate::check::{Waits, check_sources};
use crate::cli::configured::Outside;
use crate::cli::failure::Failure;
use crate::cli::print;
use crate::config::{AdminToken, Line, Lines, Role, environment};
use crate::demo;
use crate::diagnostic::{Place, any_error};
use crate::directory::Directory;
use crate::engine::policy::Policy;
use crate::server::Listeners;
use crate::server::metrics::Metrics;
use crate::store::{self, envelope::Vault};
use crate::twiml::links::Links;

const KEY_FILE: &str = "callgate-demo.key";
const STORE_FILE: &str = "callgate-demo.redb";
const FLOWS: &str = "flows";
const PORT: u16 = 8080;
const ADMIN_PORT: u16 = 8081;

/// Why the demo cannot run.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum DemoError {
    /// The key file is not one.
    #[error("`{KEY_FILE}` is not a demo's key file; move it away, and a new one is made")]
    KeyFile,
    /// The key file cannot be read or made.
    #[error("cannot keep the demo's keys in `{KEY_FILE}`: {0}")]
    KeyFileUnusable(std::io::Error),
    /// The store was written under other keys.
    #[error(
        "`{STORE_FILE}` was written under other keys than those of `{KEY_FILE}`; move it away, and a new one is made"
    )]
    OtherKey,
    /// The shipped flows are wrong.
    #[error("a bug of callgate's: the shipped flows have errors")]
    Flows,
}

/// What the demo says when it answers.
#[derive(Debug)]
pub(super) struct Greeting {
    flows: Vec<String>,
    auth_token: SecretString,
    admin_token: SecretString,
}

struct Keyring {
    vault: Vault,
    auth_token: SecretString,
    admin_token: SecretString,
}

pub(super) async fn plan() -> Result<(Plan, Greeting), Failure> {
    let kept = read_keys()?;
    let keys = kept.clone().unwrap_or_else(new_keys);
    let keyring = keyring(&keys)?;
    let folder = Path::new(FLOWS);
    let own = folder.join(format!("{}.toml", demo::FLOW)).exists();
    let flows = if own {
        super::read_flows(folder, &Waits::default())?
    } else {
        let (flows, findings) = check_sources(&demo::flows());
        if any_error(&findings) {
            return Err(DemoError::Flows.into());
        }
        flows
    };
    let address = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let listeners = Listeners::bind(address(PORT), address(ADMIN_PORT))?;
    let store = store::open(&format!("embedded:{STORE_FILE}")).await?;
    if is_of_another_key(store.as_ref(), &keyring.vault).await {
        return Err(DemoError::OtherKey.into());
    }
    if kept.is_none() {
        // Not before: what does not begin leaves nothing behind.
        keep_keys(&keys).map_err(DemoError::KeyFileUnusable)?;
    }
    let public_url = format!("http://127.0.0.1:{PORT}");
    let line = Line {
        flow: demo::FLOW.to_owned(),
        flow_place: Place { file: "demo".into(), span: 0..0 },
        number: None,
        fallback_number: None,
        overflow_number: None,
    };
    let greeting = Greeting {
        flows: flows.iter().map(|flow| flow.name.to_string()).collect(),
        auth_token: keyring.auth_token.clone(),
        admin_token: keyring.admin_token.clone(),
    };
    let carrier =
        Arc::new(ConsoleCarrier::new(Links::new(&public_url), Box::new(std::io::stdout())));
    let metrics = Metrics::default();
    let plan = Plan {
        flows,
        directory: Directory::new(demo::accounts()),
        store,
        vault: keyring.vault,
        policy: Policy::default(),
        lines: Lines { by_number: IndexMap::from([("*".to_owned(), line)]) },
        keys: Keys::new(&[keyring.auth_token]).ok_or(DemoError::KeyFile)?,
        public_url,
        account_sid: None,
        voucher_key: 1,
        turns_max: crate::limits::TURNS_IN_PROGRESS,
        drain: std::time::Duration::ZERO,
        admin_tokens: vec![AdminToken {
            name: "demo".into(),
            role: Role::Operator,
            token: keyring.admin_token,
        }],
        mail: Some(carrier.clone()),
        outside: Outside::nobody(&metrics),
        carrier,
        metrics,
        listeners,
        watched: watch::Watched {
            flows: own.then(|| folder.to_owned()),
            accounts: None,
            lines: vec![demo::FLOW.to_owned()],
            offer: Offer {
                mail: true,
                web_code_digits: Policy::default().service_code.digits,
                ..Offer::default()
            },
            waits: Waits::default(),
        },
    };
    Ok((plan, greeting))
}

/// The demo's keys, which are made once, so that a demo that is started again goes on with its calls.
fn read_keys() -> Result<Option<String>, DemoError> {
    match std::fs::read_to_string(KEY_FILE) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DemoError::KeyFileUnusable(error)),
    }
}

fn keyring(text: &str) -> Result<Keyring, DemoError> {
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let (Some(state_key), Some(auth), Some(admin)) = (lines.next(), lines.next(), lines.next())
    else {
        return Err(DemoError::KeyFile);
    };
    let vault = Vault::from_base64(state_key).map_err(|_| DemoError::KeyFile)?;
    let auth_token = environment("TWILIO_AUTH_TOKEN").unwrap_or_else(|| auth.to_owned());
    Ok(Keyring { vault, auth_token: auth_token.into(), admin_token: admin.into() })
}

fn new_keys() -> String {
    let chance = SystemChance;
    let token = || URL_SAFE_NO_PAD.encode(chance.bytes());
    format!(
        "# The keys of the callgate demo: what seals its store, what signs webhooks, what opens the admin API.\n{}\n{}\n{}\n",
        STANDARD.encode(chance.bytes()),
        token(),
        token(),
    )
}

fn keep_keys(text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(KEY_FILE)?;
    file.write_all(text.as_bytes())
}

impl Greeting {
    /// Says what is there, and what to try.
    pub(super) fn show(&self, public: SocketAddr, admin: SocketAddr) {
        let sid = format!("CA{:032x}", 1);
        let parameters: Vec<(String, String)> = [
            ("AccountSid", "AC00000000000000000000000000000000"),
            ("CallSid", &sid),
            ("CallStatus", "ringing"),
            ("Direction", "inbound"),
            ("From", "+15005550999"),
            ("To", "+15005550006"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let url = format!("http://{public}/twilio/voice");
        let signature = signature::sign(&self.auth_token, &url, &parameters);
        let mut curl = format!("curl -sS {url} \\\n    -H 'X-Twilio-Signature: {signature}'");
        for (name, value) in &parameters {
            let _ = write!(curl, " \\\n    --data-urlencode '{name}={value}'");
        }
        print(&format!(
            "callgate runs a demo: flows {flows}, made-up accounts, store {STORE_FILE}.
Messages that it sends are printed here.

Ring it without a phone, in another terminal:
  callgate simulate {flow}        (account {account}, PIN {pin})

Ring it as a telephony provider does:
  {curl}

Webhooks are signed with the demo's own auth token:  {auth}
The admin API is on http://{admin} with the token:   {token}
  curl -sS http://{admin}/health/ready
Its pages open in a browser, with any name and that token as the password.

For your own lines, write a {config}: see the README. Stop with Ctrl-C.

",
            flow = demo::FLOW,
            flows = self.flows.join(", "),
            account = demo::ACCOUNT,
            pin = demo::PIN,
            auth = self.auth_token.expose_secret(),
            token = self.admin_token.expose_secret(),
            config = crate::config::DEFAULT_FILE,
        ));
    }
}
