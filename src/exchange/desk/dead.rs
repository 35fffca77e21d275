//! Dead letters: effects that were given up, kept for an operator who may still do them.
//!
//! Each partition of calls has one record of them, sealed and bounded. A letter keeps what is to be done only
//! where that can still be useful: a code is useless once its call has been told, and nobody is rung late.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::unlock::By;
use crate::audit::{self, Deed, Letter};
use crate::engine::account::Whom;
use crate::engine::effect::Effect;
use crate::engine::id::{CallId, EffectId};
use crate::engine::turn::later;
use crate::exchange::watch::tally::{Dead, Why};
use crate::exchange::{Exchange, ExchangeError};
use crate::limits::{DEAD_LETTER_RETENTION, DEAD_LETTER_TRY_MAX, DEAD_LETTERS_MAX};
use crate::store::{PARTITIONS, RecordKey};

const RECORD: &str = "dead";

/// An effect that was given up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The call it belonged to.
    pub call: CallId,
    /// Its name, which is its idempotency key.
    pub effect: EffectId,
    /// What kind of effect.
    pub what: String,
    /// Why it was given up.
    pub why: Why,
    /// When.
    pub at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// What to do when it is tried again; `None`: it was given up for good.
    pub again: Option<Effect>,
    /// Until when somebody may be trying it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried_until: Option<Timestamp>,
}

impl DeadLetter {
    /// What the audit calls it.
    fn name(&self) -> Letter {
        Letter { call: self.call, effect: self.effect, what: self.what.clone() }
    }
}

/// What was found under an effect's name.
#[derive(Clone, Debug)]
pub enum Found {
    /// There is no such letter.
    Nothing,
    /// Somebody is trying it again now.
    Taken,
    /// It is no longer of use.
    Pointless,
    /// Here it is, and nobody else tries it until the time given.
    Ours(Box<DeadLetter>),
}

/// The letters of a partition, oldest first.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::exchange) struct Letters(Vec<DeadLetter>);

impl Letters {
    /// Forgets what is too old, and the oldest if there are too many.
    fn trim(&mut self, now: Timestamp) {
        self.0.retain(|letter| later(letter.at, DEAD_LETTER_RETENTION) > now);
        let beyond = self.0.len().saturating_sub(DEAD_LETTERS_MAX);
        self.0.drain(..beyond);
    }
}

impl Exchange {
    /// Keeps an effect that is given up; the same one again is one letter.
    pub async fn bury(&self, letter: DeadLetter) -> Result<(), ExchangeError> {
        let now = self.clock.now();
        let key = key(audit::chain_of_call(letter.call));
        let bury = |letters: &mut Letters| {
            letters.0.retain(|known| known.effect != letter.effect);
            letters.0.push(letter.clone());
            letters.trim(now);
        };
        self.change_record(&key, DEAD_LETTER_RETENTION, now, bury).await?;
        let DeadLetter { call, effect, what, why, .. } = letter;
        tracing::error!(call.id = %call, effect.id = %effect, what, why = why.as_str(), "an effect was given up on and is kept as a dead letter");
        self.tally.dead_letters.get_or_create(&Dead { effect: what, why }).inc();
        Ok(())
    }

    /// All dead letters, the newest first.
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, ExchangeError> {
        let now = self.clock.now();
        let mut all = Vec::new();
        for partition in 0..PARTITIONS {
            let mut letters: Letters = self.opened(&key(partition)).await?.unwrap_or_default();
            letters.trim(now);
            all.append(&mut letters.0);
        }
        all.sort_by_key(|letter| std::cmp::Reverse((letter.at, letter.effect)));
        Ok(all)
    }

    /// Takes a letter in hand to try it again, after auditing that. It stays in its place meanwhile, so that it
    /// is not lost together with whoever tries it.
    pub async fn take_in_hand(&self, effect: EffectId, by: By<'_>) -> Result<Found, ExchangeError> {
        let now = self.clock.now();
        let take = |letters: &mut Letters| {
            let Some(letter) = letters.0.iter_mut().find(|known| known.effect == effect) else {
                return Found::Nothing;
            };
            if letter.again.is_none() {
                return Found::Pointless;
            }
            if letter.tried_until.is_some_and(|until| until > now) {
                return Found::Taken;
            }
            let found = Found::Ours(Box::new(letter.clone()));
            letter.tried_until = Some(later(now, DEAD_LETTER_TRY_MAX));
            found
        };
        let found = self.change_letters_with(effect, take).await?.unwrap_or(Found::Nothing);
        if let Found::Ours(letter) = &found {
            tracing::info!(target: "callgate::audit", %by, call.id = %letter.call, effect.id = %effect, "a dead letter is tried again");
            let (whom, letter) = (Whom::Call(letter.call), letter.name());
            let by = by.to_string();
            self.audit_outside(&whom, Deed::LetterRetried { letter, by }).await?;
        }
        Ok(found)
    }

    /// Lays a letter back that was tried in vain; one that was dropped meanwhile stays dropped.
    pub async fn lay_back(&self, effect: EffectId, why: Why) -> Result<(), ExchangeError> {
        let now = self.clock.now();
        let lay_back = |letters: &mut Letters| {
            let tried = letters.0.iter_mut().filter(|known| known.effect == effect);
            for letter in tried {
                letter.why = why;
                letter.at = now;
                letter.attempts = letter.attempts.saturating_add(1);
                letter.tried_until = None;
            }
        };
        self.change_letters_with(effect, lay_back).await.map(drop)
    }

    /// Forgets a letter because its effect is done; `false`: there is none.
    pub async fn lay_to_rest(&self, effect: EffectId) -> Result<bool, ExchangeError> {
        let forget = |letters: &mut Letters| {
            let before = letters.0.len();
            letters.0.retain(|known| known.effect != effect);
            letters.0.len() < before
        };
        Ok(self.change_letters_with(effect, forget).await?.unwrap_or(false))
    }

    /// Forgets a letter because an operator does not want it done; `false`: there is none.
    pub async fn drop_letter(&self, effect: EffectId, by: By<'_>) -> Result<bool, ExchangeError> {
        let drop = |letters: &mut Letters| {
            let index = letters.0.iter().position(|known| known.effect == effect)?;
            Some(letters.0.remove(index))
        };
        let Some(letter) = self.change_letters_with(effect, drop).await?.flatten() else {
            return Ok(false);
        };
        tracing::info!(target: "callgate::audit", %by, call.id = %letter.call, effect.id = %effect, "a dead letter was dropped");
        let (whom, letter) = (Whom::Call(letter.call), letter.name());
        self.audit_outside(&whom, Deed::LetterDropped { letter, by: by.to_string() }).await?;
        Ok(true)
    }

    /// Changes the letters of the partition that has one for this effect; `None`: there is none.
    async fn change_letters_with<R>(
        &self,
        effect: EffectId,
        change: impl Fn(&mut Letters) -> R,
    ) -> Result<Option<R>, ExchangeError> {
        for partition in 0..PARTITIONS {
            let key = key(partition);
            let letters: Option<Letters> = self.opened(&key).await?;
            let has_it = |letters: Letters| letters.0.iter().any(|known| known.effect == effect);
            if letters.is_some_and(has_it) {
                let now = self.clock.now();
                let changed = self.change_record(&key, DEAD_LETTER_RETENTION, now, change).await;
                return changed.map(Some);
            }
        }
        Ok(None)
    }
}

fn key(partition: u64) -> RecordKey {
    RecordKey { kind: RECORD, id: format!("{partition:02x}") }
}
