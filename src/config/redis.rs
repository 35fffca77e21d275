//! `[redis]`: what the store's address does not say.

use std::path::Path;

use super::values::{read_file, read_secret};
use crate::diagnostic::Finding;
use crate::document::Reader;
use crate::store::{ClientCertificate, Options, Replicas};

const SCHEMES: [&str; 6] = [
    "redis://",
    "rediss://",
    "redis+cluster://",
    "rediss+cluster://",
    "redis+sentinel://",
    "rediss+sentinel://",
];

/// Whether a store's address is one of Redis.
pub(super) fn is_address(text: &str) -> bool {
    SCHEMES.iter().any(|scheme| text.starts_with(scheme))
}

/// `password_env` or `password_file`, `ca_file`, our own certificate, `replicas` and `replicas_within_ms`.
pub(super) fn read(root: &Reader<'_>, store: Option<&str>, folder: &Path) -> Options {
    let mut options = Options::default();
    let Some(table) = root.item("redis").and_then(|item| item.table("`redis`")) else {
        return options;
    };
    if store.is_some_and(|store| !is_address(store)) {
        table.report(
            Finding::error("bad-store", "`store` is not in Redis", table.place())
                .help("write `store = \"redis://…\"`, or leave `[redis]` out"),
        );
    }
    if table.has("password_env") || table.has("password_file") {
        options.password = read_secret(&table, "password", None, folder).into_iter().next();
    } else {
        // Whoever wrote another key is told of these.
        table.item("password_env").or_else(|| table.item("password_file"));
    }
    options.ca_pem = read_pem(&table, "ca_file", store, folder);
    options.client = read_client(&table, store, folder);
    let within_ms = table.item("replicas_within_ms").and_then(|item| item.integer(1, 1_000));
    let count = table.item("replicas").and_then(|item| item.integer(1, 5));
    options.replicas = count.and_then(|count| {
        let within_ms = u32::try_from(within_ms.unwrap_or(500)).ok()?;
        Some(Replicas { count: u32::try_from(count).ok()?, within_ms })
    });
    table.finish();
    options
}

/// Our own certificate and its key: both or none.
fn read_client(
    table: &Reader<'_>,
    store: Option<&str>,
    folder: &Path,
) -> Option<ClientCertificate> {
    let key = ["client_key_file", "client_key_env"];
    let key = key.into_iter().find(|key| table.has(key)).and_then(|key| table.item(key));
    let key_pem = key.as_ref().map(|_| read_secret(table, "client_key", None, folder));
    match (table.item("client_certificate_file"), key) {
        (Some(item), Some(_)) => {
            let chain_pem = read_pem(table, item.key, store, folder)?;
            Some(ClientCertificate { chain_pem, key_pem: key_pem?.into_iter().next()? })
        }
        (Some(item), None) => {
            read_pem(table, item.key, store, folder);
            item.refuse("missing-key", "it is of no use without its key: `client_key_file`");
            None
        }
        (None, Some(key)) => {
            key.refuse("missing-key", "it is the key of no `client_certificate_file`");
            None
        }
        (None, None) => {
            // Whoever wrote another key is told of these.
            table.item("client_key_file").or_else(|| table.item("client_key_env"));
            None
        }
    }
}

/// A file of certificates, for a store that is spoken to by TLS.
fn read_pem(table: &Reader<'_>, key: &str, store: Option<&str>, folder: &Path) -> Option<Vec<u8>> {
    let item = table.item(key)?;
    if store.is_some_and(|store| is_address(store) && !store.starts_with("rediss")) {
        let message = format!("`{key}` is of no use: `store` is not spoken to by TLS");
        item.report(
            Finding::error("bad-store", message, item.place())
                .help("write `store = \"rediss://…\"`"),
        );
    }
    read_file(table, key, folder)
}
