//! The configuration: one TOML file, and secrets from the environment or from files it names.
//!
//! This is the one place that reads the environment.

mod keys;
mod lookup;
mod otp;
mod outbound;
mod policy;
mod read;
mod redis;
pub mod reference;
pub mod shown;
mod smtp;
mod values;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use secrecy::SecretString;

use crate::carrier::twilio::{Login, Sender};
use crate::diagnostic::{Finding, Place, Problems, Sources, any_error};
use crate::document::{self, Reader};
use crate::engine::policy::Policy;
use crate::phone::PhoneNumber;
use crate::store::envelope::Vault;

pub use lookup::Lookup;
pub use otp::Verify;
pub use policy::{policy_sections, read_policy, write_policy};
pub use read::DEFAULT_FILE;

/// How a server is set up.
#[derive(Debug)]
pub struct Config {
    /// The scheme, host, optional port and path that the provider knows us by.
    pub public_url: String,
    /// Where webhooks come in.
    pub listen: SocketAddr,
    /// Where operators and the house's own machines connect.
    pub admin_listen: SocketAddr,
    /// How many turns may be in progress before new calls are turned away.
    pub turns_max: u64,
    /// How long to go on serving as not ready once told to stop.
    pub drain: std::time::Duration,
    /// The folder of flow files.
    pub flows: PathBuf,
    /// `embedded:<path>`, `redis://…` (or `+sentinel`, `+cluster`) or `memory:`.
    pub store: String,
    /// What its address does not say.
    pub store_options: crate::store::Options,
    /// What seals and hashes.
    pub vault: Vault,
    /// The provider.
    pub twilio: Twilio,
    /// Which number leads to which flow.
    pub lines: Lines,
    /// Where accounts come from.
    pub directory: Directory,
    /// Who is asked by `lookup` states, by the names that they use.
    pub backends: BTreeMap<String, crate::outbound::Settings>,
    /// Who is asked about numbers before they are used; `None`: nobody.
    pub lookup: Option<Lookup>,
    /// Who makes and checks the codes of text messages; `None`: we do.
    pub verify: Option<Verify>,
    /// Where mail is handed in; `None`: nothing is sent by e-mail.
    pub smtp: Option<crate::carrier::smtp::Settings>,
    /// Attempts, codes, lockouts, sends.
    pub policy: Policy,
    /// Who may use the admin API.
    pub admin_tokens: Vec<AdminToken>,
    /// The number of the key that signs vouchers.
    pub voucher_key: u32,
    /// What it was read from.
    pub sources: Sources,
    /// What is worth saying about it without being an error.
    pub warnings: Vec<Finding>,
}

/// The provider's account.
#[derive(Debug)]
pub struct Twilio {
    /// `AC…`
    pub account_sid: String,
    /// Any may sign what comes in.
    pub auth_tokens: Vec<SecretString>,
    /// What we authenticate with: an API key, or else the account with the first of its tokens.
    pub login: Login,
    /// The REST API's address.
    pub api_base: String,
    /// The sender of text messages; there always is one once the configuration is read.
    pub sender: Option<Sender>,
}

/// Where accounts come from.
#[derive(Debug)]
pub enum Directory {
    /// A file.
    File(PathBuf),
    /// The business's own directory.
    Http(crate::outbound::Settings),
}

/// Which number leads to which flow.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// By number in E.164; `*` for the rest.
    pub by_number: IndexMap<String, Line>,
}

/// A line.
#[derive(Clone, Debug)]
pub struct Line {
    /// The flow it leads to.
    pub flow: String,
    /// Where that is written.
    pub flow_place: Place,
    /// What it rings from and shows if no number was called; only for `*`.
    pub number: Option<String>,
    /// Who takes callers whom we cannot serve.
    pub fallback_number: Option<String>,
    /// Who takes new callers while there is no room for them; `None`: they hear the engaged tone.
    pub overflow_number: Option<String>,
}

impl Lines {
    /// The line of what was called.
    pub fn of(&self, called: &str) -> Option<&Line> {
        let own = self.by_number.get(called);
        own.or_else(|| self.by_number.get(number_in(called)?)).or_else(|| self.by_number.get("*"))
    }

    /// The number that a call came in on: what was `called`, or, where that is no number (a SIP domain, an app), that of
    /// the line; what was called where the line has none either.
    pub fn number_of<'a>(&'a self, called: &'a str) -> &'a str {
        // Of a SIP address it is a number of the house alone: the rest of it is whatever somebody has dialled.
        if let Some((number, _)) = number_in(called).and_then(|it| self.by_number.get_key_value(it))
        {
            return number;
        }
        let own = self.of(called).and_then(|line| line.number.as_deref());
        own.filter(|_| PhoneNumber::parse(called).is_none()).unwrap_or(called)
    }
}

/// The number in a SIP address, as a carrier's trunk or a SIP domain has it: `sip:+15005550006@acme.sip.twilio.com`.
fn number_in(called: &str) -> Option<&str> {
    let address = called.strip_prefix("sip:").or_else(|| called.strip_prefix("sips:"))?;
    let (user, _) = address.split_once('@')?;
    // Parameters of the number come after it (RFC 3966).
    user.split(';').next().filter(|user| PhoneNumber::parse(user).is_some())
}

/// A bearer token of the admin listener.
#[derive(Debug)]
pub struct AdminToken {
    /// Whose it is, for the audit.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// The token.
    pub token: SecretString,
}

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// To see flows.
    Designer,
    /// To see what a caller's proof allows.
    Agent,
    /// To run the house.
    Operator,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read at all.
    #[error("cannot read `{}`: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It was read, and is not right.
    #[error("the configuration has errors")]
    Wrong {
        /// What is wrong.
        findings: Vec<Finding>,
        /// The file, for showing them.
        sources: Sources,
    },
}

/// Where a house keeps its calls, and what opens it: everything in the configuration that verifying them needs.
/// It has no business with the other secrets.
#[derive(Debug)]
pub struct Kept {
    /// As in [`Config`].
    pub store: String,
    /// As in [`Config`].
    pub store_options: crate::store::Options,
    /// As in [`Config`].
    pub vault: Vault,
    /// As in [`Config`].
    pub flows: PathBuf,
}

/// What taking calls once more needs beside that.
#[derive(Debug)]
pub struct KeptCalls {
    /// Where the calls are.
    pub kept: Kept,
    /// As in [`Config`].
    pub policy: Policy,
}

/// What lifting locks needs beside that.
#[derive(Debug)]
pub struct KeptAccounts {
    /// Where the locks are.
    pub kept: Kept,
    /// As in [`Config`].
    pub directory: Directory,
    /// As in [`Config`].
    pub policy: Policy,
}

impl Config {
    /// Reads a configuration; paths in it are relative to its folder.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let (config, sources, warnings) = load(path, read::read)?;
        Ok(Self { sources, warnings, ..config })
    }
}

impl Kept {
    /// Reads only these parts of a configuration: what is missing elsewhere is no error.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        load(path, |root, folder| read::read_kept(&root, folder)).map(|(kept, ..)| kept)
    }
}

impl KeptCalls {
    /// Likewise.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        load(path, |root, folder| read::read_kept_calls(&root, folder)).map(|(kept, ..)| kept)
    }
}

impl KeptAccounts {
    /// Likewise.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        load(path, |root, folder| read::read_kept_accounts(&root, folder)).map(|(kept, ..)| kept)
    }
}

/// What a configuration says, what it was read from, and what is worth saying about it.
///
/// `read` takes it, and the folder that its paths are relative to.
fn load<T>(
    path: &Path,
    read: impl FnOnce(Reader<'_>, &Path) -> Option<T>,
) -> Result<(T, Sources, Vec<Finding>), ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let problems = Problems::default();
    let mut sources = Sources::default();
    let file = sources.add(&path.display().to_string(), shown::configuration(&text));
    let folder = path.parent().unwrap_or(Path::new("."));
    let config = document::read(&file, &text, &problems, |root| {
        read(root.named("the configuration".into()), folder)
    });
    let findings = problems.into_findings();
    match config {
        Some(config) if !any_error(&findings) => Ok((config, sources, findings)),
        _ => Err(ConfigError::Wrong { findings, sources }),
    }
}

/// A variable of the environment; `None`: it is not set, or blank, or not text.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}
