//! An entry as others get it, as evidence or to tell a customer what is kept about them.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::{Bound, Deed, Entry, Link};
use crate::engine::id::CallId;

/// An entry whose chain is intact from its beginning, or from its end, up to here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// When.
    #[serde(serialize_with = "to_the_nanosecond")]
    pub at: Timestamp,
    /// The call in whose chain it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
    /// The chain of links, for what happened outside calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<u64>,
    /// Its number there, from 1.
    pub number: u64,
    /// Whom it concerns: a keyed hash of what was claimed.
    pub about: String,
    /// What was done.
    pub deed: Deed,
    /// The keyed hash.
    pub hash: String,
}

impl Told {
    /// An entry of a call.
    pub(super) fn of_call(call: CallId, entry: &Entry) -> Self {
        let Entry { number, at, about, deed, hash } = entry.clone();
        Self { at, call: Some(call), chain: None, number, about, deed, hash }
    }

    /// What a link says of something outside calls; `None`: it binds calls.
    pub(super) fn of_link(chain: u64, link: &Link) -> Option<Self> {
        let Bound::Deed { about, deed } = &link.what else { return None };
        let (about, deed, number) = (about.clone(), deed.clone(), link.head().number);
        let (at, hash) = (link.at, link.hash.clone());
        Some(Self { at, call: None, chain: Some(chain), number, about, deed, hash })
    }
}

/// All digits of the fraction, so that lines sorted as text are sorted by time.
fn to_the_nanosecond<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{at:.9}"))
}
