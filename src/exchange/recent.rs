//! Copies of the calls that this server committed last, so that the next turn need not load them.
//!
//! A copy is only ever a guess: a turn computed from it is committed on its version, so that a copy
//! which another server has overtaken costs a reload and never a wrong answer. What is answered
//! without a commit is answered from the store.

use std::fmt;
use std::sync::Arc;

use quick_cache::sync::Cache;

use super::Loaded;
use crate::engine::id::CallId;
use crate::limits::RECENT_CALLS_MAX;

pub(super) struct Recent(Cache<CallId, Arc<Loaded>>);

impl Recent {
    pub(super) fn of(&self, call: CallId) -> Option<Arc<Loaded>> {
        self.0.get(&call)
    }

    /// Keeps a call as it was committed; one that is over has no next turn.
    pub(super) fn keep(&self, loaded: Loaded) {
        let id = loaded.call.id;
        if loaded.call.end.is_some() {
            self.0.remove(&id);
        } else {
            self.0.insert(id, Arc::new(loaded));
        }
    }

    pub(super) fn forget(&self, call: CallId) {
        self.0.remove(&call);
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self(Cache::new(RECENT_CALLS_MAX))
    }
}

impl fmt::Debug for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent").field("calls", &self.0.len()).finish()
    }
}
