//! `callgate lsp`: the language server, for editors.

use super::{Exit, say};
use crate::lsp;

pub(super) fn run() -> Exit {
    match lsp::serve() {
        Ok(()) => Exit::Well,
        Err(error) => {
            say(&format!("error: {error}"));
            Exit::Environment
        }
    }
}
