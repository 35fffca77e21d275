//! Dead letters: effects that were given up on, kept for an operator who may do them after all.
//!
//! A call's partition has one record of them, sealed and bounded. A letter keeps what is to be done only
//! where that can still make sense: a code is of no use once its call has been told, and nobody is rung
//! late.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::tally::{Dead, Why};
use super::{Exchange, ExchangeError, later};
use crate::audit;
use crate::engine::effect::Effect;
use crate::engine::id::{CallId, EffectId};
use crate::limits::{DEAD_LETTER_RETENTION, DEAD_LETTERS_MAX};
use crate::store::{PARTITIONS, RecordKey};

const RECORD: &str = "dead";

/// An effect given up on.
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
    /// What to do when it is tried again; `None`: it came to nothing for good.
    pub again: Option<Effect>,
}

/// The letters of a partition, oldest first.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
struct Letters(Vec<DeadLetter>);

impl Letters {
    /// Forgets what is too old, and of too many the oldest.
    fn trim(&mut self, now: Timestamp) {
        self.0.retain(|letter| later(letter.at, DEAD_LETTER_RETENTION) > now);
        let beyond = self.0.len().saturating_sub(DEAD_LETTERS_MAX);
        self.0.drain(..beyond);
    }
}

impl Exchange {
    /// Keeps an effect that is given up on; the same one again is one letter.
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

    /// Takes a letter out, and hands it to whoever was first to take it.
    pub async fn exhume(&self, effect: EffectId) -> Result<Option<DeadLetter>, ExchangeError> {
        let now = self.clock.now();
        for partition in 0..PARTITIONS {
            let key = key(partition);
            let letters: Option<Letters> = self.opened(&key).await?;
            let known = |letters: Letters| letters.0.iter().any(|known| known.effect == effect);
            if !letters.is_some_and(known) {
                continue;
            }
            let take = |letters: &mut Letters| {
                let at = letters.0.iter().position(|known| known.effect == effect)?;
                Some(letters.0.remove(at))
            };
            return self.change_record(&key, DEAD_LETTER_RETENTION, now, take).await;
        }
        Ok(None)
    }
}

fn key(partition: u64) -> RecordKey {
    RecordKey { kind: RECORD, id: format!("{partition:02x}") }
}
