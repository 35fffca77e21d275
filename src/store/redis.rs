//! The production store: Redis, shared by any number of servers.
//!
//! Every write is one Lua script over the keys of one partition (see [`keys`]), so it is atomic, in a cluster
//! too. Redis itself forgets: every key has a time to live, counted from the `now` that the caller gives. The
//! keys that a partition shares live twice as long as what was put on them last; names in them whose things are gone
//! are dropped when somebody comes across them.
//!
//! Half of the memory of a live call would go into keys, their expiries and the tables that find them. So a call
//! and its journal are one string, distant deadlines wait in lists, and what is counted of callers is stored
//! together.

mod address;
mod certificate;
mod claims;
mod form;
mod keys;
mod link;
mod outlook;
mod records;
mod rights;
mod told;

use std::fmt;

use ::redis::{Cmd, FromRedisValue, Pipeline, Script, Value, from_redis_value, pipe};
use async_trait::async_trait;
use futures_util::future::join_all;
use jiff::Timestamp;
use uuid::Uuid;

use self::address::Address;
use self::keys::{Member, Partition};
use self::link::{Again, Link, Question, Writes};
pub use self::rights::RIGHTS;
use self::told::unreadable;
use super::{
    Backlog, Claim, Claimed, Commit, Committed, Due, Held, OpenError, Options, RecordKey, Replicas,
    Revision, Store, StoreError, Stored, Swap, Version, at_us, due_us, now_us,
};
use crate::engine::id::{CallId, TurnId};
use crate::limits::{CALLS_PER_PARTITION_MAX, DEADLINES_WAIT_FOR};

/// The fields of a call that a much older callgate wrote: the number, the turn, the state.
type OlderCall = (Option<u64>, Option<String>, Option<Vec<u8>>);
/// And the fields of a record: the revision, the value.
type OlderRecord = (Option<u64>, Option<Vec<u8>>);

/// Room for the arguments of nearly every script, in number and in bytes.
const ARGUMENTS: usize = 24;
const ARGUMENTS_BYTES: usize = 2_048;

/// How long the key lives that is written only to wait for replicas: nobody reads it.
const HELD_MARK_MS: u32 = 60_000;

/// A store in Redis.
pub struct RedisStore {
    link: Link,
    replicas: Option<Replicas>,
    commit: Script,
    due: Script,
    claim: Script,
    settle: Script,
    put_off: Script,
    swap: Script,
    swap_small: Script,
    rights: Script,
}

/// Whether an address is one of Redis, of Sentinels or of a cluster.
pub(super) fn check_address(url: &str) -> Result<(), OpenError> {
    Address::parse(url, &Options::default()).map(drop)
}

impl RedisStore {
    /// [`Self::connect_with`] the default options.
    pub fn connect(url: &str) -> Result<Self, OpenError> {
        Self::connect_with(url, &Options::default())
    }

    /// A store at this address (its forms: see [`address`]). Redis need not be up yet: the first question
    /// connects, and every later one connects again where necessary. Must be called within a tokio runtime.
    pub fn connect_with(url: &str, options: &Options) -> Result<Self, OpenError> {
        Ok(Self {
            link: Link::new(url, options.clone())?,
            replicas: options.replicas,
            commit: Script::new(include_str!("lua/commit.lua")),
            due: Script::new(include_str!("lua/due.lua")),
            claim: Script::new(include_str!("lua/claim.lua")),
            settle: Script::new(include_str!("lua/settle.lua")),
            put_off: Script::new(include_str!("lua/put_off.lua")),
            swap: Script::new(include_str!("lua/swap.lua")),
            swap_small: Script::new(include_str!("lua/swap_small.lua")),
            rights: Script::new(rights::TRIES),
        })
    }

    async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        call: &Cmd,
        again: Again,
    ) -> Result<T, StoreError> {
        self.link.ask(Question::Script(script, call), again).await
    }

    async fn query<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, StoreError> {
        self.link.ask(Question::Pipeline(pipeline), Again::May).await
    }

    /// Runs a script that writes to a partition and, where replicas must confirm, waits for them: the script's
    /// answer, and whether enough replicas have it.
    async fn run_replicated<T: FromRedisValue>(
        &self,
        (script, call): (&Script, &Cmd),
        partition: Partition,
        again: Again,
    ) -> Result<(T, Result<(), StoreError>), StoreError> {
        match self.replicas {
            None => Ok((self.run(script, call, again).await?, Ok(()))),
            Some(replicas) => {
                self.replicated(Writes::Script(script, call), partition, replicas, again).await
            }
        }
    }

    async fn replicated<T: FromRedisValue>(
        &self,
        writes: Writes<'_>,
        partition: Partition,
        replicas: Replicas,
        again: Again,
    ) -> Result<(T, Result<(), StoreError>), StoreError> {
        let question = Question::Replicated(writes, partition.slot(), replicas);
        let (answer, have): (T, u32) = self.link.ask(question, again).await?;
        let told = || format!("{have} of {} replicas have it", replicas.count);
        let enough = (have >= replicas.count).then_some(());
        Ok((answer, enough.ok_or_else(|| StoreError::Unavailable(told()))))
    }

    /// The string that lies there, if there is one.
    async fn whole(&self, key: String) -> Result<Option<Vec<u8>>, StoreError> {
        let mut whole = pipe();
        whole.cmd("GET").arg(key);
        let (whole,) = self.query(&whole).await?;
        Ok(whole)
    }

    /// A call that an older callgate wrote: as a list or, still older, as a hash.
    async fn load_older(&self, call: CallId) -> Result<Option<Stored>, StoreError> {
        let mut first = pipe();
        first.cmd("LINDEX").arg(keys::call(call)).arg(0);
        match self.query(&first).await {
            Ok((None,)) => return Ok(None),
            Ok((Some(stored),)) => {
                return form::older(stored).map(Some).ok_or_else(unreadable);
            }
            Err(StoreError::Corrupt(_)) => {}
            Err(error) => return Err(error),
        }
        let mut fields = pipe();
        fields.cmd("HMGET").arg(keys::call(call)).arg(&["n", "t", "s"]);
        let (older,): (OlderCall,) = self.query(&fields).await?;
        let (Some(number), turn, state) = older else { return Ok(None) };
        let turn = turn.and_then(|turn| Uuid::try_parse(&turn).ok()).ok_or_else(unreadable)?;
        let version = Version { number, turn: TurnId(turn) };
        Ok(Some(Stored { version, state: state.ok_or_else(unreadable)? }))
    }

    /// What a list holds after its first so many elements.
    async fn entries(&self, key: String, after: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut entries = pipe();
        entries.cmd("LRANGE").arg(key).arg(after).arg(-1);
        let (entries,): (Vec<Vec<u8>>,) = self.query(&entries).await?;
        Ok(entries)
    }

    /// What waits to be claimed in these partitions.
    async fn backlog_of(
        &self,
        partitions: &[Partition],
        now: Timestamp,
    ) -> Result<Backlog, StoreError> {
        let mut heads = pipe();
        for partition in partitions {
            heads.cmd("ZCOUNT").arg(partition.due()).arg("-inf").arg(now_us(now));
            heads.cmd("ZRANGEBYSCORE").arg(partition.due()).arg("-inf").arg(now_us(now));
            heads.arg("WITHSCORES").arg("LIMIT").arg(0).arg(1);
        }
        let heads: Vec<Value> = self.query(&heads).await?;
        let mut backlog = Backlog::default();
        let mut oldest_us: Option<i64> = None;
        for pair in heads.chunks(2) {
            let [count, first] = pair else { return Err(unreadable()) };
            let count: u64 = from_redis_value(count.clone()).map_err(|_| unreadable())?;
            let first: Vec<(String, f64)> =
                from_redis_value(first.clone()).map_err(|_| unreadable())?;
            backlog.count = backlog.count.saturating_add(count);
            // Microseconds since 1970 are whole numbers that a double holds exactly.
            #[expect(clippy::cast_possible_truncation, reason = "see above")]
            let first_us = first.first().map(|(_, at)| *at as i64);
            oldest_us = oldest_us.into_iter().chain(first_us).min();
        }
        backlog.oldest = oldest_us.and_then(at_us);
        Ok(backlog)
    }

    /// The calls listed in all partitions, newest first; some may be gone.
    async fn listed(&self, count_max: usize) -> Result<Vec<CallId>, StoreError> {
        let mut newest = pipe();
        for partition in Partition::all() {
            newest.cmd("ZREVRANGE").arg(partition.calls()).arg(0);
            newest.arg(count_max.saturating_sub(1)).arg("WITHSCORES");
        }
        let newest: Vec<Vec<(String, f64)>> = self.query(&newest).await?;
        let mut listed: Vec<(String, f64)> = newest.into_iter().flatten().collect();
        listed.sort_by(|(a, at_a), (b, at_b)| at_b.total_cmp(at_a).then_with(|| b.cmp(a)));
        listed.iter().map(|(id, _)| CallId::parse(id).ok_or_else(unreadable)).collect()
    }

    /// Those of these calls that still exist; the others are taken off the lists.
    async fn standing(&self, calls: &[CallId]) -> Result<Vec<CallId>, StoreError> {
        let mut exist = pipe();
        for call in calls {
            exist.cmd("EXISTS").arg(keys::call(*call));
        }
        let exist: Vec<bool> = self.query(&exist).await?;
        let (standing, gone): (Vec<_>, Vec<_>) =
            calls.iter().zip(exist).partition(|(_, exists)| *exists);
        if !gone.is_empty() {
            let mut forget = pipe();
            for (call, _) in gone {
                forget.cmd("ZREM").arg(Partition::of(*call).calls()).arg(text(call.0));
            }
            self.query::<()>(forget.ignore()).await?;
        }
        Ok(standing.into_iter().map(|(call, _)| *call).collect())
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn load(&self, call: CallId) -> Result<Option<Stored>, StoreError> {
        match self.whole(keys::call(call)).await {
            Ok(None) => Ok(None),
            Ok(Some(whole)) => form::stored(whole).map(Some).ok_or_else(unreadable),
            Err(StoreError::Corrupt(_)) => self.load_older(call).await,
            Err(error) => Err(error),
        }
    }

    async fn commit(&self, commit: &Commit, now: Timestamp) -> Result<Committed, StoreError> {
        let partition = Partition::of(commit.call);
        let waits = commit.deadline.and_then(|deadline| waits_until(deadline, now));
        let mut keys = vec![partition.call(commit.call), partition.effects(commit.call)];
        keys.extend([partition.due(), partition.calls()]);
        keys.extend(waits.map(|until| partition.far(until)));
        let mut script = call_of(&self.commit, &keys);
        script.arg(commit.expected.map(form::version).unwrap_or_default());
        script.arg(form::version(commit.version));
        script.arg(commit.state.as_slice()).arg(ttl_ms(commit.expires_at, now)).arg(now_us(now));
        script.arg(commit.deadline.map_or(String::new(), |at| due_us(at).to_string()));
        script.arg(commit.entry.as_slice()).arg(text(commit.call.0)).arg(CALLS_PER_PARTITION_MAX);
        script.arg(commit.effects.len());
        script.arg(waits.map_or(String::new(), |until| until.to_string()));
        script.arg(commit.call.0.as_bytes().as_slice());
        for effect in &commit.effects {
            script.arg(text(effect.id.0)).arg(due_us(effect.due)).arg(effect.body.as_slice());
        }
        for settled in &commit.settled {
            script.arg(text(settled.0));
        }
        // If it is sent again, the answer may be `AlreadyYours`, which is as good.
        let (verdict, replicated): (String, _) =
            self.run_replicated((&self.commit, &script), partition, Again::May).await?;
        match verdict.as_str() {
            "applied" => replicated.map(|()| Committed::Applied),
            "yours" => replicated.map(|()| Committed::AlreadyYours),
            "conflict" => Ok(Committed::Conflict),
            _ => Err(unreadable()),
        }
    }

    async fn claim(&self, claim: Claim) -> Result<Vec<Due>, StoreError> {
        self.claim_due(claim).await
    }

    async fn settle(&self, claimed: Claimed) -> Result<bool, StoreError> {
        self.settle_all(&[claimed]).await.pop().unwrap_or_else(|| Err(unreadable()))
    }

    async fn settle_all(&self, claimed: &[Claimed]) -> Vec<Result<bool, StoreError>> {
        let settled = self.link.together(claimed).map(async |some| {
            let homes = some.iter().flat_map(|Claimed { call, .. }| {
                let partition = Partition::of(*call);
                [partition.effects(*call), partition.due()]
            });
            let mut call = call_of(&self.settle, &homes.collect::<Vec<_>>());
            for one in some {
                let member = Member::Effect(one.call, one.effect).to_string();
                call.arg(text(one.effect.0)).arg(member).arg(text(one.lease.0));
            }
            of_each(self.run(&self.settle, &call, Again::MustNot).await, some.len())
        });
        join_all(settled).await.into_iter().flatten().collect()
    }

    async fn put_off(
        &self,
        claimed: Claimed,
        due: Timestamp,
        body: Vec<u8>,
    ) -> Result<bool, StoreError> {
        let Claimed { call, effect, lease } = claimed;
        let keys = [keys::effects(call), Partition::of(call).due()];
        let mut script = call_of(&self.put_off, &keys);
        script.arg(text(effect.0)).arg(Member::Effect(call, effect).to_string());
        script.arg(text(lease.0)).arg(due_us(due)).arg(body);
        self.run(&self.put_off, &script, Again::MustNot).await
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError> {
        let partitions: Vec<Partition> = Partition::all().collect();
        match self.backlog_of(&partitions, now).await {
            // One partition holds something else where its due things should be: the others are still counted.
            Err(StoreError::Corrupt(_)) => {}
            told => return told,
        }
        let mut backlog = Backlog::default();
        for partition in partitions {
            match self.backlog_of(&[partition], now).await {
                Ok(one) => {
                    backlog.count = backlog.count.saturating_add(one.count);
                    backlog.oldest = backlog.oldest.into_iter().chain(one.oldest).min();
                }
                Err(StoreError::Corrupt(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(backlog)
    }

    async fn journal(&self, call: CallId) -> Result<Vec<Vec<u8>>, StoreError> {
        match self.whole(keys::call(call)).await {
            Ok(None) => return Ok(Vec::new()),
            Ok(Some(whole)) => return form::journal(&whole).ok_or_else(unreadable),
            Err(StoreError::Corrupt(_)) => {}
            Err(error) => return Err(error),
        }
        // An older callgate kept the journal after the state, or in a list of its own, which then exists.
        match self.entries(keys::call(call), 1).await {
            Err(StoreError::Corrupt(_)) => {
                let entries = self.entries(keys::journal(call), 0).await?;
                if entries.is_empty() { Err(unreadable()) } else { Ok(entries) }
            }
            entries => entries,
        }
    }

    async fn calls(&self, count_max: usize) -> Result<Vec<CallId>, StoreError> {
        if count_max == 0 {
            return Ok(Vec::new());
        }
        let at_once = count_max.min(CALLS_PER_PARTITION_MAX);
        let listed = self.listed(at_once).await?;
        let mut calls = Vec::new();
        for some in listed.chunks(at_once) {
            calls.extend(self.standing(some).await?);
            if calls.len() >= count_max {
                break;
            }
        }
        calls.truncate(count_max);
        Ok(calls)
    }

    async fn read(&self, key: &RecordKey) -> Result<Option<(Revision, Vec<u8>)>, StoreError> {
        self.record(key).await
    }

    async fn swap(
        &self,
        swap: Swap<'_>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.swap_all(&[swap], expires_at, now).await.pop().unwrap_or_else(|| Err(unreadable()))
    }

    async fn swap_all(
        &self,
        swaps: &[Swap<'_>],
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Vec<Result<bool, StoreError>> {
        // Single records are swapped by another script than records that are stored together.
        let alike =
            swaps.chunk_by(|one, next| one.key.is_one_of_many() == next.key.is_one_of_many());
        let swapped = alike
            .flat_map(|alike| self.link.together(alike))
            .map(async |some| of_each(self.swap_together(some, expires_at, now).await, some.len()));
        join_all(swapped).await.into_iter().flatten().collect()
    }

    async fn hold(&self, what: Held<'_>) -> Result<(), StoreError> {
        let Some(replicas) = self.replicas else { return Ok(()) };
        let partition = match what {
            Held::Call(call) => Partition::of(call),
            Held::Record(key) => Partition::of_record(key),
        };
        // Redis waits for replicas only up to the last write of this connection: so something is written.
        let mut mark = ::redis::cmd("SET");
        mark.arg(partition.held()).arg("").arg("PX").arg(HELD_MARK_MS);
        let (_, replicated): (Value, _) =
            self.replicated(Writes::Command(&mark), partition, replicas, Again::May).await?;
        replicated
    }

    async fn sweep(&self, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn outlook(&self, now: Timestamp) -> Result<Vec<String>, StoreError> {
        outlook::of(&self.link, now).await
    }

    async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        outlook::time(&self.link).await
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn rights(&self) -> Result<(), StoreError> {
        self.check_rights().await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let mut ping = pipe();
        ping.cmd("PING");
        let (_,): (String,) = self.query(&ping).await?;
        Ok(())
    }
}

/// A call of a script over these keys, to which its arguments are added.
fn call_of(script: &Script, keys: &[impl AsRef<str>]) -> Cmd {
    let keys_bytes = keys.iter().map(|key| key.as_ref().len()).sum::<usize>();
    let mut call = Cmd::with_capacity(keys.len() + ARGUMENTS, keys_bytes + ARGUMENTS_BYTES);
    call.arg("EVALSHA").arg(script.get_hash()).arg(keys.len());
    for key in keys {
        call.arg(key.as_ref());
    }
    call
}

/// The answers of a script that was asked about so many things at once, one for each.
fn of_each(answers: Result<Vec<bool>, StoreError>, count: usize) -> Vec<Result<bool, StoreError>> {
    match answers {
        Ok(answers) if answers.len() == count => answers.into_iter().map(Ok).collect(),
        Ok(_) => vec![Err(unreadable()); count],
        Err(error) => vec![Err(error); count],
    }
}

fn text(id: Uuid) -> String {
    id.as_hyphenated().to_string()
}

/// From when on this deadline must be among the due things, if that is still to come.
fn waits_until(deadline: Timestamp, now: Timestamp) -> Option<i64> {
    let wait_us = i64::try_from(DEADLINES_WAIT_FOR.as_micros()).unwrap_or(i64::MAX);
    let at = due_us(deadline);
    let since = at.saturating_sub(at.rem_euclid(wait_us));
    (since > now_us(now)).then_some(since)
}

/// Redis forgets at once what is given no time to live; so it gets a moment.
fn ttl_ms(expires_at: Timestamp, now: Timestamp) -> i64 {
    let us = due_us(expires_at).saturating_sub(now_us(now));
    us.saturating_add(999).div_euclid(1_000).max(1)
}
