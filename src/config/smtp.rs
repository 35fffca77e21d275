//! `[smtp]`: where mail is handed in, and from whom it comes.

use std::path::Path;

use super::values::{read_file, read_secret};
use crate::carrier::smtp::{AddressError, Settings, SmtpMail};
use crate::diagnostic::Finding;
use crate::document::Item;
use crate::limits;
use crate::telemetry::OutsideCounter;

/// `url_env` or `url_file`, `from` and `ca_file`.
pub(super) fn read(item: &Item<'_>, folder: &Path) -> Option<Settings> {
    let table = item.table("`smtp`")?;
    let url = read_secret(&table, "url", None, folder).into_iter().next();
    let from = table.required("from");
    let sender = from.as_ref().and_then(Item::name).map(str::to_owned);
    let ca_pem = read_file(&table, "ca_file", folder);
    let place = table.place();
    table.finish();
    let settings = Settings { url: url?, from: sender?, ca_pem, timeout: limits::MAIL_TIMEOUT };
    match SmtpMail::new(&settings, OutsideCounter::default()) {
        Ok(_) => Some(settings),
        Err(error @ AddressError::From) => {
            from?.refuse("bad-address", error.to_string());
            None
        }
        Err(error) => {
            let message = format!("the mail server cannot be used: {error}");
            item.report(Finding::error("bad-address", message, place));
            None
        }
    }
}
