//! The exchange: carries events to the machine and turns to the store.
//!
//! Everything that changes a call comes through here, whether a webhook brought it, the outbox, a
//! deadline, or a replay: load, step, answer the machine's questions, commit, and on a lost race all
//! over again from what won.

pub mod agent;
mod answer;
mod at_hand;
mod audit;
pub mod dead;
mod deed;
pub mod edition;
mod eligible;
pub mod events;
pub mod guards;
mod look_up;
mod posted;
mod probe;
mod recent;
mod record;
pub mod rings;
pub mod service_code;
mod shared;
mod signals;
mod step_up;
#[cfg(test)]
mod stored;
mod take;
pub mod tally;
pub mod unlock;
mod verification;
mod verifier;
pub mod versions;
mod voucher;

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::directory::{Directory, DirectoryError};
use crate::engine::Unenforced;
use crate::engine::call::Call;
use crate::engine::event::{Event, Heard, Ring};
use crate::engine::id::{CallId, EffectId, LegId, Nonce, Sid};
use crate::engine::policy::Policy;
use crate::engine::reply::Reply;
use crate::engine::turn::{Entry, later};
use crate::flow::FlowSet;
use crate::outbound::backends::Backends;
use crate::outbound::numbers::Numbers;
use crate::outbound::verifications::Verifications;
use crate::store::envelope::{EnvelopeError, Kind, Vault};
use crate::store::{Store, StoreError, Version};
use at_hand::AtHand;
pub use audit::Over;
use deed::{Deed, deed_of};
use edition::Editions;
use events::Events;
use guards::Guards;
pub use posted::Posted;
use recent::Recent;
use record::Queues;
use take::{Done, Taken};
use tally::Tally;
use verifier::Verifier;
use voucher::Signer;

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
    /// The one demand that is let pass unmet, in a replay.
    unenforced: Option<Unenforced>,
    /// Whom look-ups ask.
    backends: Option<Arc<dyn Backends>>,
    /// Whom is asked about numbers.
    numbers: Option<Arc<dyn Numbers>>,
    /// Whether it is asked about callers' too.
    looks_up_callers: bool,
    /// Who sends and checks codes of their own.
    verifications: Option<Arc<dyn Verifications>>,
    /// Told of calls that end.
    ends: OnceLock<UnboundedSender<CallId>>,
    /// Told of every turn that is taken here.
    events: Events,
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

/// Why an event could not be carried through. Nothing is granted by it; whether it was done is not
/// known.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored thing does not open.
    #[error("a stored {0} does not open: {1}")]
    Sealed(&'static str, EnvelopeError),
    /// A stored thing is not what was written.
    #[error("a stored {0} cannot be read")]
    Unreadable(&'static str),
    /// A stored thing opened, and has something in it that is not known here.
    #[error("a stored {0} is of a newer callgate; update this one")]
    Newer(&'static str),
    /// The version of the flow that a call began with has something in it that is an error here: another callgate, which
    /// knows more of the language or refuses less, took it.
    #[error("this callgate refuses the flow that the call began with, and which another one took")]
    FlowRefused,
    /// The directory failed.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The flow of a call is not there.
    #[error("there is no flow `{0}`")]
    NoFlow(String),
    /// The version of the flow that a call began with is not there any more.
    #[error("the flow version that the call began with is not in the store")]
    NoEdition,
    /// The race was lost again and again.
    #[error("the call changed under every try")]
    Contended,
    /// The store gave a copy of the call that is older than what is to be done of it.
    #[error("the store gave an older copy of the call")]
    Stale,
    /// Others took longer than a caller can wait.
    #[error("others took longer to answer than a turn may take")]
    Late,
    /// There is no place to wait for a verification.
    #[error("more entries wait to be verified than can be in time")]
    Crowded,
    /// A verification did not finish.
    #[error("a verification did not finish")]
    Unverified,
}

impl ExchangeError {
    /// Whether the store was not there: it may be in a moment, and what was asked may have been done.
    pub fn store_is_away(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_away())
    }
}

/// A request of the provider for a leg's next answer.
#[derive(Clone, Debug)]
pub struct Request {
    /// The call.
    pub call: CallId,
    /// The provider's name of the leg.
    pub sid: Sid,
    /// What is asked for.
    pub wants: Wants,
    /// What was heard on the leg.
    pub heard: Heard,
    /// Who takes callers whom the flow cannot serve.
    pub fallback_number: Option<String>,
}

/// What a request asks for.
#[derive(Clone, Debug)]
pub enum Wants {
    /// The first answer of a new call, or the present prompt of one that has moved on.
    Ring(Box<Ring>),
    /// The answer that this nonce buys.
    Turn(Nonce),
    /// The leg's present prompt.
    Resume(LegId),
    /// The answer that the spent nonce had, or else the present prompt.
    Fallback(Option<Nonce>),
}

/// What a request was to the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// A turn.
    Turn,
    /// The answer that had been given before.
    Replayed,
    /// The answer that had been given before, to a request that now says something else.
    Contradicted,
    /// The present prompt, for a request out of step.
    OutOfStep,
    /// Nothing of this call's.
    Stranger,
    /// Of a call that nobody knows: it is forgotten, or its first turn was lost.
    Unknown,
}

/// An answer to a request.
#[derive(Clone, Debug)]
pub struct Answered {
    /// What the leg does next.
    pub reply: Arc<Reply>,
    /// What the request was to the call.
    pub served: Served,
    /// Whether the time that the answer takes must not tell what was found.
    pub discreet: bool,
}

/// The effect that something was learnt of, and which is settled by it.
#[derive(Clone, Copy, Debug)]
pub struct Settles {
    /// The effect.
    pub effect: EffectId,
    /// The number of the turn that posted it.
    pub turn: u64,
}

/// A call as it was loaded.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The call.
    pub call: Call,
    version: Version,
    /// Its audit so far; `None`: only its journal knows.
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
        }
    }

    /// Lets one demand pass unmet: what a replay shows a hole with.
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

    /// What seals.
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

    /// Puts other flows in place for new calls; calls in progress keep theirs.
    pub fn replace_flows(&self, flows: FlowSet) {
        self.editions.replace(flows);
    }

    /// The customers.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Answers a request for a leg's next answer.
    pub async fn serve(&self, request: &Request) -> Result<(Reply, Served), ExchangeError> {
        let Answered { reply, served, .. } = self.receive(request).await?;
        Ok((Arc::unwrap_or_clone(reply), served))
    }

    /// Answers a request for a leg's next answer, and says whether it may be answered at once.
    pub async fn receive(&self, request: &Request) -> Result<Answered, ExchangeError> {
        let Heard { digits, speech, .. } = &request.heard;
        let parts = [digits.expose().as_bytes(), speech.expose().as_bytes()];
        let digest = self.vault.keyed_short("heard", &parts);
        let fallback = request.fallback_number.as_deref();
        let deed = |call: Option<&Call>| deed_of(request, &digest, call);
        let done = self.turn(request.call, &[], fallback, deed).await?;
        if matches!(done, Done::Answer(_, Served::Contradicted)) {
            tracing::warn!(call.id = %request.call, "another entry was sent for a spent nonce");
        }
        let at_once = |reply, served| Answered { reply, served, discreet: false };
        Ok(match done {
            Done::Turn(Taken { reply, discreet, .. }) => {
                Answered { reply, served: Served::Turn, discreet }
            }
            Done::Answer(reply, served) => at_once(reply, served),
            Done::Unknown => at_once(Reply::hangup().into(), Served::Unknown),
            Done::Nothing => at_once(Reply::hangup().into(), Served::Stranger),
        })
    }

    /// Tells a call of something that asks for no answer; where it was learnt of an effect, that is
    /// settled in the same commit. The call as it stands then; `Ok(None)`: it meant nothing to the call,
    /// and nothing was committed.
    pub async fn tell(
        &self,
        call: CallId,
        settles: Option<Settles>,
        event: impl Fn(&Call) -> Option<Event>,
    ) -> Result<Option<Arc<Loaded>>, ExchangeError> {
        let since = settles.map(|settles| settles.turn);
        let deed = |call: Option<&Call>| {
            // An effect goes with its call: where there is one, there is the other.
            if call.map(|call| call.turns) < since {
                return Deed::Older;
            }
            call.and_then(&event).map_or(Deed::Nothing, Deed::Step)
        };
        let settled = settles.as_ref().map(|settles| settles.effect);
        Ok(match self.turn(call, settled.as_slice(), None, deed).await? {
            Done::Turn(Taken { after, .. }) => Some(after),
            _ => None,
        })
    }

    /// Whether this server has a copy of the call: then it is in progress.
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

    /// A call as it stands, and at least as it stood after its turn of this number.
    pub async fn load_since(&self, call: CallId, turn: u64) -> Result<Loaded, ExchangeError> {
        let loaded = self.load(call).await?;
        loaded.filter(|loaded| loaded.call.turns >= turn).ok_or(ExchangeError::Stale)
    }

    /// The journal of a call, oldest turn first.
    pub async fn journal(&self, call: CallId) -> Result<Vec<Entry>, ExchangeError> {
        self.journal_of(call).await
    }

    /// As much of each entry of a call's journal as is asked for, oldest first.
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

    /// The flows that a call began with.
    pub async fn flows_of(&self, call: &Call) -> Result<FlowSet, ExchangeError> {
        let edition = self.editions.of(&call.edition, &call.flow, self.store.as_ref()).await?;
        Ok(edition.flows.clone())
    }

    /// Tells of every call that ends from now on; whoever asks first is told.
    pub fn tell_ends(&self, to: UnboundedSender<CallId>) {
        let _ = self.ends.set(to);
    }

    /// A nonce for the vault, never used twice in a place.
    pub fn seal_nonce(&self) -> [u8; 12] {
        self.chance.bytes().first_chunk().copied().unwrap_or_default()
    }
}
