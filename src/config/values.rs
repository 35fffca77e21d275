//! Values that several tables of the configuration have: secrets, files, and the provider's ids.

use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use super::{environment, shown};
use crate::diagnostic::Finding;
use crate::document::{Item, Reader};
use crate::limits;

/// The secrets under the environment variables that `{key}_env` names, or in the file that `{key}_file` does.
pub(super) fn read_secret(
    table: &Reader<'_>,
    key: &str,
    default_env: Option<&str>,
    folder: &Path,
) -> Vec<SecretString> {
    if let Some(item) = table.item(&format!("{key}_file")) {
        return read_secret_file(&item, folder).into_iter().collect();
    }
    let item = table.item(&format!("{key}_env"));
    let place = item.as_ref().map_or_else(|| table.place(), Item::place);
    let names: Vec<String> = match &item {
        Some(item) if item.is_list() => {
            let items = item.list().unwrap_or_default();
            items.iter().filter_map(Item::name).map(str::to_owned).collect()
        }
        Some(item) => item.name().map(str::to_owned).into_iter().collect(),
        None => default_env.map(str::to_owned).into_iter().collect(),
    };
    if names.is_empty() {
        let message = format!("{} lacks `{key}_env` or `{key}_file`", table.what());
        table.report(Finding::error("missing-key", message, place));
        return Vec::new();
    }
    let mut secrets = Vec::new();
    for name in names {
        if let Some(value) = environment(&name) {
            secrets.push(SecretString::from(value));
            continue;
        }
        // It may be the secret itself, which must not be shown here.
        let (message, help) = if shown::is_variable(&name) {
            (
                format!("the environment variable `{name}` is not set"),
                format!("set it, or name a file that holds the secret: `{key}_file`"),
            )
        } else {
            (
                "this is no variable's name".to_owned(),
                "name the variable of the environment that holds the secret".to_owned(),
            )
        };
        table.report(Finding::error("missing-secret", message, place.clone()).help(help));
    }
    secrets
}

fn read_secret_file(item: &Item<'_>, folder: &Path) -> Option<SecretString> {
    match std::fs::read_to_string(folder.join(item.name()?)) {
        // Like an empty variable, it contains none: everybody would know it.
        Ok(text) if text.trim().is_empty() => {
            item.refuse("missing-secret", "the file is empty");
            None
        }
        Ok(text) => Some(SecretString::from(text.trim())),
        Err(error) => {
            item.refuse("unreadable-secret", format!("the file cannot be read: {error}"));
            None
        }
    }
}

/// The file that a key names, which is no secret.
pub(super) fn read_file(table: &Reader<'_>, key: &str, folder: &Path) -> Option<Vec<u8>> {
    let item = table.item(key)?;
    let read = std::fs::read(folder.join(item.name()?));
    read.inspect_err(|error| {
        item.refuse("unreadable-file", format!("the file cannot be read: {error}"));
    })
    .ok()
}

/// A secret that tells those we know from strangers, who may try as often as they like: a short one is reported.
/// `help` says where to get a good one.
pub(super) fn read_guarding_secret(
    table: &Reader<'_>,
    key: &str,
    default_env: Option<&str>,
    folder: &Path,
    help: &str,
) -> Vec<SecretString> {
    let secrets = read_secret(table, key, default_env, folder);
    let chars = |secret: &SecretString| secret.expose_secret().trim().chars().count();
    if secrets.iter().any(|secret| chars(secret) < limits::SECRET_CHARS_MIN) {
        let item = table.item(&format!("{key}_file")).or_else(|| table.item(&format!("{key}_env")));
        let place = item.map_or_else(|| table.place(), |item| item.place());
        let message = format!(
            "the secret has fewer than {} characters, and may be tried as often as anybody likes",
            limits::SECRET_CHARS_MIN
        );
        table.report(Finding::warning("short-secret", message, place).help(help));
    }
    secrets
}

/// One of the provider's ids: two letters for its kind, and 32 hexadecimal digits.
pub(super) fn read_sid(item: &Item<'_>, letters: &str, code: &'static str) -> Option<String> {
    let text = item.name()?;
    let plausible = text.len() == 34
        && text.starts_with(letters)
        && text.bytes().all(|b| b.is_ascii_alphanumeric());
    if !plausible {
        item.refuse(code, format!("`{}` is {letters} and 32 hexadecimal digits", item.key));
    }
    plausible.then(|| text.to_owned())
}
