//! `[otp]`: whether codes of text messages are ours, or the provider's own.

use std::path::Path;

use super::outbound::{self, Defaults};
use super::values::read_sid;
use crate::document::Item;
use crate::limits;
use crate::outbound::Settings;

/// Where the provider answers for everybody.
const URL: &str = "https://verify.twilio.com";
/// The keys beside `backend`.
const KEYS: [&str; 4] = ["service_sid", "url", "timeout", "allow"];

/// Who makes, sends and checks codes of text messages.
#[derive(Clone, Debug)]
pub struct Verify {
    /// Who is asked, in the name of the provider's account.
    pub peer: Settings,
    /// The service, `VA…`.
    pub service_sid: String,
}

/// `backend = "own"`, or `"verify"` with `service_sid`, `url`, `timeout` and `allow`.
pub(super) fn read(item: &Item<'_>, folder: &Path) -> Option<Verify> {
    let table = item.table("`otp`")?;
    if !table.required("backend")?.choice(&[("own", false), ("verify", true)])? {
        // What belongs to the other may stay where it is.
        for key in KEYS {
            table.item(key);
        }
        table.finish();
        return None;
    }
    let service_sid = table.required("service_sid");
    let service_sid = service_sid.and_then(|item| read_sid(&item, "VA", "bad-service-sid"));
    let defaults = Defaults { url: Some(URL), timeout: limits::NUMBER_TIMEOUT };
    let peer = outbound::read(&table, folder, None, &defaults);
    table.finish();
    Some(Verify { peer: peer?, service_sid: service_sid? })
}
