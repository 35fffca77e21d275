//! `[redis]`: what the store's address does not say.

use std::path::Path;

use super::read::{read_file, read_secret};
use crate::diagnostic::Finding;
use crate::document::Reader;
use crate::store::{Options, Replicas};

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

/// `password_env` or `password_file`, `ca_file`, `replicas` and `replicas_within_ms`.
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
    options.ca_pem = read_file(&table, "ca_file", folder);
    let within_ms = table.item("replicas_within_ms").and_then(|item| item.integer(1, 1_000));
    let count = table.item("replicas").and_then(|item| item.integer(1, 5));
    options.replicas = count.and_then(|count| {
        let within_ms = u32::try_from(within_ms.unwrap_or(500)).ok()?;
        Some(Replicas { count: u32::try_from(count).ok()?, within_ms })
    });
    table.finish();
    options
}
