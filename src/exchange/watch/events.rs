//! What happens to calls, reported as it happens to whoever watches: which turn was taken and where it led, not
//! who called or what was said.

use serde::Serialize;
use tokio::sync::broadcast;

use crate::engine::call::End;
use crate::engine::event::Event;
use crate::engine::turn::Turn;
use crate::exchange::Exchange;
use crate::flow::level::Fact;
use crate::limits::{EVENTS_BEHIND_MAX, WATCHERS_MAX};

/// A turn that was committed.
#[derive(Clone, Debug, Serialize)]
pub struct Happened {
    /// The call.
    pub call: String,
    /// The number of the turn.
    pub turn: u64,
    /// When, as the call saw it.
    pub at: String,
    /// What brought it about.
    pub event: &'static str,
    /// Where the call stands now, as `flow.state`.
    pub state: String,
    /// The facts that were proved in it.
    pub proved: Vec<Fact>,
    /// How the call ended, if it did.
    pub end: Option<End>,
}

/// The turns of one server, as they are committed.
#[derive(Debug)]
pub(in crate::exchange) struct Events(broadcast::Sender<Happened>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::Sender::new(EVENTS_BEHIND_MAX))
    }
}

impl Events {
    pub(in crate::exchange) fn tell(&self, turn: &Turn, event: &Event) {
        if self.0.receiver_count() == 0 {
            return;
        }
        let Turn { call, entry, .. } = turn;
        // Whoever watched may just have left.
        let _ = self.0.send(Happened {
            call: call.id.to_string(),
            turn: call.turns,
            at: entry.moment.now.to_string(),
            event: event.name(),
            state: format!("{}.{}", call.at.flow, call.at.state),
            proved: entry.proved.clone(),
            end: entry.end,
        });
    }
}

impl Exchange {
    /// The turns that this server takes from now on; `None`: too many are watching already.
    pub fn watch(&self) -> Option<broadcast::Receiver<Happened>> {
        (self.events.0.receiver_count() < WATCHERS_MAX).then(|| self.events.0.subscribe())
    }
}
