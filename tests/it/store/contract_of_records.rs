//! What every store promises of counted records, one sentence a test.

use callgate::store::{RecordKey, Revision, Store, Swap};
use futures_util::future::join_all;
use jiff::SignedDuration;

use super::contract::held_by_all;
use super::{
    Fresh, at, fresh_cluster, fresh_memory, fresh_redb, fresh_redis, of_many, record, write,
};
use crate::support::eventually::eventually_async;

held_by_all! {
    a_record_is_swapped_from_its_last_revision_alone,
    of_many_swapped_at_once_each_is_by_its_own_revision,
    no_racing_swap_is_lost,
    an_expired_record_is_forgotten,
    nothing_is_built_on_an_expired_record_of_many,
    a_record_of_many_stands_to_the_end_of_its_second,
    a_record_of_many_that_ran_out_does_not_come_back,
}

/// Those of which there are many as well as the others.
async fn a_record_is_swapped_from_its_last_revision_alone(Fresh { store, .. }: Fresh) {
    for key in [record("c0ffee"), of_many("c0ffee")] {
        swapped_from_its_last_revision_alone(store.as_ref(), &key).await;
    }
    for other in [record("decaf"), of_many("decaf0")] {
        assert_eq!(store.read(&other).await.unwrap(), None);
    }
}

async fn swapped_from_its_last_revision_alone(store: &dyn Store, key: &RecordKey) {
    let swap = async |expected: Option<u64>, value: &[u8]| {
        store.swap(write(key, expected.map(Revision), value), at(99), at(0)).await.unwrap()
    };
    assert_eq!(store.read(key).await.unwrap(), None);
    assert!(!swap(Some(1), b"zero").await);
    assert!(swap(None, b"one").await);
    assert!(!swap(None, b"another").await);
    assert_eq!(store.read(key).await.unwrap(), Some((Revision(1), b"one".to_vec())));
    assert!(swap(Some(1), b"two").await);
    assert!(!swap(Some(1), b"three").await);
    assert_eq!(store.read(key).await.unwrap(), Some((Revision(2), b"two".to_vec())));
}

async fn of_many_swapped_at_once_each_is_by_its_own_revision(Fresh { store, .. }: Fresh) {
    let keys = [record("abed"), of_many("abed0"), of_many("bead0"), record("bead"), record("cede")];
    for key in &keys[2..4] {
        assert!(store.swap(write(key, None, b"old"), at(99), at(0)).await.unwrap());
    }
    let swap_all = async |expected: [Option<u64>; 5], value: &[u8]| {
        let swaps = keys.iter().zip(expected);
        let swaps: Vec<Swap<'_>> = swaps
            .map(|(key, expected)| Swap { key, expected: expected.map(Revision), value })
            .collect();
        let swapped = store.swap_all(&swaps, at(99), at(0)).await;
        swapped.into_iter().map(Result::unwrap).collect::<Vec<bool>>()
    };
    assert_eq!(swap_all([None; 5], b"new").await, [true, true, false, false, true]);
    let expected = [Some(1), Some(2), Some(1), Some(1), None];
    assert_eq!(swap_all(expected, b"newer").await, [true, false, true, true, false]);
    let kept = [(2, "newer"), (1, "new"), (2, "newer"), (2, "newer"), (1, "new")];
    for (key, (revision, value)) in keys.iter().zip(kept) {
        assert_eq!(store.read(key).await.unwrap(), Some((Revision(revision), value.into())));
    }
    assert_eq!(store.swap_all(&[], at(99), at(0)).await.len(), 0);
}

async fn no_racing_swap_is_lost(Fresh { store, .. }: Fresh) {
    let key = record("feed");
    let increment = async |_| {
        loop {
            let read = store.read(&key).await.unwrap();
            let revision = read.as_ref().map(|(revision, _)| *revision);
            let count: u32 =
                read.map_or(0, |(_, value)| String::from_utf8(value).unwrap().parse().unwrap());
            let value = (count + 1).to_string();
            if store.swap(write(&key, revision, value.as_bytes()), at(99), at(0)).await.unwrap() {
                return;
            }
        }
    };
    join_all((0..200).map(increment)).await;
    assert_eq!(store.read(&key).await.unwrap(), Some((Revision(200), b"200".to_vec())));
}

async fn an_expired_record_is_forgotten(Fresh { store, .. }: Fresh) {
    let (short, lasting) = (record("aa"), record("bb"));
    let soon = at(0) + SignedDuration::from_millis(80);
    assert!(store.swap(write(&short, None, b"short"), soon, at(0)).await.unwrap());
    assert!(store.swap(write(&lasting, None, b"brief"), at(60), at(0)).await.unwrap());
    assert!(
        store.swap(write(&lasting, Some(Revision(1)), b"lasting"), at(99), at(0)).await.unwrap()
    );
    eventually_async("the record to be forgotten", async || {
        store.sweep(at(1)).await.unwrap();
        store.read(&short).await.unwrap().is_none().then_some(())
    })
    .await;
    assert!(store.swap(write(&short, None, b"anew"), at(99), at(1)).await.unwrap());
    store.sweep(at(70)).await.unwrap();
    let lasting = store.read(&lasting).await.unwrap();
    assert_eq!(lasting, Some((Revision(2), b"lasting".to_vec())));
}

async fn nothing_is_built_on_an_expired_record_of_many(Fresh { store, .. }: Fresh) {
    let key = of_many("0123456789abcdef01234567");
    let swap = async |expected: Option<u64>, value: &[u8], expires: i64, now: i64| {
        store.swap(write(&key, expected.map(Revision), value), at(expires), at(now)).await.unwrap()
    };
    assert!(swap(None, b"one", 3_900, 0).await);
    // Hours are no boundary for it.
    assert!(!swap(None, b"another", 7_700, 3_899).await);
    assert!(swap(Some(1), b"two", 7_700, 3_899).await);
    assert!(!swap(Some(1), b"another", 7_800, 3_900).await);
    assert_eq!(store.read(&key).await.unwrap(), Some((Revision(2), b"two".to_vec())));
    assert!(!swap(Some(2), b"three", 11_600, 7_700).await);
    assert!(swap(None, b"anew", 11_600, 7_700).await);
    assert_eq!(store.read(&key).await.unwrap(), Some((Revision(1), b"anew".to_vec())));
}

/// By whole seconds none runs out early.
async fn a_record_of_many_stands_to_the_end_of_its_second(Fresh { store, .. }: Fresh) {
    let half = SignedDuration::from_millis(500);
    let key = of_many("5ec0");
    assert!(store.swap(write(&key, None, b"one"), at(10) + half, at(9)).await.unwrap());
    let just_before = at(10) + half - SignedDuration::from_micros(1);
    assert!(!store.swap(write(&key, None, b"two"), at(99), just_before).await.unwrap());
    assert!(store.swap(write(&key, Some(Revision(1)), b"two"), at(99), just_before).await.unwrap());
}

/// Wherever it lay: hours later it lies elsewhere.
async fn a_record_of_many_that_ran_out_does_not_come_back(Fresh { store, .. }: Fresh) {
    for (hours, key) in [(0, of_many("0a00")), (2, of_many("0b00")), (4, of_many("0c00"))] {
        let begun = at(hours * 3_600);
        let after = |hours, seconds| {
            begun + SignedDuration::from_hours(hours) + SignedDuration::from_secs(seconds)
        };
        assert!(store.swap(write(&key, None, b"one"), after(0, 10), begun).await.unwrap());
        let again = write(&key, None, b"other");
        assert!(store.swap(again, after(2, 20), after(0, 20)).await.unwrap());
        let read = store.read(&key).await.unwrap();
        assert_eq!(read, Some((Revision(1), b"other".to_vec())), "after {hours} hours");
    }
}
