//! Requests to addresses that the configuration names: the directory, the back ends of `lookup`, and the
//! provider, if it is asked something within a turn.
//!
//! One guarded client serves them all. Each time an address is resolved, it is checked; redirects are not
//! followed; proxies that the environment names are not used; the answer has a size and a deadline. No path, token
//! or body appears in any error, log line or `Debug` of this module; of an address, only the host and the port.

pub mod backends;
pub mod networks;
pub mod numbers;
pub mod verifications;

use std::error::Error as _;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, RequestBuilder, Response, Url, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Host;

use crate::carrier::twilio::Login;
use crate::limits;
use crate::telemetry::{trace, with_causes};
use networks::Networks;

/// How we name ourselves.
const USER_AGENT: &str = concat!("callgate/", env!("CARGO_PKG_VERSION"));

/// Who is asked, and how.
#[derive(Clone)]
pub struct Settings {
    /// Where: `https://…`; clear text only to networks that `allow` names.
    pub url: String,
    /// The bearer token.
    pub token: Option<SecretString>,
    /// How long a request may take, its answer included.
    pub timeout: Duration,
    /// Networks that the address may lie in beside the public ones.
    pub allow: Vec<ipnet::IpNet>,
}

/// Why an address cannot be asked at all.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not an address of a web server, or one with more to it.
    #[error("it is not an address such as https://customers.example.com/callgate")]
    Address,
    /// Clear text over a public network.
    #[error("an http:// address is asked only within networks that `allow` names")]
    ClearText,
    /// A private address that is not named.
    #[error("it is a private address that `allow` does not name")]
    Private,
    /// The machine's TLS set-up is unusable.
    #[error("the HTTP client cannot be set up")]
    Client,
}

/// Why a question was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The time ran out.
    #[error("it was late")]
    Late,
    /// The name led to an address that must not be asked.
    #[error("its name leads to a private address that `allow` does not name")]
    Private,
    /// Nothing could be sent.
    #[error("no connection could be made")]
    Unreachable,
    /// The connection ended before the answer did.
    #[error("the connection ended before the answer did")]
    Broken,
    /// More than any sensible answer.
    #[error("the answer is too large")]
    TooLarge,
    /// Another place was named.
    #[error("it answered with a redirect")]
    Redirected,
    /// Another status than 200.
    #[error("it answered with status {0}")]
    Status(u16),
    /// The answer is no JSON.
    #[error("the answer is not JSON")]
    NotJson,
    /// The answer is to something else.
    #[error("the answer is not to what was asked")]
    NoAnswer,
}

/// Somebody who may be asked.
pub struct Peer {
    client: Client,
    url: Url,
    key: Option<Key>,
    timeout: Duration,
}

/// What a request shows in order to be let in.
enum Key {
    Bearer(SecretString),
    Account(Login),
}

impl Peer {
    /// Sets the client up; nothing is sent yet.
    pub fn new(settings: &Settings) -> Result<Self, AddressError> {
        Self::resolving_with(settings, Arc::new(System))
    }

    /// The same, with another resolver of names than the system's.
    pub fn resolving_with(
        settings: &Settings,
        names: Arc<dyn Resolve>,
    ) -> Result<Self, AddressError> {
        let url = Url::parse(&settings.url).map_err(|_| AddressError::Address)?;
        let is_plain = matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let named_only = url.scheme() == "http";
        let networks = Networks { named: settings.allow.clone(), named_only };
        // A name that is an address is never resolved: it is checked here.
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) => None,
            None => return Err(AddressError::Address),
        };
        if !is_plain {
            return Err(AddressError::Address);
        }
        if named_only && settings.allow.is_empty() {
            return Err(AddressError::ClearText);
        }
        if literal.is_some_and(|address| !networks.may_ask(address)) {
            return Err(AddressError::Private);
        }
        // Only the first provider installed counts, and all of them are this one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Guard { names, networks: Arc::new(networks) })
            .connect_timeout(limits::CARRIER_CONNECT_TIMEOUT.min(settings.timeout))
            .timeout(settings.timeout)
            .pool_idle_timeout(limits::CARRIER_IDLE_TIMEOUT)
            .build()
            .map_err(|_| AddressError::Client)?;
        let key = settings.token.clone().map(Key::Bearer);
        Ok(Self { client, url, key, timeout: settings.timeout })
    }

    /// The same, asked in the name of the provider's account.
    #[must_use]
    pub fn as_account(mut self, login: &Login) -> Self {
        self.key = Some(Key::Account(login.clone()));
        self
    }

    /// How long a request may take, its answer included.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Posts JSON to a path below the address, and reads the JSON that comes back. A `key` names a
    /// question that must count once, however often it is sent.
    pub async fn ask(
        &self,
        path: &str,
        key: Option<&str>,
        body: &Value,
        bytes_max: usize,
    ) -> Result<Value, Failure> {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.split('/').filter(|part| !part.is_empty()));
        }
        let mut request = self.client.post(url).json(body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(parent) = trace::parent() {
            request = request.header("traceparent", parent);
        }
        self.send(request, bytes_max).await
    }

    /// Gets the JSON at a path below the address, which is URL-encoded already.
    pub async fn get(
        &self,
        path: &str,
        query: &[(&str, String)],
        bytes_max: usize,
    ) -> Result<Value, Failure> {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/{path}", self.url.path().trim_end_matches('/')));
        self.send(self.client.get(url).query(query), bytes_max).await
    }

    /// Posts a form to a path below the address; returns the status and the JSON of the answer, which a refusal
    /// may lack.
    pub async fn post(
        &self,
        path: &str,
        form: &[(&str, String)],
        bytes_max: usize,
    ) -> Result<(u16, Value), Failure> {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/{path}", self.url.path().trim_end_matches('/')));
        self.talk(self.client.post(url).form(form), bytes_max, Heard::Refusals).await
    }

    async fn send(&self, request: RequestBuilder, bytes_max: usize) -> Result<Value, Failure> {
        Ok(self.talk(request, bytes_max, Heard::Answers).await?.1)
    }

    async fn talk(
        &self,
        request: RequestBuilder,
        bytes_max: usize,
        heard: Heard,
    ) -> Result<(u16, Value), Failure> {
        let request = match &self.key {
            Some(Key::Bearer(token)) => request.bearer_auth(token.expose_secret()),
            Some(Key::Account(Login { user, password })) => {
                request.basic_auth(user, Some(password.expose_secret()))
            }
            None => request,
        };
        let asked = async {
            let response = request.send().await.map_err(|error| failure(&error, &self.url))?;
            read(response, bytes_max, heard, &self.url).await
        };
        // The client's own clock starts again with a second connection.
        tokio::time::timeout(self.timeout, asked).await.unwrap_or(Err(Failure::Late))
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").finish_non_exhaustive()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}

/// Which answers are accepted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// Only answers with status 200.
    Answers,
    /// Any status, and the JSON may be missing.
    Refusals,
}

/// The status and the JSON of an answer.
async fn read(
    mut response: Response,
    bytes_max: usize,
    heard: Heard,
    url: &Url,
) -> Result<(u16, Value), Failure> {
    let status = response.status();
    if status.is_redirection() {
        return Err(Failure::Redirected);
    }
    let listens = match heard {
        Heard::Answers => status.as_u16() == 200,
        Heard::Refusals => status.is_success() || status.is_client_error(),
    };
    if !listens {
        return Err(Failure::Status(status.as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error, url))? {
        if body.len() + chunk.len() > bytes_max {
            return Err(Failure::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    match serde_json::from_slice(&body) {
        Ok(body) => Ok((status.as_u16(), body)),
        Err(_) if status.is_client_error() => Ok((status.as_u16(), Value::Null)),
        Err(_) => Err(Failure::NotJson),
    }
}

/// `url`: the address of whoever was asked, without what was asked for.
fn failure(error: &reqwest::Error, url: &Url) -> Failure {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<Forbidden>() {
            return Failure::Private;
        }
        cause = error.source();
    }
    if error.is_timeout() {
        Failure::Late
    } else if error.is_connect() {
        // The error itself holds the whole address, and that may hold a number; its causes do not.
        if let Some(cause) = error.source() {
            tracing::warn!(
                host = url.host_str(),
                port = url.port_or_known_default(),
                error = with_causes(cause),
                "no connection could be made to whom we ask"
            );
        }
        Failure::Unreachable
    } else {
        Failure::Broken
    }
}

/// A name led to nothing that may be asked.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to no address that may be asked")]
struct Forbidden;

/// Resolves names, and lets through only what may be asked. It sees every resolution, so that a name which leads
/// elsewhere later is checked again.
struct Guard {
    names: Arc<dyn Resolve>,
    networks: Arc<Networks>,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (resolving, networks) = (self.names.resolve(name), self.networks.clone());
        Box::pin(async move {
            let allowed: Vec<_> =
                resolving.await?.filter(|address| networks.may_ask(address.ip())).collect();
            if allowed.is_empty() {
                return Err(Forbidden.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// The system's own way from names to addresses.
struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let addresses: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
