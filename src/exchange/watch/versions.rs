//! How many calls of each flow version have begun and ended here: the difference, summed over all servers, is the
//! number of its live calls.
//!
//! The counts of a version with which no new calls begin are dropped when its calls are over; otherwise a server
//! would show more versions with every change of a flow.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use crate::engine::call::Call;
use crate::limits::CALL_DURATION_MAX;

/// Enough characters of an edition's hash to tell versions apart on a page.
const EDITION_CHARS: usize = 12;

/// Calls by flow version.
#[derive(Clone, Debug, Default)]
pub struct Versions {
    /// Calls begun.
    pub begun: Family<Version, Counter>,
    /// Calls ended.
    pub ended: Family<Version, Counter>,
    /// When a call of a version was last counted. Locked while one is counted or dropped.
    last: Arc<Mutex<BTreeMap<Version, Timestamp>>>,
}

/// A flow, in one version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub struct Version {
    /// Its name.
    pub flow: String,
    /// The beginning of the hash of its text and of all that it calls.
    pub edition: String,
}

impl Versions {
    pub(super) fn begin(&self, call: &Call, now: Timestamp) {
        self.count(&self.begun, version_of(call), now);
    }

    /// `is_current`: whether new calls begin with it.
    pub(super) fn end(&self, call: &Call, now: Timestamp, is_current: impl Fn(&Version) -> bool) {
        self.count(&self.ended, version_of(call), now);
        self.drop_those_that_are_over(now, is_current);
    }

    fn count(&self, calls: &Family<Version, Counter>, version: Version, now: Timestamp) {
        let mut last = self.last();
        calls.get_or_create(&version).inc();
        last.insert(version, now);
    }

    /// If as many have ended as have begun, dropping both does not change the sum over all servers. Calls may
    /// also end at a server where they did not begin; all are over when none can last any longer.
    fn drop_those_that_are_over(&self, now: Timestamp, is_current: impl Fn(&Version) -> bool) {
        self.last().retain(|version, last| {
            let count = |calls: &Family<Version, Counter>| {
                calls.get(version).map_or(0, |count| count.get())
            };
            let is_long_ago = now.duration_since(*last).unsigned_abs() > CALL_DURATION_MAX;
            let is_over = is_long_ago || count(&self.begun) == count(&self.ended);
            if is_over && !is_current(version) {
                self.begun.remove(version);
                self.ended.remove(version);
                return false;
            }
            true
        });
    }

    fn last(&self) -> MutexGuard<'_, BTreeMap<Version, Timestamp>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn version_of(call: &Call) -> Version {
    let edition = call.edition.chars().take(EDITION_CHARS).collect();
    Version { flow: call.flow.to_string(), edition }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(edition: &str) -> Version {
        Version { flow: "desk".into(), edition: edition.into() }
    }

    #[test]
    fn a_version_is_dropped_with_its_last_call_and_not_before() {
        let versions = Versions::default();
        let now = Timestamp::UNIX_EPOCH;
        let (old, elsewhere, new) = (version("old"), version("elsewhere"), version("new"));
        let shown = |at: Timestamp| {
            versions.drop_those_that_are_over(at, |version| *version == new);
            let last = versions.last();
            last.keys().map(|version| version.edition.clone()).collect::<Vec<_>>()
        };
        for (calls, version) in [
            (&versions.begun, &old),
            (&versions.begun, &old),
            (&versions.ended, &old),
            (&versions.ended, &elsewhere),
            (&versions.begun, &new),
            (&versions.ended, &new),
        ] {
            versions.count(calls, version.clone(), now);
        }
        assert_eq!(shown(now), ["elsewhere", "new", "old"]);
        assert_eq!(versions.begun.get_or_create(&old).get(), 2);
        versions.count(&versions.ended, old.clone(), now);
        assert_eq!(shown(now), ["elsewhere", "new"]);
        assert_eq!(versions.begun.get_or_create(&old).get(), 0, "it is not there any more");

        let longest = jiff::SignedDuration::try_from(CALL_DURATION_MAX).unwrap();
        assert_eq!(shown(now.checked_add(longest).unwrap()), ["elsewhere", "new"]);
        let later = jiff::SignedDuration::from_secs(1);
        assert_eq!(shown(now.checked_add(longest + later).unwrap()), ["new"]);
    }
}
