//! What every store promises of calls, their effects and deadlines, one sentence a test.

use std::collections::HashSet;

use callgate::store::{Backlog, Claim, Claimed, Commit, Committed, DueWhat, NewEffect, Revision};
use futures_util::future::join_all;
use jiff::SignedDuration;

use super::{
    Fresh, after, at, claim, effect, first, fresh_call, fresh_cluster, fresh_lease, fresh_memory,
    fresh_redb, fresh_redis, record, write,
};
use crate::support::eventually::eventually_async;

/// Runs each of these functions over each of the stores.
macro_rules! held_by_all {
    ($($name:ident),* $(,)?) => {
        mod memory { $( #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(super::fresh_memory()).await; } )* }
        mod redb { $( #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(super::fresh_redb()).await; } )* }
        mod redis { $( #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(super::fresh_redis()).await; } )* }
        mod cluster { $( #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(super::fresh_cluster().await).await; } )* }
    };
}
pub(super) use held_by_all;

held_by_all! {
    a_call_is_created_once,
    a_commit_needs_the_number_and_the_turn_it_was_computed_from,
    the_same_turn_again_is_already_yours,
    a_later_version_makes_an_old_turn_a_conflict,
    of_racing_turns_one_wins,
    a_conflict_writes_nothing,
    each_due_thing_goes_to_one_claimant,
    what_is_due_first_is_claimed_first,
    much_that_lies_together_is_claimed_in_its_order,
    nothing_is_claimed_early,
    when_a_lease_ends_it_is_due_again,
    settling_needs_the_lease,
    of_many_settled_at_once_each_needs_its_lease,
    putting_off_needs_the_lease,
    a_turn_settles_an_effect_whoever_holds_its_lease,
    a_deadline_is_replaced_or_removed,
    a_far_deadline_comes_in_its_time,
    an_effect_written_again_is_one_effect,
    a_backlog_is_what_is_due_and_not_claimed,
    a_journal_is_in_order,
    calls_are_listed_newest_first,
    an_expired_call_is_forgotten_with_all_that_is_its,
    a_later_expiry_keeps_earlier_effects,
    any_bytes_are_kept,
    it_answers_a_ping,
}

async fn a_call_is_created_once(Fresh { store, .. }: Fresh) {
    let one = first(fresh_call());
    let other = first(one.call);
    assert_eq!(store.load(one.call).await.unwrap(), None);
    assert_eq!(store.commit(&one, at(0)).await.unwrap(), Committed::Applied);
    assert_eq!(store.commit(&other, at(0)).await.unwrap(), Committed::Conflict);
    let stored = store.load(one.call).await.unwrap().unwrap();
    assert_eq!((stored.version, stored.state), (one.version, one.state));
}

async fn a_commit_needs_the_number_and_the_turn_it_was_computed_from(Fresh { store, .. }: Fresh) {
    let one = first(fresh_call());
    store.commit(&one, at(0)).await.unwrap();

    let mut other_turn = after(&one);
    other_turn.expected.as_mut().unwrap().turn = after(&one).version.turn;
    assert_eq!(store.commit(&other_turn, at(1)).await.unwrap(), Committed::Conflict);
    let mut other_number = after(&one);
    other_number.expected.as_mut().unwrap().number = 2;
    assert_eq!(store.commit(&other_number, at(1)).await.unwrap(), Committed::Conflict);
    let of_no_call = after(&first(fresh_call()));
    assert_eq!(store.commit(&of_no_call, at(1)).await.unwrap(), Committed::Conflict);
    assert_eq!(store.load(of_no_call.call).await.unwrap(), None);

    let good = after(&one);
    assert_eq!(store.commit(&good, at(1)).await.unwrap(), Committed::Applied);
    assert_eq!(store.load(one.call).await.unwrap().unwrap().version, good.version);
}

async fn the_same_turn_again_is_already_yours(Fresh { store, .. }: Fresh) {
    let mut one = first(fresh_call());
    one.effects = vec![effect(&one, 0, at(0))];
    one.deadline = Some(at(50));
    store.commit(&one, at(0)).await.unwrap();
    let due = store.claim(claim(at(0))).await.unwrap();
    assert_eq!(due.len(), 1);

    // Whatever it now says, it changes nothing, not even the lease.
    one.state = b"another".to_vec();
    one.deadline = Some(at(1));
    assert_eq!(store.commit(&one, at(1)).await.unwrap(), Committed::AlreadyYours);
    assert_eq!(store.load(one.call).await.unwrap().unwrap().state, b"state 1");
    assert_eq!(store.journal(one.call).await.unwrap(), [b"entry 1"]);
    assert!(store.claim(claim(at(2))).await.unwrap().is_empty());

    let two = after(&one);
    store.commit(&two, at(2)).await.unwrap();
    assert_eq!(store.commit(&two, at(3)).await.unwrap(), Committed::AlreadyYours);
}

async fn a_later_version_makes_an_old_turn_a_conflict(Fresh { store, .. }: Fresh) {
    let one = first(fresh_call());
    let two = after(&one);
    store.commit(&one, at(0)).await.unwrap();
    store.commit(&two, at(1)).await.unwrap();
    store.commit(&after(&two), at(2)).await.unwrap();
    assert_eq!(store.commit(&one, at(3)).await.unwrap(), Committed::Conflict);
    assert_eq!(store.commit(&two, at(3)).await.unwrap(), Committed::Conflict);
    assert_eq!(store.load(one.call).await.unwrap().unwrap().version.number, 3);
}

async fn of_racing_turns_one_wins(Fresh { store, .. }: Fresh) {
    let one = first(fresh_call());
    store.commit(&one, at(0)).await.unwrap();
    let turns: Vec<_> = (0..40).map(|_| after(&one)).collect();
    let verdicts = join_all(turns.iter().map(|turn| store.commit(turn, at(1)))).await;
    let verdicts: Vec<_> = verdicts.into_iter().map(Result::unwrap).collect();
    let winners = verdicts.iter().filter(|&&verdict| verdict == Committed::Applied).count();
    assert_eq!(winners, 1, "{verdicts:?}");
    let winner = verdicts.iter().position(|&verdict| verdict == Committed::Applied).unwrap();
    let stored = store.load(one.call).await.unwrap().unwrap();
    assert_eq!(stored.version, turns[winner].version);
    assert_eq!(store.journal(one.call).await.unwrap().len(), 2);
}

async fn a_conflict_writes_nothing(Fresh { store, .. }: Fresh) {
    let mut one = first(fresh_call());
    one.effects = vec![effect(&one, 0, at(5))];
    one.deadline = Some(at(6));
    store.commit(&one, at(0)).await.unwrap();
    let two = after(&one);

    let mut lost = after(&two);
    lost.effects = vec![effect(&lost, 0, at(1))];
    lost.settled = vec![one.effects[0].id];
    lost.deadline = Some(at(1));
    assert_eq!(store.commit(&lost, at(1)).await.unwrap(), Committed::Conflict);

    assert_eq!(store.load(one.call).await.unwrap().unwrap().state, b"state 1");
    assert_eq!(store.journal(one.call).await.unwrap(), [b"entry 1"]);
    assert!(store.claim(claim(at(4))).await.unwrap().is_empty());
    let due = store.claim(claim(at(6))).await.unwrap();
    let whats: Vec<_> = due.into_iter().map(|due| due.what).collect();
    let body = b"body 0".to_vec();
    let id = one.effects[0].id;
    assert_eq!(whats, [DueWhat::Effect { id, body, attempt: 1 }, DueWhat::Deadline]);
}

async fn each_due_thing_goes_to_one_claimant(Fresh { store, .. }: Fresh) {
    let mut expected = HashSet::new();
    for _ in 0..15 {
        let mut commit = first(fresh_call());
        commit.effects = (0..3).map(|index| effect(&commit, index, at(0))).collect();
        commit.deadline = Some(at(0));
        store.commit(&commit, at(0)).await.unwrap();
        expected.insert((commit.call, None));
        expected.extend(commit.effects.iter().map(|effect| (commit.call, Some(effect.id))));
    }

    let claimants = (0..12).map(async |_| {
        let mut mine = Vec::new();
        let lease = fresh_lease();
        loop {
            let some = Claim { lease, count_max: 4, ..claim(at(1)) };
            let due = store.claim(some).await.unwrap();
            if due.is_empty() {
                return mine;
            }
            assert!(due.len() <= 4);
            assert!(due.iter().all(|due| due.lease == lease));
            mine.extend(due);
        }
    });
    let claimed: Vec<_> = join_all(claimants).await.into_iter().flatten().collect();
    let names = claimed.iter().map(|due| match &due.what {
        DueWhat::Effect { id, attempt, .. } => {
            assert_eq!(*attempt, 1);
            (due.call, Some(*id))
        }
        DueWhat::Deadline => (due.call, None),
    });
    let names: HashSet<_> = names.collect();
    assert_eq!(claimed.len(), expected.len());
    assert_eq!(names, expected);
}

async fn what_is_due_first_is_claimed_first(Fresh { store, .. }: Fresh) {
    let mut calls = Vec::new();
    for seconds in [7, 3, 9, 1, 5] {
        let mut commit = first(fresh_call());
        commit.deadline = Some(at(seconds));
        store.commit(&commit, at(0)).await.unwrap();
        calls.push((seconds, commit.call));
    }
    calls.sort_unstable();
    let some = Claim { count_max: 3, ..claim(at(20)) };
    let due = store.claim(some).await.unwrap();
    let claimed: Vec<_> = due.iter().map(|due| due.call).collect();
    let earliest: Vec<_> = calls.iter().take(3).map(|(_, call)| *call).collect();
    assert_eq!(claimed, earliest);
    let none = Claim { count_max: 0, ..claim(at(20)) };
    assert!(store.claim(none).await.unwrap().is_empty());
    let all = Claim { count_max: usize::MAX, ..claim(at(20)) };
    assert_eq!(store.claim(all).await.unwrap().len(), 2);
}

async fn much_that_lies_together_is_claimed_in_its_order(Fresh { store, .. }: Fresh) {
    for _ in 0..4 {
        let mut later = first(fresh_call());
        later.deadline = Some(at(90));
        store.commit(&later, at(0)).await.unwrap();
    }
    let mut much = first(fresh_call());
    much.effects = (0..40).map(|n| effect(&much, n, at(i64::try_from(n).unwrap()))).collect();
    store.commit(&much, at(0)).await.unwrap();
    let some = Claim { count_max: 32, ..claim(at(100)) };
    let claimed = store.claim(some).await.unwrap().into_iter().map(|due| due.what);
    let claimed: Vec<_> = claimed
        .filter_map(|what| match what {
            DueWhat::Effect { id, .. } => Some(id),
            DueWhat::Deadline => None,
        })
        .collect();
    let earliest: Vec<_> = much.effects.iter().take(32).map(|effect| effect.id).collect();
    assert_eq!(claimed, earliest);
    assert_eq!(store.claim(some).await.unwrap().len(), 12);
}

async fn nothing_is_claimed_early(Fresh { store, .. }: Fresh) {
    let mut commit = first(fresh_call());
    let due = at(5) + SignedDuration::from_nanos(1_001);
    commit.deadline = Some(due);
    store.commit(&commit, at(0)).await.unwrap();
    let early = due - SignedDuration::from_nanos(1);
    assert!(store.claim(claim(early)).await.unwrap().is_empty());
    let soon = due + SignedDuration::from_micros(1);
    assert_eq!(store.claim(claim(soon)).await.unwrap().len(), 1);
}

async fn when_a_lease_ends_it_is_due_again(Fresh { store, .. }: Fresh) {
    let mut commit = first(fresh_call());
    commit.effects = vec![effect(&commit, 0, at(0))];
    commit.deadline = Some(at(0));
    store.commit(&commit, at(0)).await.unwrap();
    for (round, now) in [0, 10, 20].into_iter().enumerate() {
        let due = store.claim(claim(at(now))).await.unwrap();
        assert_eq!(due.len(), 2);
        let attempts = due.iter().find_map(|due| match due.what {
            DueWhat::Effect { attempt, .. } => Some(attempt),
            DueWhat::Deadline => None,
        });
        assert_eq!(attempts, Some(u32::try_from(round).unwrap() + 1));
        assert!(store.claim(claim(at(now + 9))).await.unwrap().is_empty());
    }
}

async fn settling_needs_the_lease(Fresh { store, .. }: Fresh) {
    let mut commit = first(fresh_call());
    commit.effects = vec![effect(&commit, 0, at(0))];
    let id = commit.effects[0].id;
    store.commit(&commit, at(0)).await.unwrap();
    let none = Claimed { call: commit.call, effect: id, lease: fresh_lease() };
    assert!(!store.settle(none).await.unwrap());

    let old = store.claim(claim(at(0))).await.unwrap()[0].claimed(id);
    let new = store.claim(claim(at(10))).await.unwrap()[0].claimed(id);
    assert!(!store.settle(old).await.unwrap());
    assert!(store.settle(new).await.unwrap());
    assert!(!store.settle(new).await.unwrap());
    assert!(store.claim(claim(at(60))).await.unwrap().is_empty());
}

async fn of_many_settled_at_once_each_needs_its_lease(Fresh { store, .. }: Fresh) {
    for _ in 0..3 {
        let mut commit = first(fresh_call());
        commit.effects = vec![effect(&commit, 0, at(0))];
        store.commit(&commit, at(0)).await.unwrap();
    }
    let due = store.claim(claim(at(0))).await.unwrap();
    let claimed = due.iter().map(|due| match &due.what {
        DueWhat::Effect { id, .. } => due.claimed(*id),
        DueWhat::Deadline => panic!("{due:?} has no deadline"),
    });
    let mut claimed: Vec<Claimed> = claimed.collect();
    claimed[1].lease = fresh_lease();
    let settled = store.settle_all(&claimed).await;
    let settled: Vec<bool> = settled.into_iter().map(Result::unwrap).collect();
    assert_eq!(settled, [true, false, true]);
    let left = store.claim(claim(at(60))).await.unwrap();
    assert_eq!(left.iter().map(|due| due.call).collect::<Vec<_>>(), [claimed[1].call]);
    assert!(store.settle_all(&[]).await.is_empty());
}

async fn putting_off_needs_the_lease(Fresh { store, .. }: Fresh) {
    let mut commit = first(fresh_call());
    commit.effects = vec![effect(&commit, 0, at(0))];
    let id = commit.effects[0].id;
    store.commit(&commit, at(0)).await.unwrap();
    let later = |claimed| store.put_off(claimed, at(40), b"once more".to_vec());
    let none = Claimed { call: commit.call, effect: id, lease: fresh_lease() };
    assert!(!later(none).await.unwrap());

    let claimed = store.claim(claim(at(0))).await.unwrap()[0].claimed(id);
    assert!(later(claimed).await.unwrap());
    // The lease ended with it.
    assert!(!later(claimed).await.unwrap());
    assert!(!store.settle(claimed).await.unwrap());
    assert!(store.claim(claim(at(39))).await.unwrap().is_empty());
    let due = store.claim(claim(at(40))).await.unwrap();
    let what = DueWhat::Effect { id, body: b"once more".to_vec(), attempt: 2 };
    assert_eq!(due[0].what, what);
}

async fn a_turn_settles_an_effect_whoever_holds_its_lease(Fresh { store, .. }: Fresh) {
    let mut one = first(fresh_call());
    one.effects = vec![effect(&one, 0, at(0)), effect(&one, 1, at(9)), effect(&one, 2, at(9))];
    store.commit(&one, at(0)).await.unwrap();
    let claimed = store.claim(claim(at(0))).await.unwrap()[0].claimed(one.effects[0].id);

    let mut two = after(&one);
    two.settled = vec![one.effects[0].id, one.effects[1].id];
    assert_eq!(store.commit(&two, at(1)).await.unwrap(), Committed::Applied);
    assert!(!store.settle(claimed).await.unwrap());
    assert_eq!(store.backlog(at(60)).await.unwrap().count, 1);
    let left = store.claim(claim(at(60))).await.unwrap();
    assert_eq!(left.len(), 1);
    let what = DueWhat::Effect { id: one.effects[2].id, body: b"body 2".to_vec(), attempt: 1 };
    assert_eq!(left[0].what, what);
}

/// One that lies hours ahead, as nearly every call's does, whatever becomes of the call meanwhile.
async fn a_far_deadline_comes_in_its_time(Fresh { store, .. }: Fresh) {
    let mut begun = Vec::new();
    for _ in 0..6 {
        let mut one = first(fresh_call());
        one.deadline = Some(at(7_205));
        store.commit(&one, at(0)).await.unwrap();
        begun.push(one);
    }
    let [kept, same, removed, near, later, _] = begun.as_slice() else { unreachable!() };
    for (one, deadline) in
        [(same, Some(7_205)), (removed, None), (near, Some(30)), (later, Some(9_000))]
    {
        let two = Commit { deadline: deadline.map(at), ..after(one) };
        store.commit(&two, at(9)).await.unwrap();
    }
    let due = async |second: i64| {
        let due = store.claim(claim(at(second))).await.unwrap();
        assert!(due.iter().all(|due| due.what == DueWhat::Deadline));
        due.iter().map(|due| due.call).collect::<HashSet<_>>()
    };
    assert_eq!(due(29).await, HashSet::new());
    assert_eq!(due(30).await, HashSet::from([near.call]));
    assert_eq!(due(7_204).await, HashSet::from([near.call]), "its lease has ended");
    let all = due(7_205).await;
    assert_eq!(all.len(), 3);
    assert!(all.contains(&kept.call) && all.contains(&same.call));
    assert_eq!(due(7_206).await, HashSet::new(), "each is under a lease");
    assert!(due(9_000).await.contains(&later.call));
    assert!(!due(99_999).await.contains(&removed.call));
}

async fn a_deadline_is_replaced_or_removed(Fresh { store, .. }: Fresh) {
    let mut one = first(fresh_call());
    one.deadline = Some(at(5));
    store.commit(&one, at(0)).await.unwrap();
    let mut two = after(&one);
    two.deadline = Some(at(30));
    store.commit(&two, at(1)).await.unwrap();
    assert!(store.claim(claim(at(29))).await.unwrap().is_empty());
    let due = store.claim(claim(at(30))).await.unwrap();
    assert_eq!((due[0].call, &due[0].what), (one.call, &DueWhat::Deadline));

    // A claimed one too.
    let mut three = after(&two);
    three.deadline = Some(at(31));
    store.commit(&three, at(30)).await.unwrap();
    assert_eq!(store.claim(claim(at(31))).await.unwrap().len(), 1);
    store.commit(&after(&three), at(32)).await.unwrap();
    assert!(store.claim(claim(at(600))).await.unwrap().is_empty());
}

async fn an_effect_written_again_is_one_effect(Fresh { store, .. }: Fresh) {
    for is_settled in [true, false] {
        let mut one = first(fresh_call());
        one.effects = vec![effect(&one, 0, at(0))];
        store.commit(&one, at(0)).await.unwrap();
        let claimed = store.claim(claim(at(0))).await.unwrap()[0].claimed(one.effects[0].id);
        let mut two = after(&one);
        two.settled = one.effects.iter().filter(|_| is_settled).map(|effect| effect.id).collect();
        two.effects = vec![NewEffect { due: at(2), ..one.effects[0].clone() }];
        store.commit(&two, at(1)).await.unwrap();
        assert!(!store.settle(claimed).await.unwrap(), "it is another's by now");
        let due = store.claim(claim(at(60))).await.unwrap();
        let what = DueWhat::Effect { id: one.effects[0].id, body: b"body 0".to_vec(), attempt: 1 };
        assert_eq!(due.into_iter().map(|due| due.what).collect::<Vec<_>>(), [what]);
    }
}

async fn a_backlog_is_what_is_due_and_not_claimed(Fresh { store, .. }: Fresh) {
    assert_eq!(store.backlog(at(50)).await.unwrap(), Backlog::default());
    let mut one = first(fresh_call());
    one.effects = vec![effect(&one, 0, at(7)), effect(&one, 1, at(70))];
    one.deadline = Some(at(9));
    store.commit(&one, at(0)).await.unwrap();
    assert_eq!(store.backlog(at(6)).await.unwrap(), Backlog::default());
    let both = Backlog { count: 2, oldest: Some(at(7)) };
    assert_eq!(store.backlog(at(50)).await.unwrap(), both);
    assert_eq!(store.claim(claim(at(50))).await.unwrap().len(), 2);
    assert_eq!(store.backlog(at(51)).await.unwrap(), Backlog::default());
    let after_the_leases = Backlog { count: 3, oldest: Some(at(60)) };
    assert_eq!(store.backlog(at(80)).await.unwrap(), after_the_leases);
}

async fn a_journal_is_in_order(Fresh { store, .. }: Fresh) {
    let mut last = first(fresh_call());
    assert!(store.journal(last.call).await.unwrap().is_empty());
    store.commit(&last, at(0)).await.unwrap();
    for second in 1..12 {
        last = after(&last);
        store.commit(&last, at(second)).await.unwrap();
    }
    let entries: Vec<_> = (1..=12).map(|n| format!("entry {n}").into_bytes()).collect();
    assert_eq!(store.journal(last.call).await.unwrap(), entries);
}

async fn calls_are_listed_newest_first(Fresh { store, .. }: Fresh) {
    assert!(store.calls(10).await.unwrap().is_empty());
    let mut begun = Vec::new();
    for second in [5, 1, 3, 2, 4] {
        let commit = first(fresh_call());
        store.commit(&commit, at(second)).await.unwrap();
        // A later turn does not make it a newer call.
        store.commit(&after(&commit), at(10 - second)).await.unwrap();
        begun.push((second, commit.call));
    }
    begun.sort_unstable_by(|a, b| b.cmp(a));
    let newest: Vec<_> = begun.iter().map(|(_, call)| *call).collect();
    assert_eq!(store.calls(10).await.unwrap(), newest);
    assert_eq!(store.calls(2).await.unwrap(), newest[..2]);
    assert_eq!(store.calls(usize::MAX).await.unwrap(), newest);
    assert!(store.calls(0).await.unwrap().is_empty());
}

async fn an_expired_call_is_forgotten_with_all_that_is_its(Fresh { store, .. }: Fresh) {
    let mut one = first(fresh_call());
    one.effects = vec![effect(&one, 0, at(60))];
    one.deadline = Some(at(60));
    one.expires_at = at(0) + SignedDuration::from_millis(80);
    let mut lasting = first(fresh_call());
    lasting.deadline = Some(at(30));
    store.commit(&lasting, at(0)).await.unwrap();
    store.commit(&one, at(0)).await.unwrap();

    eventually_async("the call to be forgotten", async || {
        store.sweep(at(1)).await.unwrap();
        store.load(one.call).await.unwrap().is_none().then_some(())
    })
    .await;
    assert!(store.journal(one.call).await.unwrap().is_empty());
    assert_eq!(store.calls(9).await.unwrap(), [lasting.call]);
    let due = store.claim(claim(at(60))).await.unwrap();
    assert_eq!(due.into_iter().map(|due| due.call).collect::<Vec<_>>(), [lasting.call]);

    // Its provider rings again: a new call, without the old one's journal and effects.
    assert_eq!(store.commit(&after(&one), at(2)).await.unwrap(), Committed::Conflict);
    let again = first(one.call);
    assert_eq!(store.commit(&again, at(2)).await.unwrap(), Committed::Applied);
    assert_eq!(store.journal(one.call).await.unwrap(), [b"entry 1"]);
    assert!(store.claim(claim(at(60))).await.unwrap().is_empty());
}

async fn a_later_expiry_keeps_earlier_effects(Fresh { store, .. }: Fresh) {
    let mut one = first(fresh_call());
    one.effects = vec![effect(&one, 0, at(60))];
    one.expires_at = at(20);
    store.commit(&one, at(0)).await.unwrap();
    let mut two = after(&one);
    two.expires_at = at(100);
    store.commit(&two, at(10)).await.unwrap();
    store.sweep(at(50)).await.unwrap();
    assert_eq!(store.claim(claim(at(60))).await.unwrap().len(), 1);
    assert_eq!(store.journal(one.call).await.unwrap().len(), 2);
}

async fn any_bytes_are_kept(Fresh { store, .. }: Fresh) {
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(70_000).collect();
    let mut commit = first(fresh_call());
    commit.state.clone_from(&bytes);
    commit.entry.clone_from(&bytes);
    commit.effects = vec![NewEffect { body: bytes.clone(), ..effect(&commit, 0, at(0)) }];
    store.commit(&commit, at(0)).await.unwrap();
    assert_eq!(store.load(commit.call).await.unwrap().unwrap().state, bytes);
    assert_eq!(store.journal(commit.call).await.unwrap(), std::slice::from_ref(&bytes));
    let due = store.claim(claim(at(0))).await.unwrap();
    let id = commit.effects[0].id;
    assert_eq!(due[0].what, DueWhat::Effect { id, body: bytes.clone(), attempt: 1 });
    let empty = Vec::new();
    store.swap(write(&record("ee"), None, &empty), at(9), at(0)).await.unwrap();
    assert_eq!(store.read(&record("ee")).await.unwrap(), Some((Revision(1), empty)));
}

async fn it_answers_a_ping(Fresh { store, .. }: Fresh) {
    store.ping().await.unwrap();
}
