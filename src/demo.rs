//! The demo: the shipped flows and a handful of invented customers, in the program itself.

use crate::diagnostic::{Problems, Sources};
use crate::directory::accounts::{Accounts, Secrets};

/// The shipped flows by file name.
const FLOWS: [(&str, &str); 3] = [
    ("flows/bank.toml", include_str!("../flows/bank.toml")),
    ("flows/clinic.toml", include_str!("../flows/clinic.toml")),
    ("flows/verify.toml", include_str!("../flows/verify.toml")),
];

/// The invented customers.
pub const ACCOUNTS_FILE: &str = "fixtures/demo/accounts.toml";
/// The same as they are written.
pub const ACCOUNTS: &str = include_str!("../fixtures/demo/accounts.toml");

/// A customer to try it with, and their PIN.
pub const ACCOUNT: &str = "12345678";
/// See [`ACCOUNT`].
pub const PIN: &str = "730495";

/// The flow that the demo answers with.
pub const FLOW: &str = "bank";

/// The shipped flows as texts.
pub fn flows() -> Sources {
    let mut sources = Sources::default();
    for (file, text) in FLOWS {
        sources.add(file, text);
    }
    sources
}

/// The invented customers.
pub fn accounts() -> Accounts {
    // What could be wrong with them is found by a test.
    Accounts::read(&ACCOUNTS_FILE.into(), ACCOUNTS, Secrets::Plain, &Problems::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::pin::choice;
    use crate::directory::pin::own::Own;
    use crate::flow;

    /// What stands here people try on their own telephones, and `hash-pin` would refuse it to none of them.
    #[test]
    fn nobody_has_a_pin_that_is_guessed_first() {
        let values = |key: &'static str| {
            let lines = ACCOUNTS.lines().filter_map(|line| line.split_once('='));
            let of_key = lines.filter(move |(name, _)| name.trim() == key);
            of_key.map(|(_, value)| value.trim().trim_matches('"'))
        };
        let (accounts, mut count) = (accounts(), 0);
        for (id, pin) in values("id").zip(values("pin")) {
            let own = Own::of(&accounts.by_id(id).unwrap());
            assert_eq!(choice::pin(pin, &own, choice::PIN_DIGITS_MIN), Ok(()), "{id}");
            count += 1;
        }
        assert_eq!(count, accounts.count());
        assert!(values("pin").any(|pin| pin == PIN));
    }

    #[test]
    fn there_is_nothing_to_find_fault_with() {
        let (set, findings) = flow::read(&flows());
        assert_eq!(findings, []);
        assert_eq!(set.iter().count(), FLOWS.len());
        let problems = Problems::default();
        Accounts::read(&ACCOUNTS_FILE.into(), ACCOUNTS, Secrets::Plain, &problems);
        assert_eq!(problems.into_findings(), []);
        assert_eq!(accounts().count(), 4);
    }
}
