//! `callgate hash-pin`: the hash of a PIN, for the accounts file.

use std::io::{BufRead as _, IsTerminal as _};

use super::{Exit, print, say};
use crate::chance::SystemChance;
use crate::config::environment;
use crate::directory::pin;
use crate::secret::Secret;
use crate::store::envelope::Vault;

const STATE_KEY: &str = "CALLGATE_STATE_KEY";

pub(super) fn run() -> Exit {
    let Some(key) = environment(STATE_KEY) else {
        say(&format!("error: {STATE_KEY} is not set; it must be the key that the server uses"));
        say("help: make a new one with `openssl rand -base64 32`");
        return Exit::Usage;
    };
    let vault = match Vault::from_base64(&key) {
        Ok(vault) => vault,
        Err(error) => {
            say(&format!("error: {STATE_KEY}: {error}"));
            return Exit::Usage;
        }
    };
    if std::io::stdin().is_terminal() {
        say("Key in the PIN and press Enter (it is shown):");
    }
    let mut line = String::new();
    if std::io::stdin().lock().read_line(&mut line).is_err() {
        say("error: standard input is not text");
        return Exit::Findings;
    }
    let entry = line.trim_end_matches(['\r', '\n']);
    if !(4..=12).contains(&entry.len()) || !entry.bytes().all(|b| b.is_ascii_digit()) {
        say("error: a PIN is 4 to 12 digits, and nothing else");
        return Exit::Findings;
    }
    if let Some(hash) = pin::hash(&Secret::new(entry), &vault, &SystemChance) {
        print(&format!("{hash}\n"));
        Exit::Well
    } else {
        say("error: the PIN could not be hashed: there is not enough memory");
        Exit::Environment
    }
}
