//! Who the customers are.
//!
//! Accounts come from a file, which is read strictly, and again when it changes; if it then has errors, the last
//! good one stays in use. Or they come from the business's own directory over HTTP, which is asked each time.

pub mod accounts;
pub mod http;
pub mod pin;

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::outbound::Failure;
use crate::phone::PhoneNumber;
use accounts::{Accounts, Customer};
use http::HttpDirectory;

/// The customers, as they are now.
#[derive(Debug)]
pub struct Directory {
    source: Source,
}

#[derive(Debug)]
enum Source {
    File(ArcSwap<Accounts>),
    Http(HttpDirectory),
}

/// Why a directory could not answer.
#[derive(Debug, thiserror::Error)]
#[error("the directory did not answer: {0}")]
pub struct DirectoryError(pub Failure);

impl Directory {
    /// A directory of these accounts.
    pub fn new(accounts: Accounts) -> Self {
        Self { source: Source::File(ArcSwap::from_pointee(accounts)) }
    }

    /// A directory that is asked over HTTP.
    pub fn over_http(directory: HttpDirectory) -> Self {
        Self { source: Source::Http(directory) }
    }

    /// Replaces the accounts of a file.
    pub fn replace(&self, accounts: Accounts) {
        if let Source::File(present) = &self.source {
            present.store(Arc::new(accounts));
        }
    }

    /// What tells one file of accounts from another; `None`: they come from no file.
    pub fn digest(&self) -> Option<[u8; 32]> {
        match &self.source {
            Source::File(accounts) => Some(accounts.load().digest()),
            Source::Http(_) => None,
        }
    }

    /// The customer with this id.
    pub async fn by_id(&self, id: &str) -> Result<Option<Arc<Customer>>, DirectoryError> {
        match &self.source {
            Source::File(accounts) => Ok(accounts.load().by_id(id)),
            Source::Http(directory) => directory.by_id(id).await,
        }
    }

    /// The one customer with this number; if several share it, none.
    pub async fn by_phone(
        &self,
        number: &PhoneNumber,
    ) -> Result<Option<Arc<Customer>>, DirectoryError> {
        match &self.source {
            Source::File(accounts) => Ok(accounts.load().by_phone(number)),
            Source::Http(directory) => directory.by_phone(number).await,
        }
    }
}
