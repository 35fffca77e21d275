//! `callgate lsp`: the language server, for editors.

use super::{Exit, say};
use crate::lsp;

/// Editors start it; nobody types it.
pub(super) const EXAMPLES: &str = "\
Example, in the languages.toml of Helix:
  [language-server.callgate]
  command = \"callgate\"
  args = [\"lsp\"]

An editor starts it as
  callgate lsp";

pub(super) fn run() -> Exit {
    match lsp::serve() {
        Ok(true) => Exit::Well,
        // The protocol says 1 for a client that ends without a word.
        Ok(false) => Exit::Findings,
        Err(error) => {
            say(&format!("error: {error}"));
            Exit::Environment
        }
    }
}
