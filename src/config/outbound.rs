//! Addresses that are asked over HTTP: `url`, `token_env` or `token_file`, `timeout`, `allow`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::read::read_secret;
use crate::diagnostic::Finding;
use crate::document::{Item, Reader};
use crate::limits;
use crate::outbound::{AddressError, Peer, Settings, networks};

/// Reads `[backends]`: a table for each, by the name that flows use.
pub(super) fn read_backends(item: &Item<'_>, folder: &Path) -> BTreeMap<String, Settings> {
    let mut backends = BTreeMap::new();
    for entry in item.table("`backends`").iter().flat_map(Reader::entries) {
        let Some(table) = entry.table(format!("the back end `{}`", entry.key)) else { continue };
        let settings = read(&table, folder, false, limits::LOOKUP_TIMEOUT);
        table.finish();
        backends.extend(settings.map(|settings| (entry.key.to_owned(), settings)));
    }
    backends
}

/// Reads what is needed to ask somebody. A token may be left out where `token_needed` is false.
pub(super) fn read(
    table: &Reader<'_>,
    folder: &Path,
    token_needed: bool,
    default_timeout: Duration,
) -> Option<Settings> {
    let url = table.required("url");
    let has_token = table.has("token_env") || table.has("token_file");
    let token = (token_needed || has_token)
        .then(|| read_secret(table, "token", None, folder).into_iter().next());
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
    let url = url?;
    let text = url.name()?;
    let settings = Settings {
        url: text.to_owned(),
        token: token.map_or(Some(None), |token| token.map(Some))?,
        timeout: timeout.unwrap_or(default_timeout),
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
            url.report(Finding::error("bad-address", message, url.place()).maybe_help(help));
            None
        }
    }
}
