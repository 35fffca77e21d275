//! What chance a flow leaves to somebody who guesses, at most: `[budget]`.

use crate::diagnostic::{Finding, Place};
use crate::document::{Item, Reader};

/// Where the customers' PINs come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pins {
    /// Drawn at random by the business.
    Random,
    /// Chosen by the customers.
    Chosen,
    /// Chosen, the 274 of iOS's blocklist refused.
    Chosen274,
    /// Chosen, the 1,000 most frequent refused.
    Chosen1000,
}

impl Pins {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Random, Self::Chosen, Self::Chosen274, Self::Chosen1000];

    /// Its name in a flow and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Chosen => "chosen",
            Self::Chosen274 => "chosen_274_blocked",
            Self::Chosen1000 => "chosen_1000_blocked",
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Random => "PIN drawn at random",
            Self::Chosen => "PIN chosen",
            Self::Chosen274 => "PIN chosen, 274 blocked",
            Self::Chosen1000 => "PIN chosen, 1,000 blocked",
        }
    }
}

/// The highest chances that are allowed, at every state that asks for proof.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// In one call to one account.
    pub per_call: Option<(f64, Place)>,
    /// In a day at one account.
    pub per_day: Option<(f64, Place)>,
    /// In a year at one account.
    pub per_year: Option<(f64, Place)>,
    /// Where PINs come from: chosen, where nothing is said.
    pub pins: Pins,
}

/// The keys of `[budget]`.
pub const KEYS: [&str; 4] = ["per_call", "per_day", "per_year", "pins"];

/// Reads `[budget]`.
pub(super) fn read(item: &Item<'_>) -> Option<Budget> {
    let table = item.table("`budget`")?.knowing(KEYS);
    let budget = Budget {
        per_call: chance(&table, "per_call"),
        per_day: chance(&table, "per_day"),
        per_year: chance(&table, "per_year"),
        pins: table
            .item("pins")
            .and_then(|pins| pins.choice(&Pins::ALL.map(|pins| (pins.as_str(), pins))))
            .unwrap_or(Pins::Chosen),
    };
    table.finish();
    Some(budget)
}

fn chance(table: &Reader<'_>, key: &str) -> Option<(f64, Place)> {
    let item = table.item(key)?;
    let chance = item.number()?;
    if !(0.0..=1.0).contains(&chance) {
        let message = format!("`{key}` must be a chance, from 0 to 1");
        let finding = Finding::error("out-of-range", message, item.place());
        item.report(finding.help("one in ten thousand is 0.0001"));
        return None;
    }
    Some((chance, item.place()))
}
