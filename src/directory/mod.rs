//! Who the customers are.
//!
//! Accounts come from a file, read strictly and again when it changes; a file that has become wrong
//! leaves the last good one in use.

pub mod accounts;
pub mod pin;

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::phone::PhoneNumber;
use accounts::{Accounts, Customer};

/// The customers, as they are now.
#[derive(Debug)]
pub struct Directory {
    accounts: ArcSwap<Accounts>,
}

/// Why a directory could not answer.
#[derive(Debug, thiserror::Error)]
#[error("the directory did not answer: {0}")]
pub struct DirectoryError(pub String);

impl Directory {
    /// A directory of these accounts.
    pub fn new(accounts: Accounts) -> Self {
        Self { accounts: ArcSwap::from_pointee(accounts) }
    }

    /// Puts other accounts in place of the present ones.
    pub fn replace(&self, accounts: Accounts) {
        self.accounts.store(Arc::new(accounts));
    }

    /// The customer with this id.
    #[expect(clippy::unused_async, reason = "directories over HTTP answer later")]
    pub async fn by_id(&self, id: &str) -> Result<Option<Arc<Customer>>, DirectoryError> {
        Ok(self.accounts.load().by_id(id))
    }

    /// The one customer with this number; where several share it, none.
    #[expect(clippy::unused_async, reason = "directories over HTTP answer later")]
    pub async fn by_phone(
        &self,
        number: &PhoneNumber,
    ) -> Result<Option<Arc<Customer>>, DirectoryError> {
        Ok(self.accounts.load().by_phone(number))
    }
}
