//! How long those whom this house asks may take: `slow-reply` reckons with this.

use crate::check::Waits;
use crate::config::{Config, Directory};
use crate::limits;

/// What the configuration says about that. Accounts from a file take no time.
pub(super) fn of(config: &Config) -> Waits {
    let lookup = config.lookup.as_ref();
    let number = lookup.map(|lookup| lookup.peer.timeout).unwrap_or_default();
    let callers = lookup.is_some_and(|lookup| lookup.callers);
    let caller = number.min(limits::CALLER_LOOKED_UP_WITHIN);
    let backends = config.backends.iter();
    Waits {
        account: match &config.directory {
            Directory::File(_) => std::time::Duration::ZERO,
            Directory::Http(settings) => settings.timeout,
        },
        backends: backends.map(|(name, settings)| (name.clone(), settings.timeout)).collect(),
        number,
        caller: if callers { caller } else { std::time::Duration::ZERO },
        code: config.verify.as_ref().map(|verify| verify.peer.timeout).unwrap_or_default(),
    }
}
