//! Takes turns: loads a call, steps it, answers what the machine asks, commits; and if the race for the call is
//! lost, starts again from what won.

use std::sync::Arc;

use tokio::time::Instant;

use super::edition::Edition;
use super::posted::Posted;
use crate::audit::Entry;
use crate::chance;
use crate::engine::audit;
use crate::engine::call::{Call, End};
use crate::engine::effect::Effect;
use crate::engine::event::Event;
use crate::engine::id::{CallId, EffectId, TurnId};
use crate::engine::reply::Reply;
use crate::engine::turn::{Moment, Step, Turn, later};
use crate::engine::{Setting, step};
use crate::exchange::watch::tally;
use crate::exchange::watch::versions::Version as FlowVersion;
use crate::exchange::{Exchange, ExchangeError, Loaded};
use crate::limits;
use crate::store::envelope::Kind;
use crate::store::{Commit, Committed, Held, NewEffect, StoreError, Version};

/// The effect about which something was learnt; the commit settles it.
#[derive(Clone, Copy, Debug)]
pub struct Settles {
    /// The effect.
    pub effect: EffectId,
    /// The number of the turn that posted it.
    pub turn: u64,
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

/// What an event means to the call as it stands: what is to be done.
pub(super) enum Meaning {
    Step(Event),
    Answer(Arc<Reply>, Served),
    Unknown,
    Nothing,
    /// The copy of the call is older than the event: it does not tell.
    Older,
}

/// What a turn is taken with, beside the event.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    /// The effects that it settles.
    settled: &'a [EffectId],
    /// Who takes callers whom the flow cannot serve.
    fallback_number: Option<&'a str>,
    /// By when others must have answered.
    until: Instant,
}

/// What was done.
pub(super) enum Done {
    Turn(Taken),
    Answer(Arc<Reply>, Served),
    Unknown,
    Nothing,
}

/// A turn that was committed.
pub(super) struct Taken {
    /// The call as it left it.
    pub(super) after: Arc<Loaded>,
    pub(super) reply: Arc<Reply>,
    pub(super) discreet: bool,
}

/// What became of a turn.
enum Became {
    Taken(Taken),
    /// The event means nothing to the call.
    Nothing,
    /// Another turn was quicker.
    Lost,
}

impl Exchange {
    /// Tells a call of something that needs no answer; if it is about an effect, the same commit settles that.
    /// Returns the call as it then stands; `Ok(None)`: it meant nothing to the call, and nothing was committed.
    pub async fn tell(
        &self,
        call: CallId,
        settles: Option<Settles>,
        event: impl Fn(&Call) -> Option<Event>,
    ) -> Result<Option<Arc<Loaded>>, ExchangeError> {
        let since = settles.map(|settles| settles.turn);
        let meaning = |call: Option<&Call>| {
            // An effect exists only together with its call.
            if call.map(|call| call.turns) < since {
                return Meaning::Older;
            }
            call.and_then(&event).map_or(Meaning::Nothing, Meaning::Step)
        };
        let settled = settles.as_ref().map(|settles| settles.effect);
        Ok(match self.turn(call, settled.as_slice(), None, meaning).await? {
            Done::Turn(Taken { after, .. }) => Some(after),
            _ => None,
        })
    }

    pub(super) async fn turn(
        &self,
        id: CallId,
        settled: &[EffectId],
        fallback_number: Option<&str>,
        meaning: impl Fn(Option<&Call>) -> Meaning,
    ) -> Result<Done, ExchangeError> {
        let until = Instant::now() + limits::ASKED_PER_TURN;
        let done = self.done(id, Terms { settled, fallback_number, until }, meaning).await?;
        // What was only read may come from a turn that was refused a moment ago because no replica had it.
        if matches!(done, Done::Answer(..) | Done::Nothing) {
            self.store.hold(Held::Call(id)).await?;
        }
        Ok(done)
    }

    async fn done(
        &self,
        id: CallId,
        terms: Terms<'_>,
        meaning: impl Fn(Option<&Call>) -> Meaning,
    ) -> Result<Done, ExchangeError> {
        if let Some(taken) = self.guess(id, terms, &meaning).await? {
            return Ok(Done::Turn(taken));
        }
        let mut older = false;
        for _ in 0..limits::COMMIT_TRIES_MAX {
            let loaded = self.load(id).await?;
            let event = match meaning(loaded.as_ref().map(|loaded| &loaded.call)) {
                Meaning::Step(event) => event,
                Meaning::Answer(reply, served) => return Ok(Done::Answer(reply, served)),
                Meaning::Unknown => return Ok(Done::Unknown),
                Meaning::Nothing => return Ok(Done::Nothing),
                Meaning::Older => {
                    older = true;
                    continue;
                }
            };
            match self.take(loaded.as_ref(), &event, terms).await? {
                Became::Taken(taken) => return Ok(Done::Turn(taken)),
                Became::Nothing => return Ok(Done::Nothing),
                Became::Lost => tracing::debug!(call.id = %id, "a race for the call was lost"),
            }
        }
        Err(if older { ExchangeError::Stale } else { ExchangeError::Contended })
    }

    /// Takes a turn from the copy at hand (or for a new call) without loading anything; `None`: the copy does not
    /// tell, or is out of date.
    async fn guess(
        &self,
        id: CallId,
        terms: Terms<'_>,
        meaning: &impl Fn(Option<&Call>) -> Meaning,
    ) -> Result<Option<Taken>, ExchangeError> {
        let copy = self.recent.of(id);
        let Meaning::Step(event) = meaning(copy.as_ref().map(|copy| &copy.call)) else {
            return Ok(None);
        };
        match self.take(copy.as_deref(), &event, terms).await? {
            Became::Taken(taken) => Ok(Some(taken)),
            Became::Nothing | Became::Lost => Ok(None),
        }
    }

    /// Computes a turn of the call as it was loaded, and commits it.
    async fn take(
        &self,
        loaded: Option<&Loaded>,
        event: &Event,
        terms: Terms<'_>,
    ) -> Result<Became, ExchangeError> {
        let call = loaded.map(|loaded| &loaded.call);
        let edition = self.edition(call, event).await?;
        let Some(mut turn) = self.step(&edition, call, event, terms).await? else {
            return Ok(Became::Nothing);
        };
        self.chain(&mut turn);
        let commit = self.commit_of(&turn, loaded, terms.settled);
        // Whatever happens, our copy no longer says how the call stands.
        self.recent.forget(turn.call.id);
        match self.commit(&commit).await? {
            Committed::Applied | Committed::AlreadyYours => {
                note(&turn, event);
                let is_current = |version: &FlowVersion| self.editions.is_current(version);
                self.tally.count(&turn, event, is_current);
                self.events.tell(&turn, event);
                if turn.effects.iter().any(|(_, effect)| effect.is_urgent()) {
                    self.outbox.notify_one();
                }
                if let (Some(ends), Some(_)) = (self.ends.get(), turn.call.end) {
                    // Whoever listened may have stopped.
                    let _ = ends.send(turn.call.id);
                }
                let Turn { call, reply, discreet, entry, .. } = turn;
                let after = Arc::new(loaded_after(call, &entry.audit, loaded));
                self.recent.keep(&after);
                Ok(Became::Taken(Taken { after, reply, discreet }))
            }
            Committed::Conflict => Ok(Became::Lost),
        }
    }

    /// The flows that the call began with or, for a new call, the present ones.
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
            seed: half_of(self.chance.bytes()),
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
        let now = turn.entry.moment.now;
        // By the clock that the outbox uses, which may have been set back.
        let due = now.min(self.clock.now());
        let effect = |(effect, body): &(EffectId, Effect)| NewEffect {
            id: *effect,
            due,
            body: self.seal_effect(*effect, &Posted::now(body, &turn.call.line, turn.call.turns)),
        };
        Commit {
            call: turn.call.id,
            expected: loaded.map(|loaded| loaded.version),
            version: Version { number: turn.call.turns, turn: turn.call.turn },
            state: self.vault.seal(Kind::Call, &id, &turn.call, self.seal_nonce()),
            expires_at: later(now, limits::CALL_RETENTION),
            deadline: turn.deadline,
            effects: turn.effects.iter().map(effect).collect(),
            settled: settled.to_vec(),
            entry: self.vault.seal(Kind::Entry, &id, &turn.entry, self.seal_nonce()),
        }
    }

    /// Commits; a store that did not answer is asked once more, because the same turn counts once.
    async fn commit(&self, commit: &Commit) -> Result<Committed, ExchangeError> {
        match self.store.commit(commit, self.clock.now()).await {
            Err(StoreError::Unavailable(_)) => {
                Ok(self.store.commit(commit, self.clock.now()).await?)
            }
            done => Ok(done?),
        }
    }
}

/// The call as a turn leaves it, with its audit if that of the turns before is known.
fn loaded_after(call: Call, noted: &[Entry], before: Option<&Loaded>) -> Loaded {
    let before = before.map_or(Some(&[][..]), |before| before.audit.as_deref());
    let audit = before.map(|before| [before, noted].concat());
    let audit = audit.filter(|audit| audit.len() <= limits::AUDIT_ENTRIES_AT_HAND);
    let version = Version { number: call.turns, turn: call.turn };
    Loaded { call, version, audit }
}

/// As much randomness as a nonce needs: more would be stored with every turn for nothing.
fn half_of(random: [u8; 32]) -> [u8; 32] {
    let mut half = [0; 32];
    half.iter_mut().zip(random).take(16).for_each(|(to, from)| *to = from);
    half
}

/// One line for each turn: what an operator may know.
fn note(turn: &Turn, event: &Event) {
    let state = &turn.call.at;
    let judged = turn.noted.iter().filter_map(|noted| match &noted.deed {
        audit::Deed::Attempt { factor, verdict } => Some(format!("{factor} {}", verdict.as_str())),
        _ => None,
    });
    let judged: Vec<_> = judged.collect();
    let proved: Vec<_> = turn.entry.proved.iter().map(|fact| fact.as_str()).collect();
    tracing::info!(
        call.id = %turn.call.id,
        turn = turn.call.turns,
        event = event.name(),
        flow = state.flow.as_str(),
        state = state.state.as_str(),
        judged = (!judged.is_empty()).then(|| debug(&judged)),
        unusable = tally::unusable(turn, event).map(debug),
        proved = (!proved.is_empty()).then(|| debug(&proved)),
        effects = turn.effects.len(),
        end = turn.call.end.map(End::as_str),
        "a turn was committed"
    );
    for remark in &turn.entry.remarks {
        let what = remark.means();
        tracing::warn!(call.id = %turn.call.id, ?remark, state = %state.state, "{what}");
    }
}
