//! The demo's keys, which are made once, so that a restarted demo goes on with its calls.

use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use secrecy::SecretString;

use crate::chance::{Chance as _, SystemChance};
use crate::config::environment;
use crate::store::envelope::Vault;

const KEY_FILE: &str = "callgate-demo.key";
/// Where the demo keeps its calls.
pub(super) const STORE_FILE: &str = "callgate-demo.redb";

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

/// What seals the demo's store, signs its webhooks and opens its admin API.
pub(super) struct Keyring {
    pub(super) vault: Vault,
    pub(super) auth_token: SecretString,
    pub(super) admin_token: SecretString,
    /// What must be written down; `None`: it is written.
    unkept: Option<String>,
}

impl Keyring {
    /// The keys that were kept, or new ones.
    pub(super) fn open() -> Result<Self, DemoError> {
        match std::fs::read_to_string(KEY_FILE) {
            Ok(text) => Self::read(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let text = new_keys();
                Ok(Self { unkept: Some(text.clone()), ..Self::read(&text)? })
            }
            Err(error) => Err(DemoError::KeyFileUnusable(error)),
        }
    }

    fn read(text: &str) -> Result<Self, DemoError> {
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        let (Some(state_key), Some(auth), Some(admin)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(DemoError::KeyFile);
        };
        let vault = Vault::from_base64(state_key).map_err(|_| DemoError::KeyFile)?;
        let auth_token = environment("TWILIO_AUTH_TOKEN").unwrap_or_else(|| auth.to_owned());
        let (auth_token, admin_token) = (auth_token.into(), admin.into());
        Ok(Self { vault, auth_token, admin_token, unkept: None })
    }

    /// Keeps new keys for the next start.
    pub(super) fn keep(&self) -> Result<(), DemoError> {
        let Some(text) = &self.unkept else { return Ok(()) };
        write(Path::new(KEY_FILE), text).map_err(DemoError::KeyFileUnusable)
    }
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

/// Makes the file, which nobody else may read.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn nobody_else_may_read_the_keys() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(KEY_FILE);
        let keys = new_keys();
        write(&file, &keys).unwrap();
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // Existing keys open a store: they are not overwritten.
        assert!(write(&file, &new_keys()).is_err());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), keys);
        assert!(Keyring::read(&keys).is_ok());
    }
}
