//! Copies of the calls that this server committed last, so that the next turn need not load them; and of the
//! audits of calls that are over, so that their journals need not be read.
//!
//! A copy is only ever a guess: a turn computed from it is committed on its version, so that a copy which another
//! server has overtaken costs a reload and never gives a wrong answer. What is answered without a commit is
//! answered from the store.

use std::fmt;
use std::sync::Arc;

use quick_cache::sync::Cache;

use crate::audit::Entry;
use crate::engine::id::CallId;
use crate::exchange::Loaded;
use crate::limits::{AUDITS_AT_HAND, RECENT_CALLS_MAX};

pub(in crate::exchange) struct Recent {
    calls: Cache<CallId, Arc<Loaded>>,
    /// Of calls that are over.
    audits: Cache<CallId, Vec<Entry>>,
}

impl Recent {
    pub(in crate::exchange) fn of(&self, call: CallId) -> Option<Arc<Loaded>> {
        self.calls.get(&call)
    }

    /// Keeps a call as it was committed. A call that is over has no next turn: all that is left to do is to write
    /// its audit.
    pub(super) fn keep(&self, loaded: &Arc<Loaded>) {
        let id = loaded.call.id;
        if loaded.call.end.is_none() {
            self.calls.insert(id, loaded.clone());
            return;
        }
        self.calls.remove(&id);
        if let Some(audit) = loaded.audit.as_ref().filter(|audit| !audit.is_empty()) {
            self.audits.insert(id, audit.clone());
        }
    }

    pub(super) fn forget(&self, call: CallId) {
        self.calls.remove(&call);
    }

    /// Hands out the audit of a call that is over, and keeps none: it is written once.
    pub(super) fn audit_of(&self, call: CallId) -> Option<Vec<Entry>> {
        self.audits.remove(&call).map(|(_, audit)| audit)
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self { calls: Cache::new(RECENT_CALLS_MAX), audits: Cache::new(AUDITS_AT_HAND) }
    }
}

impl fmt::Debug for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (calls, audits) = (self.calls.len(), self.audits.len());
        f.debug_struct("Recent").field("calls", &calls).field("audits", &audits).finish()
    }
}
