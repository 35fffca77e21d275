//! Editions: a flow with everything it calls, named by its content. A call keeps the one it began with.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use indexmap::IndexMap;
use jiff::Timestamp;
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::diagnostic::{Sources, any_error};
use crate::engine::call::Call;
use crate::engine::turn::later;
use crate::exchange::watch::versions::Version;
use crate::exchange::{Exchange, ExchangeError};
use crate::flow::name::FlowName;
use crate::flow::{FlowSet, read};
use crate::hex::hex;
use crate::limits;
use crate::store::{RecordKey, Store, Swap};

/// A flow and everything it calls, as they were read.
#[derive(Debug)]
pub(super) struct Edition {
    /// SHA-256 over the texts, in hexadecimal digits.
    pub hash: String,
    /// The flows.
    pub flows: FlowSet,
}

/// The editions that this server knows.
pub(in crate::exchange) struct Editions {
    current: ArcSwap<FlowSet>,
    /// By hash; one that is not here is read from the store.
    known: Cache<String, Arc<Edition>>,
    /// The editions of the present flows by start flow, and when each was last kept in the store.
    begun: RwLock<HashMap<FlowName, (Arc<Edition>, Timestamp)>>,
}

/// The texts of an edition, as they are stored.
#[derive(Serialize, Deserialize)]
pub(in crate::exchange) struct Texts {
    v: u32,
    start: String,
    /// By file name, in order.
    files: IndexMap<String, String>,
}

const RECORD: &str = "edition";
/// Longer than any call that needs it; renewed while it is in use.
const KEPT_FOR: Duration = Duration::from_hours(7 * 24);
/// Soon, because a store may lose it in a fail-over: calls that began before then can go on only where it is
/// known.
const KEPT_ANEW_AFTER: jiff::SignedDuration = jiff::SignedDuration::from_mins(1);

impl Exchange {
    /// The flows that a call began with.
    pub async fn flows_of(&self, call: &Call) -> Result<FlowSet, ExchangeError> {
        let edition = self.editions.of(&call.edition, &call.flow, self.store.as_ref()).await?;
        Ok(edition.flows.clone())
    }

    /// The version of a flow that new calls would begin with; `None`: there is no such flow.
    pub fn version_of(&self, flow: &str) -> Option<String> {
        version_of(flow, &self.editions.current())
    }
}

impl fmt::Debug for Editions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Editions").field("known", &self.known.len()).finish_non_exhaustive()
    }
}

impl Editions {
    pub(in crate::exchange) fn new(flows: FlowSet) -> Self {
        Self {
            current: ArcSwap::from_pointee(flows),
            known: Cache::new(limits::EDITIONS_AT_HAND),
            begun: RwLock::default(),
        }
    }

    pub(in crate::exchange) fn current(&self) -> Arc<FlowSet> {
        self.current.load_full()
    }

    /// Whether new calls begin with this version.
    pub(super) fn is_current(&self, version: &Version) -> bool {
        let Version { flow, edition } = version;
        let is_it = |hash: &str| hash.starts_with(edition);
        let begun = self.begun.read().unwrap_or_else(PoisonError::into_inner);
        let begun = begun.get(flow.as_str()).map(|(current, _)| is_it(&current.hash));
        begun.unwrap_or_else(|| version_of(flow, &self.current()).is_some_and(|hash| is_it(&hash)))
    }

    pub(in crate::exchange) fn replace(&self, flows: FlowSet) {
        self.current.store(Arc::new(flows));
        self.begun.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The edition of a new call; its texts are stored before the call is.
    pub(super) async fn begin(
        &self,
        flow: &str,
        store: &dyn Store,
        now: Timestamp,
    ) -> Result<Arc<Edition>, ExchangeError> {
        let begun = {
            let begun = self.begun.read().unwrap_or_else(PoisonError::into_inner);
            begun.get(flow).cloned()
        };
        if let Some((edition, kept_at)) = begun
            && now.duration_since(kept_at) < KEPT_ANEW_AFTER
        {
            return Ok(edition);
        }
        let set = self.current();
        let closure = set.closure(flow).ok_or_else(|| ExchangeError::NoFlow(flow.to_owned()))?;
        let (edition, bytes) = edition_of(flow, closure);
        keep(store, &edition.hash, &bytes, now).await?;
        self.remember(&edition);
        let mut begun = self.begun.write().unwrap_or_else(PoisonError::into_inner);
        // While the texts were being stored, other flows may have come: then this is the last call with these.
        if Arc::ptr_eq(&set, &self.current()) {
            begun.insert(flow.into(), (edition.clone(), now));
        }
        Ok(edition)
    }

    /// The edition of a call in progress.
    pub(super) async fn of(
        &self,
        hash: &str,
        start: &FlowName,
        store: &dyn Store,
    ) -> Result<Arc<Edition>, ExchangeError> {
        if let Some(edition) = self.known.get(hash) {
            return Ok(edition);
        }
        // A server that was restarted usually has the very flows that it had before.
        if let Some(closure) = self.current().closure(start.as_str()) {
            let (edition, _) = edition_of(start.as_str(), closure);
            if edition.hash == hash {
                self.remember(&edition);
                return Ok(edition);
            }
        }
        let (_, bytes) = store.read(&key(hash)).await?.ok_or(ExchangeError::NoEdition)?;
        // The hash promises that these are the texts that were checked.
        if hash_of(&bytes) != hash {
            return Err(ExchangeError::Unreadable("flow version"));
        }
        let texts: Texts = serde_json::from_slice(&bytes)
            .map_err(|_| ExchangeError::Unreadable("flow version"))?;
        let mut sources = Sources::default();
        for (file, text) in &texts.files {
            sources.add(file, text.as_str());
        }
        let (flows, findings) = read(&sources);
        if any_error(&findings) || flows.get(start.as_str()).is_none() {
            return Err(ExchangeError::FlowRefused);
        }
        let edition = Arc::new(Edition { hash: hash.to_owned(), flows });
        self.remember(&edition);
        Ok(edition)
    }

    fn remember(&self, edition: &Arc<Edition>) {
        self.known.insert(edition.hash.clone(), edition.clone());
    }
}

/// The edition of these flows, and its texts as they are stored.
fn edition_of(start: &str, closure: FlowSet) -> (Arc<Edition>, Vec<u8>) {
    let texts = Texts {
        v: 1,
        start: start.to_owned(),
        files: closure.iter().map(|f| (f.file.to_string(), f.text.to_string())).collect(),
    };
    let bytes = serde_json::to_vec(&texts).unwrap_or_default();
    (Arc::new(Edition { hash: hash_of(&bytes), flows: closure }), bytes)
}

/// The version of a flow that new calls would begin with.
fn version_of(flow: &str, set: &FlowSet) -> Option<String> {
    let (edition, _) = edition_of(flow, set.closure(flow)?);
    Some(edition.hash.clone())
}

/// Stores the texts, or keeps them for longer.
async fn keep(
    store: &dyn Store,
    hash: &str,
    bytes: &[u8],
    now: Timestamp,
) -> Result<(), ExchangeError> {
    let key = key(hash);
    let known = store.read(&key).await?.map(|(revision, _)| revision);
    // If another server was quicker, it stored the same texts.
    let swap = Swap { key: &key, expected: known, value: bytes };
    store.swap(swap, later(now, KEPT_FOR), now).await?;
    Ok(())
}

fn key(hash: &str) -> RecordKey {
    RecordKey { kind: RECORD, id: hash.to_owned() }
}

fn hash_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::store::memory::MemoryStore;

    /// A fail-over may lose what was stored just before it: calls that begin a minute later find it again.
    #[tokio::test]
    async fn a_store_that_lost_a_flow_in_use_has_it_again() {
        let (flows, findings) = read(&crate::demo::flows());
        assert_eq!(findings, []);
        let (before, emptied) = (MemoryStore::default(), MemoryStore::default());
        let (here, elsewhere) = (Editions::new(flows), Editions::new(FlowSet::default()));
        let begun = Timestamp::UNIX_EPOCH;
        here.begin("bank", &before, begun).await.unwrap();
        let later = begun.checked_add(SignedDuration::from_secs(61)).unwrap();
        let edition = here.begin("bank", &emptied, later).await.unwrap();
        assert!(elsewhere.of(&edition.hash, &"bank".into(), &emptied).await.is_ok());
    }

    /// Calls of a flow that nobody changes for weeks find it wherever they go on.
    #[tokio::test]
    async fn a_flow_in_use_stays_in_the_store_however_long() {
        let (flows, findings) = read(&crate::demo::flows());
        assert_eq!(findings, []);
        let (store, here) = (MemoryStore::default(), Editions::new(flows));
        let begun = Timestamp::UNIX_EPOCH;
        let after = |hours: i64| begun.checked_add(SignedDuration::from_hours(hours)).unwrap();
        let found = async |edition: &Edition| {
            let elsewhere = Editions::new(FlowSet::default());
            elsewhere
                .of(&edition.hash, &"bank".into(), &store)
                .await
                .map(|found| found.flows.iter().count())
        };
        for day in 0..20 {
            let edition = here.begin("bank", &store, after(24 * day)).await.unwrap();
            // The last call with it begins just before it would be stored again.
            store.sweep(after(24 * day + 24 + 5)).await.unwrap();
            assert_eq!(found(&edition).await.unwrap(), edition.flows.iter().count());
        }
        let edition = here.begin("bank", &store, after(24 * 20)).await.unwrap();
        store.sweep(after(24 * 30)).await.unwrap();
        assert!(matches!(found(&edition).await, Err(ExchangeError::NoEdition)));
    }
}
