//! What was asked of others, counted by whoever asks.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

/// Counts what was asked of others; shared by all its copies.
#[derive(Clone, Debug, Default)]
pub struct OutsideCounter(Family<Asked, Counter>);

impl OutsideCounter {
    /// What is counted, as it is registered.
    pub fn counts(&self) -> Family<Asked, Counter> {
        self.0.clone()
    }

    /// Counts one thing asked of `peer`.
    pub fn count(&self, peer: Peer, outcome: Outside) {
        self.0.get_or_create(&Asked { peer, outcome }).inc();
    }
}

/// Something asked of others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Asked {
    peer: Peer,
    outcome: Outside,
}

/// Whom something was asked of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Peer {
    /// The provider, to send a message, or to place, find, redirect or end a call.
    Provider,
    /// The mail server.
    Mail,
    /// The directory.
    Directory,
    /// A back end that a `lookup` asks.
    Backend,
    /// The provider, about a number.
    Lookup,
    /// The provider, about a code of its own.
    Verify,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Outside {
    /// It was done, or answered.
    Done,
    /// It was refused for good.
    Refused,
    /// It came to nothing: no answer, a late one, or one that makes no sense.
    Failed,
}
