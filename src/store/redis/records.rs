//! Records in Redis: each by itself, or, of those of which there are many, together with others.

use ::redis::pipe;
use jiff::Timestamp;

use super::super::{RecordKey, Revision, StoreError, due_us};
use super::link::{Again, unreadable};
use super::{OlderRecord, RedisStore, call_of, form, keys, ttl_ms};
use crate::limits::SMALL_RECORDS_TOGETHER_FOR;

/// A record to be written over what is expected there.
#[derive(Clone, Copy)]
pub(super) struct Swap<'a> {
    pub(super) key: &'a RecordKey,
    pub(super) expected: Option<Revision>,
    pub(super) value: &'a [u8],
}

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

    pub(super) async fn swap_one(
        &self,
        swap: Swap<'_>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if swap.key.is_one_of_many() {
            let won = self.swap_small(swap, expires_at, now).await?;
            if won {
                self.wait_for_replicas(&keys::record(swap.key)).await?;
            }
            return Ok(won);
        }
        let swapped = self.swap_together(&[swap], ttl_ms(expires_at, now)).await?;
        swapped.first().copied().ok_or_else(unreadable)
    }

    /// Swaps records that one script may touch together; says of each whether it was.
    pub(super) async fn swap_together(
        &self,
        swaps: &[Swap<'_>],
        ttl_ms: i64,
    ) -> Result<Vec<bool>, StoreError> {
        let keys: Vec<String> = swaps.iter().map(|swap| keys::record(swap.key)).collect();
        let mut call = call_of(&self.swap, &keys);
        call.arg(ttl_ms);
        for Swap { expected, value, .. } in swaps {
            let Revision(revision) = Revision::after(*expected);
            call.arg(expected.map_or(String::new(), |Revision(number)| number.to_string()));
            call.arg(revision).arg(*value);
        }
        let won: Vec<bool> = self.run(&self.swap, &call, Again::MustNot).await?;
        if let Some(key) = keys.first().filter(|_| won.contains(&true)) {
            self.wait_for_replicas(key).await?;
        }
        Ok(won)
    }

    /// A record that an older callgate left.
    async fn read_older(&self, key: &RecordKey) -> Result<Option<(Revision, Vec<u8>)>, StoreError> {
        let mut fields = pipe();
        fields.cmd("HMGET").arg(keys::record(key)).arg(&["r", "v"]);
        let (older,): (OlderRecord,) = self.query(&fields).await?;
        let (Some(revision), value) = older else { return Ok(None) };
        Ok(Some((Revision(revision), value.ok_or_else(unreadable)?)))
    }

    /// A small record, where it may lie: in the last place to run out, if in several.
    async fn read_small(&self, key: &RecordKey) -> Result<Option<(Revision, Vec<u8>)>, StoreError> {
        let mut small = pipe();
        for place in keys::small_places(key) {
            small.cmd("HGET").arg(place).arg(keys::small_name(key));
        }
        let kept: Vec<Option<Vec<u8>>> = self.query(&small).await?;
        let last = kept.into_iter().flatten().max_by_key(|kept| form::runs_out(kept));
        last.map(|kept| form::small(kept).ok_or_else(unreadable)).transpose()
    }

    async fn swap_small(
        &self,
        Swap { key, expected, value }: Swap<'_>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let together = SMALL_RECORDS_TOGETHER_FOR.as_secs();
        // By whole seconds: none runs out early.
        let runs_out = due_us(expires_at).saturating_add(999_999).div_euclid(1_000_000);
        let (second, now_s) = (u32::try_from(runs_out).unwrap_or(u32::MAX), now.as_second());
        let period = u64::from(second) / together;
        let mut places = keys::small_places(key);
        places.rotate_left(usize::try_from(period % keys::SMALL_PLACES).unwrap_or_default());
        let mut script = call_of(&self.swap_small, &places);
        let end = i64::try_from((period + 1).saturating_mul(together)).unwrap_or(i64::MAX);
        let Revision(revision) = Revision::after(expected);
        script.arg(keys::small_name(key));
        script.arg(expected.map_or(String::new(), |Revision(number)| number.to_string()));
        script.arg(second.to_be_bytes().as_slice()).arg(revision).arg(value);
        script.arg(end.saturating_sub(now_s).saturating_mul(1_000)).arg(now_s);
        self.run(&self.swap_small, &script, Again::MustNot).await
    }
}
