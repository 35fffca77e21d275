//! `[lookup]`: whether the provider is asked about numbers before they are used, and what.

use std::path::Path;

use super::outbound::{self, Defaults};
use crate::diagnostic::Finding;
use crate::document::Item;
use crate::limits;
use crate::outbound::Settings;
use crate::outbound::numbers::Field;

/// The provider's address for everybody.
const URL: &str = "https://lookups.twilio.com";

/// The keys beside `kind`.
const KEYS: [&str; 6] = ["fields", "if_unknown", "callers", "url", "timeout", "allow"];

/// Whom to ask about numbers, and what.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// Who is asked, in the name of the provider's account.
    pub peer: Settings,
    /// What is asked for.
    pub fields: Vec<Field>,
    /// Whether a number may be used of which nobody says enough to tell.
    pub unknown_may: bool,
    /// Whether callers' numbers are looked up when they ring.
    pub callers: bool,
}

/// `kind = "none"`, or `"twilio"` with `fields`, `if_unknown`, `callers`, `url`, `timeout` and `allow`.
pub(super) fn read(item: &Item<'_>, folder: &Path) -> Option<Lookup> {
    let table = item.table("`lookup`")?;
    if !table.required("kind")?.choice(&[("none", false), ("twilio", true)])? {
        // What it would be asked may stay where it is while nothing is asked.
        for key in KEYS {
            table.item(key);
        }
        table.finish();
        return None;
    }
    let help = || {
        let all: Vec<_> = Field::ALL.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        Some(format!("name what your account has, of: fields = [{}]", all.join(", ")))
    };
    let fields = table.required_or("fields", help).and_then(|fields| {
        let named: Vec<_> =
            fields.list()?.iter().filter_map(|field| field.choice(&Field::ALL)).collect();
        if named.is_empty() {
            let message = "`fields` names nothing: no number would be looked up";
            fields
                .report(Finding::error("empty-value", message, fields.place()).maybe_help(help()));
        }
        Some(named)
    });
    let if_unknown = table.item("if_unknown");
    let unknown_may = if_unknown.and_then(|item| item.choice(&[("refuse", false), ("use", true)]));
    let callers = table.item("callers").and_then(|callers| callers.boolean());
    let defaults = Defaults { url: Some(URL), timeout: limits::NUMBER_TIMEOUT };
    let peer = outbound::read(&table, folder, None, &defaults);
    table.finish();
    Some(Lookup {
        peer: peer?,
        fields: fields?,
        unknown_may: unknown_may.unwrap_or(false),
        callers: callers.unwrap_or(false),
    })
}
