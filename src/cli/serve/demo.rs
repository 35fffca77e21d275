//! The demo: shipped flows, made-up accounts, and a carrier that prints on the terminal. It listens on
//! loopback alone, with a key of its own.

pub(in crate::cli) mod keyring;

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;
use secrecy::{ExposeSecret as _, SecretString};

use super::looks::Looked;
use super::needs::Offer;
use super::{Equipment, watch};
use crate::audit::key::is_of_another_key;
use crate::carrier::console::ConsoleCarrier;
use crate::carrier::signature::{self, Keys};
use crate::check::{Waits, check_sources};
use crate::cli::configured::Outside;
use crate::cli::failure::Failure;
use crate::cli::print;
use crate::config::{AdminToken, Line, Lines, Role};
use crate::demo;
use crate::diagnostic::{Place, any_error};
use crate::directory::Directory;
use crate::engine::policy::Policy;
use crate::flow::FlowSet;
use crate::server::Listeners;
use crate::server::metrics::Metrics;
use crate::store;
use crate::twiml::links::Links;
use keyring::{DemoError, Keyring, STORE_FILE};

const FLOWS: &str = "flows";
const PORT: u16 = 8080;
const ADMIN_PORT: u16 = 8081;

/// What the demo prints when it is ready.
#[derive(Debug)]
pub(super) struct Greeting {
    flows: Vec<String>,
    auth_token: SecretString,
    admin_token: SecretString,
}

pub(super) async fn equip() -> Result<(Equipment, Greeting), Failure> {
    let keyring = Keyring::open()?;
    let (flows, looked) = flows()?;
    let address = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let listeners = Listeners::bind(address(PORT), address(ADMIN_PORT))?;
    let store = store::open(&format!("embedded:{STORE_FILE}")).await?;
    if is_of_another_key(store.as_ref(), &keyring.vault).await.unwrap_or(false) {
        return Err(DemoError::OtherKey.into());
    }
    // Not before: a demo that does not start must leave nothing behind.
    keyring.keep()?;
    let public_url = format!("http://127.0.0.1:{PORT}");
    let greeting = Greeting {
        flows: flows.iter().map(|flow| flow.name.to_string()).collect(),
        auth_token: keyring.auth_token.clone(),
        admin_token: keyring.admin_token.clone(),
    };
    let carrier =
        Arc::new(ConsoleCarrier::new(Links::new(&public_url), Box::new(std::io::stdout())));
    let metrics = Metrics::default();
    let equipment = Equipment {
        flows,
        directory: Directory::new(demo::accounts()),
        store,
        away: None,
        vault: keyring.vault,
        policy: Policy::default(),
        lines: Lines { by_number: IndexMap::from([("*".to_owned(), line())]) },
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
            flows: looked,
            accounts: None,
            lines: vec![demo::FLOW.to_owned()],
            offer: Offer {
                mail: true,
                web_code_digits: Policy::default().service_code.digits,
                ..Offer::default()
            },
            waits: Waits::default(),
        },
        settings: crate::exchange::fleet::Settings::new(),
    };
    Ok((equipment, greeting))
}

/// The flows of the working folder, if it has the one that is rung, and otherwise the shipped ones.
fn flows() -> Result<(FlowSet, Option<Looked>), Failure> {
    let folder = Path::new(FLOWS);
    if folder.join(format!("{}.toml", demo::FLOW)).exists() {
        let looked = Looked::at(folder.to_owned());
        return Ok((super::read_flows(folder, &Waits::default())?, Some(looked)));
    }
    let (flows, findings) = check_sources(&demo::flows());
    if any_error(&findings) {
        return Err(DemoError::Flows.into());
    }
    Ok((flows, None))
}

fn line() -> Line {
    Line {
        flow: demo::FLOW.to_owned(),
        flow_place: Place { file: "demo".into(), span: 0..0 },
        number: None,
        fallback_number: None,
        overflow_number: None,
    }
}

impl Greeting {
    /// Prints what there is, and what to try.
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
