//! Random histories: the embedded store and Redis answer as the store in memory does.

use std::sync::Arc;

use callgate::engine::id::{CallId, EffectId, TurnId};
use callgate::store::{
    Claim, Claimed, Commit, DueWhat, Lease, NewEffect, Revision, Store, Version,
};
use jiff::SignedDuration;
use proptest::prelude::*;
use uuid::Uuid;

use super::{at, fresh_memory, fresh_redb, fresh_redis, record, write};

const CALLS: u128 = 3;
const LEASES: u128 = 3;
const RECORDS: u8 = 2;

#[derive(Clone, Debug)]
enum Op {
    Commit {
        call: u128,
        base: Base,
        turn: u8,
        deadline: Option<i64>,
        effects: Vec<i64>,
        settle: Option<usize>,
    },
    Claim {
        count_max: usize,
        lease: u128,
        seconds: i64,
    },
    Settle {
        known: usize,
        lease: u128,
    },
    PutOff {
        known: usize,
        lease: u128,
        seconds: i64,
    },
    Load(u128),
    Journal(u128),
    Calls(usize),
    Swap {
        record: u8,
        base: Base,
        value: u8,
    },
    Read(u8),
    Wait(i64),
}

/// What a commit or a swap believes to be written over.
#[derive(Clone, Copy, Debug)]
enum Base {
    Nothing,
    Current,
    Stale,
}

fn base() -> impl Strategy<Value = Base> {
    prop_oneof![1 => Just(Base::Nothing), 5 => Just(Base::Current), 1 => Just(Base::Stale)]
}

fn op() -> impl Strategy<Value = Op> {
    let commit = (
        0..CALLS,
        base(),
        0..8_u8,
        proptest::option::of(0..30_i64),
        proptest::collection::vec(0..30_i64, 0..3),
        proptest::option::of(0..8_usize),
    );
    prop_oneof![
        8 => commit.prop_map(|(call, base, turn, deadline, effects, settle)| {
            Op::Commit { call, base, turn, deadline, effects, settle }
        }),
        5 => (0..6_usize, 0..LEASES, 1..20_i64)
            .prop_map(|(count_max, lease, seconds)| Op::Claim { count_max, lease, seconds }),
        3 => (0..8_usize, 0..LEASES).prop_map(|(known, lease)| Op::Settle { known, lease }),
        3 => (0..8_usize, 0..LEASES, 0..20_i64)
            .prop_map(|(known, lease, seconds)| Op::PutOff { known, lease, seconds }),
        1 => (0..CALLS).prop_map(Op::Load),
        1 => (0..CALLS).prop_map(Op::Journal),
        1 => (0..5_usize).prop_map(Op::Calls),
        3 => (0..RECORDS, base(), any::<u8>())
            .prop_map(|(record, base, value)| Op::Swap { record, base, value }),
        1 => (0..RECORDS).prop_map(Op::Read),
        3 => (0..15_i64).prop_map(Op::Wait),
    ]
}

/// One run of a history over one store; every answer as text.
struct Run {
    store: Arc<dyn Store>,
    now: i64,
    known: Vec<(CallId, EffectId)>,
}

impl Run {
    async fn step(&mut self, op: &Op) -> String {
        let now = at(self.now);
        match op {
            Op::Commit { .. } => {
                let commit = self.commit(op).await;
                let verdict = self.store.commit(&commit, now).await.unwrap();
                let ids = commit.effects.iter().map(|effect| (commit.call, effect.id));
                self.known.extend(ids);
                format!("{verdict:?}")
            }
            Op::Claim { count_max, lease, seconds } => {
                let until = now + SignedDuration::from_secs(*seconds);
                let lease = Lease(Uuid::from_u128(*lease));
                let claim = Claim { now, lease, until, count_max: *count_max };
                format!("{:?}", self.store.claim(claim).await.unwrap())
            }
            Op::Settle { known, lease } => {
                let Some((call, id)) = self.known(*known) else { return String::new() };
                let lease = Lease(Uuid::from_u128(*lease));
                format!("{}", self.store.settle(Claimed { call, effect: id, lease }).await.unwrap())
            }
            Op::PutOff { known, lease, seconds } => {
                let Some((call, id)) = self.known(*known) else { return String::new() };
                let due = now + SignedDuration::from_secs(*seconds);
                let claimed = Claimed { call, effect: id, lease: Lease(Uuid::from_u128(*lease)) };
                let body = format!("off {seconds}").into_bytes();
                format!("{}", self.store.put_off(claimed, due, body).await.unwrap())
            }
            Op::Load(call) => format!("{:?}", self.store.load(id(*call)).await.unwrap()),
            Op::Journal(call) => format!("{:?}", self.store.journal(id(*call)).await.unwrap()),
            Op::Calls(count_max) => format!("{:?}", self.store.calls(*count_max).await.unwrap()),
            Op::Swap { record: name, base, value } => {
                let key = record(&format!("{name:02x}"));
                let current = self.store.read(&key).await.unwrap().map(|(revision, _)| revision);
                let expected = match base {
                    Base::Nothing => None,
                    Base::Current => current,
                    Base::Stale => Some(Revision(current.map_or(1, |Revision(n)| n - 1))),
                };
                let expires_at = at(500_000);
                let value = [*value];
                let swap = self.store.swap(write(&key, expected, &value), expires_at, now);
                format!("{}", swap.await.unwrap())
            }
            Op::Read(name) => {
                format!("{:?}", self.store.read(&record(&format!("{name:02x}"))).await.unwrap())
            }
            Op::Wait(seconds) => {
                self.now += seconds;
                self.store.sweep(at(self.now)).await.unwrap();
                String::new()
            }
        }
    }

    async fn commit(&self, op: &Op) -> Commit {
        let Op::Commit { call, base, turn, deadline, effects, settle } = op else { unreachable!() };
        let call = id(*call);
        let current = self.store.load(call).await.unwrap().map(|stored| stored.version);
        let expected = match base {
            Base::Nothing => None,
            Base::Current => current,
            Base::Stale => current.map(|version| Version { number: version.number - 1, ..version }),
        };
        // Few turn ids, so that some come again.
        let turn = TurnId(Uuid::from_u128(u128::from(*turn)));
        let number = expected.map_or(1, |version| version.number + 1);
        let later = |seconds: &i64| at(self.now + seconds);
        let effects = effects.iter().enumerate().map(|(index, seconds)| NewEffect {
            id: EffectId::of(call, turn, index),
            due: later(seconds),
            body: format!("body {number} {index}").into_bytes(),
        });
        let settled = settle.and_then(|known| self.known(known)).filter(|known| known.0 == call);
        Commit {
            call,
            expected,
            version: Version { number, turn },
            state: format!("state {number}").into_bytes(),
            expires_at: at(500_000),
            deadline: deadline.as_ref().map(later),
            effects: effects.collect(),
            settled: settled.into_iter().map(|(_, id)| id).collect(),
            entry: format!("entry {number} {turn:?}").into_bytes(),
        }
    }

    fn known(&self, index: usize) -> Option<(CallId, EffectId)> {
        self.known.get(index.checked_rem(self.known.len())?).copied()
    }
}

fn id(call: u128) -> CallId {
    CallId(Uuid::from_u128(call))
}

/// Everything that is left, read out at the end.
async fn remains(run: &mut Run) -> Vec<String> {
    let mut seen = Vec::new();
    for call in 0..CALLS {
        seen.push(run.step(&Op::Load(call)).await);
        seen.push(run.step(&Op::Journal(call)).await);
    }
    seen.push(run.step(&Op::Calls(9)).await);
    run.now += 10_000;
    let lease = Lease(Uuid::from_u128(9));
    let claim = Claim { now: at(run.now), lease, until: at(run.now + 1), count_max: 1_000 };
    let due = run.store.claim(claim).await.unwrap();
    let effects = due.iter().filter(|due| matches!(due.what, DueWhat::Effect { .. })).count();
    seen.push(format!("{effects} effects: {due:?}"));
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_store_answers_as_memory_does(ops in proptest::collection::vec(op(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let stores = [fresh_memory(), fresh_redb(), fresh_redis()];
            let mut runs = stores.each_ref().map(|fresh| Run {
                store: Arc::clone(&fresh.store),
                now: 0,
                known: Vec::new(),
            });
            for (place, op) in ops.iter().enumerate() {
                let [memory, redb, redis] = &mut runs;
                let model = memory.step(op).await;
                prop_assert_eq!(&redb.step(op).await, &model, "redb, step {}: {:?}", place, op);
                prop_assert_eq!(&redis.step(op).await, &model, "redis, step {}: {:?}", place, op);
            }
            let [memory, redb, redis] = &mut runs;
            let model = remains(memory).await;
            prop_assert_eq!(&remains(redb).await, &model);
            prop_assert_eq!(&remains(redis).await, &model);
            Ok(())
        })?;
    }
}
