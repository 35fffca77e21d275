//! How long those may take whom a house asks: a checker that is told of no house assumes what holds where a
//! configuration does not say.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::limits;

/// The longest waits of a house.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    /// Finding an account.
    pub account: Duration,
    /// The back ends that `lookup` states ask, by name; of one that is not here what is usual is assumed.
    pub backends: BTreeMap<String, Duration>,
    /// Looking numbers on file up before one of them is used; zero: nobody is asked.
    pub number: Duration,
    /// Looking the caller's number up when it rings; zero: nobody is asked.
    pub caller: Duration,
    /// Having the provider check a code that it has made; zero: callgate makes its own.
    pub code: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            account: limits::DIRECTORY_TIMEOUT,
            backends: BTreeMap::new(),
            number: Duration::ZERO,
            caller: Duration::ZERO,
            code: Duration::ZERO,
        }
    }
}

impl Waits {
    /// How long a back end may take.
    pub fn of_backend(&self, name: &str) -> Duration {
        self.backends.get(name).copied().unwrap_or(limits::LOOKUP_TIMEOUT)
    }
}
