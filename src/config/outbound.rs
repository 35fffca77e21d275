//! Addresses that are asked over HTTP: `url`, `token_env` or `token_file`, `timeout`, `allow`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::values::read_secret;
use crate::diagnostic::Finding;
use crate::document::{Item, Reader};
use crate::limits;
use crate::outbound::{AddressError, Peer, Settings, networks};

/// Reads `[backends]`: a table for each, by the name that flows use.
pub(super) fn read_backends(item: &Item<'_>, folder: &Path) -> BTreeMap<String, Settings> {
    let mut backends = BTreeMap::new();
    for entry in item.table("`backends`").iter().flat_map(Reader::entries) {
        let Some(table) = entry.table(format!("the back end `{}`", entry.key)) else { continue };
        let defaults = Defaults { url: None, timeout: limits::LOOKUP_TIMEOUT };
        let settings = read(&table, folder, Some(Token::MayHave), &defaults);
        table.finish();
        backends.extend(settings.map(|settings| (entry.key.to_owned(), settings)));
    }
    backends
}

/// What holds where the configuration does not say.
pub(super) struct Defaults {
    /// Where; `None`: it must say.
    pub(super) url: Option<&'static str>,
    /// How long.
    pub(super) timeout: Duration,
}

/// Whether there is a bearer token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// There must be one.
    MustHave,
    /// There may be one.
    MayHave,
}

/// Reads what is needed to ask somebody; without a `token` they are asked by another key, which stands
/// elsewhere.
pub(super) fn read(
    table: &Reader<'_>,
    folder: &Path,
    token: Option<Token>,
    defaults: &Defaults,
) -> Option<Settings> {
    let url = match defaults.url {
        Some(_) => table.item("url"),
        None => table.required("url"),
    };
    let has_token = table.has("token_env") || table.has("token_file");
    let token = token
        .filter(|token| *token == Token::MustHave || has_token)
        .map(|_| read_secret(table, "token", None, folder).into_iter().next());
    let timeout = table
        .item("timeout")
        .and_then(|timeout| timeout.duration(limits::ASKED_TIMEOUT_MIN, limits::ASKED_TIMEOUT_MAX));
    let mut allow = Vec::new();
    for item in table.item("allow").and_then(|allow| allow.list()).unwrap_or_default() {
        let Some(text) = item.name() else { continue };
        let network = networks::parse(text);
        if network.is_none() {
            let message = format!("`{text}` is not a network");
            item.report(
                Finding::error("bad-network", message, item.place())
                    .help("write \"10.20.0.0/16\", or one address"),
            );
        }
        allow.extend(network);
    }
    let text = match &url {
        Some(url) => url.name()?,
        None => defaults.url?,
    };
    let settings = Settings {
        url: text.to_owned(),
        token: token.map_or(Some(None), |token| token.map(Some))?,
        timeout: timeout.unwrap_or(defaults.timeout),
        allow,
    };
    match Peer::new(&settings) {
        Ok(_) => Some(settings),
        Err(error) => {
            let help = match error {
                AddressError::ClearText | AddressError::Private => {
                    Some("name the network: allow = [\"10.20.0.0/16\"]".to_owned())
                }
                AddressError::Address | AddressError::Client => None,
            };
            let message = format!("`url` cannot be asked: {error}");
            let place = url.map_or_else(|| table.place(), |url| url.place());
            table.report(Finding::error("bad-address", message, place).maybe_help(help));
            None
        }
    }
}
