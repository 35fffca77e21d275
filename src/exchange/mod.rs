//! The exchange: carries events to the machine and turns to the store.
//!
//! Everything that changes a call comes through here, whether a webhook brought it, the outbox, a
//! deadline, or a replay: load, step, answer the machine's questions, commit, and on a lost race all
//! over again from what won.

pub mod agent;
mod answer;
mod audit;
pub mod dead;
mod deed;
pub mod edition;
pub mod guard;
mod look_up;
mod posted;
mod probe;
mod recent;
mod record;
pub mod service_code;
mod signals;
mod step_up;
pub mod tally;
pub mod unlock;
mod voucher;

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use crate::chance::{self, Chance};
use crate::clock::Clock;
use crate::directory::{Directory, DirectoryError};
use crate::engine::call::Call;
use crate::engine::effect::Effect;
use crate::engine::event::{Event, Heard, Ring};
use crate::engine::id::{CallId, EffectId, LegId, Nonce, Sid, TurnId};
use crate::engine::policy::Policy;
use crate::engine::reply::{Reply, Verb};
use crate::engine::turn::{Entry, Moment, Step, Turn};
use crate::engine::{Setting, Unenforced, step};
use crate::flow::FlowSet;
use crate::limits;
use crate::outbound::backends::Backends;
use crate::store::envelope::{EnvelopeError, Kind, Vault};
use crate::store::{Commit, Committed, NewEffect, Store, StoreError, Version};
use answer::Verifier;
use deed::{Deed, deed_of};
use edition::{Edition, Editions};
use guard::Guards;
pub use posted::Posted;
use recent::Recent;
use record::Queues;
use tally::Tally;
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
    guards: Guards,
    tally: Tally,
    signer: Signer,
    /// Woken when an effect may be due.
    outbox: Arc<Notify>,
    /// The one demand that is let pass unmet, in a replay.
    unenforced: Option<Unenforced>,
    /// Whom look-ups ask.
    backends: Option<Arc<dyn Backends>>,
    /// Told of calls that end.
    ends: OnceLock<UnboundedSender<CallId>>,
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
    /// A stored thing opened and is none of ours.
    #[error("a stored {0} cannot be read")]
    Unreadable(&'static str),
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
    /// A verification did not finish.
    #[error("a verification did not finish")]
    Unverified,
}

impl ExchangeError {
    /// Whether the store was not there: it may be in a moment, and what was asked may have been done.
    pub fn store_is_away(&self) -> bool {
        matches!(self, Self::Store(StoreError::Unavailable(_)))
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
    pub reply: Reply,
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

/// What a turn is taken with, beside the event.
#[derive(Clone, Copy)]
struct Terms<'a> {
    /// The effects that it settles.
    settled: &'a [EffectId],
    /// Who takes callers whom the flow cannot serve.
    fallback_number: Option<&'a str>,
    /// When others must have answered.
    until: Instant,
}

/// What was done.
enum Done {
    Turn(Box<Turn>),
    Answer(Reply, Served),
    Unknown,
    Nothing,
}

/// What became of a turn.
enum Taken {
    Committed(Box<Turn>),
    /// The event means nothing to the call.
    Nothing,
    /// Another turn was quicker.
    Lost,
}

/// A call as it was loaded.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The call.
    pub call: Call,
    version: Version,
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
            guards: Guards::default(),
            tally: Tally::default(),
            signer,
            outbox: Arc::default(),
            unenforced: None,
            backends: None,
            ends: OnceLock::new(),
        }
    }

    /// Lets one demand pass unmet: what a replay shows a hole with.
    pub(crate) fn letting_pass(mut self, demand: Option<Unenforced>) -> Self {
        self.unenforced = demand;
        self
    }

    /// Asks these back ends what look-ups want to know; without any, none of them is answered.
    #[must_use]
    pub fn asking(mut self, backends: Arc<dyn Backends>) -> Self {
        self.backends = Some(backends);
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
        Ok((reply, served))
    }

    /// Answers a request for a leg's next answer, and says whether it may be answered at once.
    pub async fn receive(&self, request: &Request) -> Result<Answered, ExchangeError> {
        let Heard { digits, speech, .. } = &request.heard;
        let parts = [digits.expose().as_bytes(), speech.expose().as_bytes()];
        let digest = self.vault.keyed_hex("heard", &parts);
        let heard = Heard { digest, ..request.heard.clone() };
        let request = &Request { heard, ..request.clone() };
        let fallback = request.fallback_number.as_deref();
        let done = self.turn(request.call, &[], fallback, |call| deed_of(request, call)).await?;
        let at_once = |reply, served| Answered { reply, served, discreet: false };
        Ok(match done {
            Done::Turn(turn) => {
                let Turn { reply, discreet, .. } = *turn;
                Answered { reply, served: Served::Turn, discreet }
            }
            Done::Answer(reply, served) => at_once(reply, served),
            Done::Unknown => at_once(hangup(), Served::Unknown),
            Done::Nothing => at_once(hangup(), Served::Stranger),
        })
    }

    /// Tells a call of something that asks for no answer; where it was learnt of an effect, that is
    /// settled in the same commit. `Ok(None)`: it meant nothing to the call, and nothing was committed.
    pub async fn tell(
        &self,
        call: CallId,
        settles: Option<Settles>,
        event: impl Fn(&Call) -> Option<Event>,
    ) -> Result<Option<Turn>, ExchangeError> {
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
            Done::Turn(turn) => Some(*turn),
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
        let opened = self
            .vault
            .open(Kind::Call, &call.to_string(), &stored.state)
            .map_err(|error| ExchangeError::Sealed("call", error))?;
        let read = serde_json::from_slice(&opened.plain);
        let call: Call = read.map_err(|_| ExchangeError::Unreadable("call"))?;
        Ok(Some(Loaded { call, version: stored.version }))
    }

    /// A call as it stands, and at least as it stood after its turn of this number.
    pub async fn load_since(&self, call: CallId, turn: u64) -> Result<Loaded, ExchangeError> {
        let loaded = self.load(call).await?;
        loaded.filter(|loaded| loaded.call.turns >= turn).ok_or(ExchangeError::Stale)
    }

    /// The journal of a call, oldest turn first.
    pub async fn journal(&self, call: CallId) -> Result<Vec<Entry>, ExchangeError> {
        let sealed = self.store.journal(call).await?;
        let open = |entry: &Vec<u8>| {
            let opened = self
                .vault
                .open(Kind::Entry, &call.to_string(), entry)
                .map_err(|error| ExchangeError::Sealed("journal entry", error))?;
            serde_json::from_slice(&opened.plain)
                .map_err(|_| ExchangeError::Unreadable("journal entry"))
        };
        sealed.iter().map(open).collect()
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

    async fn turn(
        &self,
        id: CallId,
        settled: &[EffectId],
        fallback_number: Option<&str>,
        deed: impl Fn(Option<&Call>) -> Deed,
    ) -> Result<Done, ExchangeError> {
        let until = Instant::now() + limits::ASKED_PER_TURN;
        let terms = Terms { settled, fallback_number, until };
        if let Some(turn) = self.guess(id, terms, &deed).await? {
            return Ok(Done::Turn(turn));
        }
        let mut older = false;
        for _ in 0..limits::COMMIT_TRIES_MAX {
            let loaded = self.load(id).await?;
            let event = match deed(loaded.as_ref().map(|loaded| &loaded.call)) {
                Deed::Step(event) => event,
                Deed::Answer(reply, served) => return Ok(Done::Answer(reply, served)),
                Deed::Unknown => return Ok(Done::Unknown),
                Deed::Nothing => return Ok(Done::Nothing),
                Deed::Older => {
                    older = true;
                    continue;
                }
            };
            match self.take(loaded.as_ref(), &event, terms).await? {
                Taken::Committed(turn) => return Ok(Done::Turn(turn)),
                Taken::Nothing => return Ok(Done::Nothing),
                Taken::Lost => tracing::debug!(call.id = %id, "a race for the call was lost"),
            }
        }
        Err(if older { ExchangeError::Stale } else { ExchangeError::Contended })
    }

    /// Takes a turn from the copy at hand (or as a new call) without loading anything; `None`: the
    /// copy does not tell, or it is no longer so.
    async fn guess(
        &self,
        id: CallId,
        terms: Terms<'_>,
        deed: &impl Fn(Option<&Call>) -> Deed,
    ) -> Result<Option<Box<Turn>>, ExchangeError> {
        let copy = self.recent.of(id);
        let Deed::Step(event) = deed(copy.as_ref().map(|copy| &copy.call)) else {
            return Ok(None);
        };
        match self.take(copy.as_deref(), &event, terms).await? {
            Taken::Committed(turn) => Ok(Some(turn)),
            Taken::Nothing | Taken::Lost => Ok(None),
        }
    }

    /// Computes a turn of the call as it was loaded, and commits it.
    async fn take(
        &self,
        loaded: Option<&Loaded>,
        event: &Event,
        terms: Terms<'_>,
    ) -> Result<Taken, ExchangeError> {
        let call = loaded.map(|loaded| &loaded.call);
        let edition = self.edition(call, event).await?;
        let Some(mut turn) = self.step(&edition, call, event, terms).await? else {
            return Ok(Taken::Nothing);
        };
        self.chain(&mut turn);
        let commit = self.commit_of(&turn, loaded, terms.settled);
        // Whatever becomes of it, what we had is no longer how the call stands.
        self.recent.forget(turn.call.id);
        match self.commit(&commit).await? {
            Committed::Applied | Committed::AlreadyYours => {
                note(&turn, event);
                self.tally.count(&turn, event);
                self.recent.keep(Loaded { call: turn.call.clone(), version: commit.version });
                self.outbox.notify_one();
                if let (Some(ends), Some(_)) = (self.ends.get(), turn.call.end) {
                    // Whoever listened may have stopped.
                    let _ = ends.send(turn.call.id);
                }
                Ok(Taken::Committed(Box::new(turn)))
            }
            Committed::Conflict => Ok(Taken::Lost),
        }
    }

    /// The flows that the call began with, or for a new call those of now.
    async fn edition(
        &self,
        call: Option<&Call>,
        event: &Event,
    ) -> Result<Arc<Edition>, ExchangeError> {
        match (call, event) {
            (Some(call), _) => {
                self.editions.of(&call.edition, &call.flow, self.store.as_ref()).await
            }
            (None, Event::Ring(ring)) => {
                let store = self.store.as_ref();
                self.editions.begin(&ring.flow, store, self.clock.now()).await
            }
            (None, _) => Err(ExchangeError::NoEdition),
        }
    }

    async fn step(
        &self,
        edition: &Edition,
        call: Option<&Call>,
        event: &Event,
        terms: Terms<'_>,
    ) -> Result<Option<Turn>, ExchangeError> {
        let setting = Setting {
            flows: &edition.flows,
            edition: &edition.hash,
            policy: &self.policy,
            fallback_number: terms.fallback_number,
            unenforced: self.unenforced.as_ref(),
        };
        let moment = Moment {
            now: self.clock.now(),
            turn: TurnId(chance::id(self.chance.as_ref())),
            seed: self.chance.bytes(),
        }
        .as_seen_by(call);
        let mut answers = Vec::new();
        loop {
            match step(setting, call, event, &moment, &answers) {
                None => return Ok(None),
                Some(Step::Turn(turn)) => return Ok(Some(*turn)),
                Some(Step::Ask(question)) => {
                    let call = call.map(|call| call.id).or(match event {
                        Event::Ring(ring) => Some(ring.call),
                        _ => None,
                    });
                    let call = call.ok_or(ExchangeError::NoEdition)?;
                    answers.push(self.answer(call, &question, moment.now, terms.until).await?);
                }
            }
        }
    }

    fn commit_of(&self, turn: &Turn, loaded: Option<&Loaded>, settled: &[EffectId]) -> Commit {
        let id = turn.call.id.to_string();
        let edition = &turn.call.edition;
        let seal = |kind, id: &str, plain: Vec<u8>| {
            self.vault.seal(kind, id, edition, &plain, self.seal_nonce())
        };
        let now = turn.entry.moment.now;
        // By the clock that the outbox goes by, which may have been set back.
        let due = now.min(self.clock.now());
        let effect = |(effect, body): &(EffectId, Effect)| NewEffect {
            id: *effect,
            due,
            body: self.seal_effect(*effect, body, turn.call.turns),
        };
        Commit {
            call: turn.call.id,
            expected: loaded.map(|loaded| loaded.version),
            version: Version { number: turn.call.turns, turn: turn.call.turn },
            state: seal(Kind::Call, &id, json(&turn.call)),
            expires_at: later(now, limits::CALL_RETENTION),
            deadline: turn.deadline,
            effects: turn.effects.iter().map(effect).collect(),
            settled: settled.to_vec(),
            entry: seal(Kind::Entry, &id, json(&turn.entry)),
        }
    }

    /// Commits; a store that did not answer is asked once more, for the same turn counts once.
    async fn commit(&self, commit: &Commit) -> Result<Committed, ExchangeError> {
        match self.store.commit(commit, self.clock.now()).await {
            Err(StoreError::Unavailable(_)) => {
                Ok(self.store.commit(commit, self.clock.now()).await?)
            }
            done => Ok(done?),
        }
    }

    /// A nonce for the vault, never used twice.
    pub fn seal_nonce(&self) -> [u8; 24] {
        self.chance.bytes().first_chunk().copied().unwrap_or_default()
    }
}

/// The end of a leg.
pub fn hangup() -> Reply {
    Reply { verbs: vec![Verb::Hangup] }
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    // Every key of these types is a text, and no number in them is beyond JSON: it cannot fail.
    serde_json::to_vec(value).unwrap_or_default()
}

/// A moment that lies this much later.
pub(crate) fn later(now: Timestamp, by: std::time::Duration) -> Timestamp {
    let by = jiff::SignedDuration::try_from(by).unwrap_or(jiff::SignedDuration::MAX);
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// One line a turn: what an operator may know.
fn note(turn: &Turn, event: &Event) {
    let state = &turn.call.at;
    tracing::info!(
        call.id = %turn.call.id,
        turn = turn.call.turns,
        event = event.name(),
        flow = %state.flow,
        state = %state.state,
        proved = ?turn.entry.proved,
        effects = turn.effects.len(),
        end = ?turn.call.end,
        "a turn was committed"
    );
    for remark in &turn.entry.remarks {
        tracing::warn!(call.id = %turn.call.id, ?remark, state = %state.state, "the flow cannot go on as written");
    }
}
