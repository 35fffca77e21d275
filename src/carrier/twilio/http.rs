//! One request to the provider and what can be known of its fate.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url, redirect, retry};
use secrecy::ExposeSecret as _;

use super::{Form, Login, SettingsError};
use crate::limits;
use crate::telemetry::{Outside, OutsideCounter, Peer, with_causes};

/// How we name ourselves.
const USER_AGENT: &str = concat!("callgate/", env!("CARGO_PKG_VERSION"));

/// The fate of a request.
pub(super) enum Answer {
    /// 2xx, with the body; empty if that could not be read.
    Done(Vec<u8>),
    /// 4xx other than 429, with the body; empty if that could not be read.
    Refused(Vec<u8>),
    /// 429, or never sent.
    NotDone { retry_after: Option<Duration> },
    /// Sent; then came silence, or an answer that says nothing.
    Unknown,
}

/// The provider's API, for one account.
pub(super) struct Http {
    client: Client,
    /// `…/2010-04-01/Accounts/AC…`
    account: Url,
    login: Login,
    pub(super) asked: OutsideCounter,
}

impl Http {
    pub(super) fn new(
        api_base: &str,
        account_sid: &str,
        login: Login,
        timeout: Duration,
    ) -> Result<Self, SettingsError> {
        let is_name = !account_sid.is_empty()
            && account_sid
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !is_name {
            return Err(SettingsError::AccountSid);
        }
        let account = account_address(api_base, account_sid).ok_or(SettingsError::ApiBase)?;
        // Only the first provider installed counts, and all of them are this one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .connect_timeout(limits::CARRIER_CONNECT_TIMEOUT.min(timeout))
            .timeout(timeout)
            .pool_idle_timeout(limits::CARRIER_IDLE_TIMEOUT)
            .build()
            .map_err(SettingsError::Client)?;
        Ok(Self { client, account, login, asked: OutsideCounter::default() })
    }

    /// Posts a form to `…/{resource}.json`.
    pub(super) async fn post(&self, resource: &[&str], form: &Form<'_>) -> Answer {
        match self.address(resource) {
            Some(url) => self.send(self.client.request(Method::POST, url).form(form)).await,
            None => Answer::Refused(Vec::new()),
        }
    }

    /// Reads `…/{resource}.json?{query}`.
    pub(super) async fn get(&self, resource: &[&str], query: &[(&str, &str)]) -> Answer {
        match self.address(resource) {
            Some(url) => self.send(self.client.request(Method::GET, url).query(query)).await,
            None => Answer::Refused(Vec::new()),
        }
    }

    /// Reads a further page by the path that the page before it gave. A path outside the account is not followed,
    /// because the account's key goes with the request.
    pub(super) async fn get_page(&self, path: &str) -> Answer {
        match self.account.join(path).ok().filter(|url| self.is_ours(url)) {
            Some(url) => self.send(self.client.request(Method::GET, url)).await,
            None => Answer::Unknown,
        }
    }

    fn is_ours(&self, url: &Url) -> bool {
        let is_below = url.path().strip_prefix(self.account.path());
        url.origin() == self.account.origin() && is_below.is_some_and(|rest| rest.starts_with('/'))
    }

    /// Each part becomes one path segment, whatever it contains.
    fn address(&self, resource: &[&str]) -> Option<Url> {
        let (last, parents) = resource.split_last()?;
        let mut url = self.account.clone();
        url.path_segments_mut().ok()?.extend(parents).push(&format!("{last}.json"));
        Some(url)
    }

    async fn send(&self, request: RequestBuilder) -> Answer {
        let Login { user, password } = &self.login;
        let request = request.basic_auth(user, Some(password.expose_secret()));
        let answer = match request.send().await {
            Ok(response) => answer(response).await,
            Err(error) => {
                // Its address contains numbers.
                let error = error.without_url();
                tracing::warn!(error = with_causes(&error), "the provider did not answer");
                match error {
                    // There was no connection, so nothing was sent.
                    error if error.is_connect() => Answer::NotDone { retry_after: None },
                    // No request could be made of it, and a second try would not help.
                    error if error.is_builder() => Answer::Refused(Vec::new()),
                    _ => Answer::Unknown,
                }
            }
        };
        let outcome = match answer {
            Answer::Done(_) => Outside::Done,
            Answer::Refused(_) => Outside::Refused,
            Answer::NotDone { .. } | Answer::Unknown => Outside::Failed,
        };
        self.asked.count(Peer::Provider, outcome);
        answer
    }
}

fn account_address(api_base: &str, account_sid: &str) -> Option<Url> {
    let mut url = Url::parse(api_base).ok()?;
    let is_plain = matches!(url.scheme(), "http" | "https")
        && url.query().is_none()
        && url.fragment().is_none();
    let parts = ["2010-04-01", "Accounts", account_sid];
    url.path_segments_mut().ok()?.pop_if_empty().extend(parts);
    is_plain.then_some(url)
}

async fn answer(response: Response) -> Answer {
    match response.status() {
        StatusCode::TOO_MANY_REQUESTS => {
            Answer::NotDone { retry_after: retry_after(response.headers()) }
        }
        status if status.is_success() => Answer::Done(body(response).await.unwrap_or_default()),
        status if status.is_client_error() => {
            Answer::Refused(body(response).await.unwrap_or_default())
        }
        status => {
            tracing::warn!(status = status.as_u16(), "the provider did not say what became of it");
            Answer::Unknown
        }
    }
}

/// The body, if all of it came and it is no larger than any that the provider sends.
async fn body(mut response: Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > limits::CARRIER_BODY_BYTES_MAX {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}

/// How long the provider asks us to wait: seconds, or a date, which is compared with the provider's
/// own clock in the same answer.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let asked = text(RETRY_AFTER)?;
    let seconds = if let Ok(seconds) = asked.parse() {
        seconds
    } else {
        let date = |text| jiff::fmt::rfc2822::parse(text).ok().map(|date| date.timestamp());
        let wait = date(asked)?.duration_since(date(text(DATE)?)?);
        u64::try_from(wait.as_secs()).unwrap_or(0)
    };
    Some(Duration::from_secs(seconds).min(limits::CARRIER_RETRY_AFTER_MAX))
}
