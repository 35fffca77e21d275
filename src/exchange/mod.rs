//! The exchange: carries events to the machine and turns to the store.
//!
//! Everything that changes a call comes through here, whether a webhook, the outbox, a deadline or a replay
//! brought it: load, step, answer the machine's questions, commit, and after a lost race start again from what
//! won.

mod answers;
mod at_hand;
mod desk;
pub mod fleet;
mod probe;
mod record;
pub mod rings;
#[cfg(test)]
mod stored;
mod turn;
mod watch;

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::directory::{Directory, DirectoryError};
use crate::engine::Unenforced;
use crate::engine::call::Call;
use crate::engine::id::CallId;
use crate::engine::policy::Policy;
use crate::engine::turn::Entry;
use crate::flow::FlowSet;
use crate::outbound::backends::Backends;
use crate::outbound::numbers::Numbers;
use crate::outbound::verifications::Verifications;
use crate::store::envelope::{EnvelopeError, Kind, Vault};
use crate::store::{Store, StoreError, Version};
pub use answers::service_code;
use answers::{Signer, Verifier};
use at_hand::AtHand;
pub use desk::{agent, dead, unlock};
use record::Queues;
pub use turn::{Answered, Over, Posted, Request, Served, Settles, Wants};
use turn::{Editions, Recent};
use watch::{Events, Guards, Tally};
pub use watch::{events, guards, tally, versions};

/// The exchange.
#[derive(Debug)]
pub struct Exchange {
    store: Arc<dyn Store>,
    vault: Vault,
    directory: Arc<Directory>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    policy: Policy,
    editions: Editions,
    verifier: Verifier,
    queues: Queues,
    recent: Recent,
    at_hand: AtHand,
    guards: Guards,
    tally: Tally,
    signer: Signer,
    /// Woken when an effect may be due.
    outbox: Arc<Notify>,
    /// The one demand that a replay lets pass unmet.
    unenforced: Option<Unenforced>,
    /// Who answers look-ups.
    backends: Option<Arc<dyn Backends>>,
    /// Who is asked about numbers.
    numbers: Option<Arc<dyn Numbers>>,
    /// Whether callers' numbers are asked about, too.
    looks_up_callers: bool,
    /// Who sends codes of their own and checks them.
    verifications: Option<Arc<dyn Verifications>>,
    /// Told of calls that end.
    ends: OnceLock<UnboundedSender<CallId>>,
    /// Told of every turn that is taken here.
    events: Events,
    /// Whether the store lets us do all that turns need, as it was when that was last tried; `None`: nobody has yet.
    rights: ArcSwapOption<Result<(), StoreError>>,
}

/// What an exchange is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where calls are kept.
    pub store: Arc<dyn Store>,
    /// What seals them.
    pub vault: Vault,
    /// Who the customers are.
    pub directory: Arc<Directory>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The randomness.
    pub chance: Arc<dyn Chance>,
    /// Attempts, codes, lockouts.
    pub policy: Policy,
    /// The flows, as they are now.
    pub flows: FlowSet,
}

/// Why an event could not be carried through. Nothing is granted; whether it was done is unknown.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something stored cannot be opened.
    #[error("a stored {0} does not open: {1}")]
    Sealed(&'static str, EnvelopeError),
    /// Something stored was opened, and is not what it should be.
    #[error("a stored {0} cannot be read")]
    Unreadable(&'static str),
    /// A stored thing opened, and has something in it that is not known here.
    #[error(
        "a stored {0} has something in it that this callgate does not know; if a newer one wrote it, update this one"
    )]
    Newer(&'static str),
    /// The version of the flow that a call began with has something in it that is an error here: another callgate, which
    /// knows more of the language or refuses less, took it.
    #[error("this callgate refuses the flow that the call began with, and which another one took")]
    FlowRefused,
    /// The directory failed.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The flow of a call does not exist.
    #[error("there is no flow `{0}`")]
    NoFlow(String),
    /// The version of the flow that a call began with no longer exists.
    #[error("the flow version that the call began with is not in the store")]
    NoEdition,
    /// Every race for the call was lost.
    #[error("the call changed under every try")]
    Contended,
    /// The store gave a copy of the call that is older than the event.
    #[error("the store gave an older copy of the call")]
    Stale,
    /// Others took longer than a caller can wait.
    #[error("others took longer to answer than a turn may take")]
    Late,
    /// Too many verifications are waiting already.
    #[error("more entries wait to be verified than can be in time")]
    Crowded,
    /// A verification did not finish.
    #[error("a verification did not finish")]
    Unverified,
}

impl ExchangeError {
    /// Whether the store could not be reached: it may be back in a moment, and what was asked may have been done.
    pub fn store_is_away(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_away())
    }

    /// Whether what lies there is nobody's any more, because something else wrote over it.
    pub fn is_of_damage(&self) -> bool {
        use EnvelopeError::{Altered, WrongKey};
        matches!(self, Self::Store(StoreError::Corrupt(_)) | Self::Sealed(_, Altered | WrongKey))
    }
}

/// A call as it was loaded.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The call.
    pub call: Call,
    version: Version,
    /// Its audit so far; `None`: only the journal has it.
    audit: Option<Vec<crate::audit::Entry>>,
}

impl Exchange {
    /// An exchange of these parts.
    pub fn new(parts: Parts) -> Self {
        let Parts { store, vault, directory, clock, chance, policy, flows } = parts;
        let verifier = Verifier::new();
        let signer = Signer::new(&vault);
        Self {
            store,
            vault,
            directory,
            clock,
            chance,
            policy,
            editions: Editions::new(flows),
            verifier,
            queues: Queues::default(),
            recent: Recent::default(),
            at_hand: AtHand::default(),
            guards: Guards::default(),
            tally: Tally::default(),
            signer,
            outbox: Arc::default(),
            unenforced: None,
            backends: None,
            numbers: None,
            looks_up_callers: false,
            verifications: None,
            ends: OnceLock::new(),
            events: Events::default(),
            rights: ArcSwapOption::empty(),
        }
    }

    /// Lets one demand pass unmet, so that a replay can show a hole.
    pub(crate) fn letting_pass(mut self, demand: Option<Unenforced>) -> Self {
        self.unenforced = demand;
        self
    }

    /// Woken whenever an effect may be due.
    pub fn outbox(&self) -> Arc<Notify> {
        self.outbox.clone()
    }

    /// Attempts, codes, lockouts.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The store behind the exchange.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// What seals and opens.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The randomness.
    pub fn chance(&self) -> &dyn Chance {
        self.chance.as_ref()
    }

    /// The flows that new calls get.
    pub fn flows(&self) -> Arc<FlowSet> {
        self.editions.current()
    }

    /// Puts other flows in place for new calls; calls in progress keep their own.
    pub fn replace_flows(&self, flows: FlowSet) {
        self.editions.replace(flows);
    }

    /// The customers.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Whether this server has a copy of the call, which means that the call is in progress.
    pub fn has_at_hand(&self, call: CallId) -> bool {
        self.recent.of(call).is_some()
    }

    /// A call as it stands.
    pub async fn load(&self, call: CallId) -> Result<Option<Loaded>, ExchangeError> {
        let Some(stored) = self.store.load(call).await? else { return Ok(None) };
        let call: Call = self.open(Kind::Call, &call.to_string(), &stored.state)?;
        let call = Call { turn: stored.version.turn, ..call };
        Ok(Some(Loaded { call, version: stored.version, audit: None }))
    }

    /// The same for one call among others, whom it must not stand in the way: `None` also where something else has
    /// written over it.
    pub async fn load_unless_damaged(&self, call: CallId) -> Result<Option<Loaded>, ExchangeError> {
        match self.load(call).await {
            Err(error) if error.is_of_damage() => {
                tracing::warn!(call.id = %call, %error, "a call that cannot be read is passed over");
                Ok(None)
            }
            loaded => loaded,
        }
    }

    /// A call as it stands, at the earliest as it stood after the turn of this number.
    pub async fn load_since(&self, call: CallId, turn: u64) -> Result<Loaded, ExchangeError> {
        let loaded = self.load(call).await?;
        loaded.filter(|loaded| loaded.call.turns >= turn).ok_or(ExchangeError::Stale)
    }

    /// The journal of a call, oldest turn first.
    pub async fn journal(&self, call: CallId) -> Result<Vec<Entry>, ExchangeError> {
        self.journal_of(call).await
    }

    /// The part that is asked for of each entry of a call's journal, oldest first.
    async fn journal_of<T: DeserializeOwned>(&self, call: CallId) -> Result<Vec<T>, ExchangeError> {
        let sealed = self.store.journal(call).await?;
        let id = call.to_string();
        sealed.iter().map(|entry| self.open(Kind::Entry, &id, entry)).collect()
    }

    /// What was sealed for this place.
    fn open<T: DeserializeOwned>(
        &self,
        kind: Kind,
        id: &str,
        sealed: &[u8],
    ) -> Result<T, ExchangeError> {
        let what = match kind {
            Kind::Call => "call",
            Kind::Effect => "effect",
            Kind::Entry => "journal entry",
            Kind::Record => "record",
        };
        let opened = self.vault.open(kind, id, sealed);
        let opened = opened.map_err(|error| ExchangeError::Sealed(what, error))?;
        opened.read().ok_or(ExchangeError::Newer(what))
    }

    /// Reports every call that ends from now on, to the first who asks.
    pub fn tell_ends(&self, to: UnboundedSender<CallId>) {
        let _ = self.ends.set(to);
    }

    /// A nonce for the vault, never used twice in a place.
    pub fn seal_nonce(&self) -> [u8; 12] {
        self.chance.bytes().first_chunk().copied().unwrap_or_default()
    }
}
