//! Records in Redis: each by itself or, where there are many of a kind, several together.

use ::redis::{Cmd, pipe};
use jiff::Timestamp;

use super::super::{RecordKey, Revision, StoreError, Swap, due_us};
use super::keys::Partition;
use super::link::Again;
use super::told::unreadable;
use super::{OlderRecord, RedisStore, call_of, form, keys, ttl_ms};
use crate::limits::SMALL_RECORDS_TOGETHER_FOR;

impl RedisStore {
    pub(super) async fn record(
        &self,
        key: &RecordKey,
    ) -> Result<Option<(Revision, Vec<u8>)>, StoreError> {
        if key.is_one_of_many() {
            return self.read_small(key).await;
        }
        match self.whole(keys::record(key)).await {
            Ok(None) => Ok(None),
            Ok(Some(record)) => form::record(record).map(Some).ok_or_else(unreadable),
            Err(StoreError::Corrupt(_)) => self.read_older(key).await,
            Err(error) => Err(error),
        }
    }

    /// Swaps records that one script may touch together; says of each whether it was swapped.
    pub(super) async fn swap_together(
        &self,
        swaps: &[Swap<'_>],
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<bool>, StoreError> {
        let Some(first) = swaps.first() else { return Ok(Vec::new()) };
        let (script, call) = if first.key.is_one_of_many() {
            (&self.swap_small, self.call_of_small(swaps, expires_at, now))
        } else {
            (&self.swap, self.call_of_whole(swaps, ttl_ms(expires_at, now)))
        };
        let partition = Partition::of_record(first.key);
        let (won, replicated): (Vec<bool>, _) =
            self.run_replicated((script, &call), partition, Again::MustNot).await?;
        if won.contains(&true) {
            replicated?;
        }
        Ok(won)
    }

    fn call_of_whole(&self, swaps: &[Swap<'_>], ttl_ms: i64) -> Cmd {
        let keys: Vec<String> = swaps.iter().map(|swap| keys::record(swap.key)).collect();
        let mut call = call_of(&self.swap, &keys);
        call.arg(ttl_ms);
        for Swap { expected, value, .. } in swaps {
            let Revision(revision) = Revision::after(*expected);
            call.arg(digits_of(*expected)).arg(revision).arg(*value);
        }
        call
    }

    fn call_of_small(&self, swaps: &[Swap<'_>], expires_at: Timestamp, now: Timestamp) -> Cmd {
        let together = SMALL_RECORDS_TOGETHER_FOR.as_secs();
        // In whole seconds, rounded up: none expires early.
        let runs_out = due_us(expires_at).saturating_add(999_999).div_euclid(1_000_000);
        let (second, now_s) = (u32::try_from(runs_out).unwrap_or(u32::MAX), now.as_second());
        let period = u64::from(second) / together;
        let first = usize::try_from(period % keys::SMALL_PLACES).unwrap_or_default();
        let places = swaps.iter().flat_map(|swap| {
            let mut places = keys::small_places(swap.key);
            places.rotate_left(first);
            places
        });
        let mut call = call_of(&self.swap_small, &places.collect::<Vec<_>>());
        let end = i64::try_from((period + 1).saturating_mul(together)).unwrap_or(i64::MAX);
        call.arg(now_s).arg(second.to_be_bytes().as_slice());
        call.arg(end.saturating_sub(now_s).saturating_mul(1_000));
        for Swap { key, expected, value } in swaps {
            let Revision(revision) = Revision::after(*expected);
            call.arg(keys::small_name(key)).arg(digits_of(*expected)).arg(revision).arg(*value);
        }
        call
    }

    /// A record that an older callgate wrote.
    async fn read_older(&self, key: &RecordKey) -> Result<Option<(Revision, Vec<u8>)>, StoreError> {
        let mut fields = pipe();
        fields.cmd("HMGET").arg(keys::record(key)).arg(&["r", "v"]);
        let (older,): (OlderRecord,) = self.query(&fields).await?;
        let (Some(revision), value) = older else { return Ok(None) };
        Ok(Some((Revision(revision), value.ok_or_else(unreadable)?)))
    }

    /// A small record, wherever it may be; if in several places, the one that expires last.
    async fn read_small(&self, key: &RecordKey) -> Result<Option<(Revision, Vec<u8>)>, StoreError> {
        let mut small = pipe();
        for place in keys::small_places(key) {
            small.cmd("HGET").arg(place).arg(keys::small_name(key));
        }
        let kept: Vec<Option<Vec<u8>>> = self.query(&small).await?;
        let last = kept.into_iter().flatten().max_by_key(|kept| form::runs_out(kept));
        last.map(|kept| form::small(kept).ok_or_else(unreadable)).transpose()
    }
}

/// A revision as scripts compare it: nothing where there is none.
fn digits_of(revision: Option<Revision>) -> String {
    revision.map_or_else(String::new, |Revision(number)| number.to_string())
}
