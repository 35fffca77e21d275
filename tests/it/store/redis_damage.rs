//! What something else than callgate wrote into Redis keeps nobody from what lies elsewhere, and is told.

use std::collections::HashSet;

use callgate::engine::id::CallId;
use callgate::store::redis::RedisStore;
use callgate::store::{Backlog, Claim, Commit, DueWhat, Store as _, StoreError};

use super::{after, at, claim, effect, first, fresh_call};
use crate::support::redis::RedisServer;

/// A store with calls that have each an effect and a deadline.
async fn calls(count: usize, deadline: i64) -> (String, RedisStore, Vec<Commit>) {
    let url = RedisServer::shared().database();
    let store = RedisStore::connect(&url).unwrap();
    let mut calls = Vec::new();
    for _ in 0..count {
        let mut commit = first(fresh_call());
        commit.effects = vec![effect(&commit, 0, at(0))];
        commit.deadline = Some(at(deadline));
        store.commit(&commit, at(0)).await.unwrap();
        calls.push(commit);
    }
    (url, store, calls)
}

/// Puts a text where these keys lie.
fn replace(url: &str, pattern: &str, count: usize) -> Vec<String> {
    let mut redis = RedisServer::connection(url);
    let mut keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query(&mut redis).unwrap();
    keys.sort();
    keys.truncate(count);
    assert_eq!(keys.len(), count, "{pattern}");
    for key in &keys {
        redis::cmd("SET").arg(key).arg("hunter2").exec(&mut redis).unwrap();
    }
    keys
}

fn partition(key: &str) -> &str {
    key.split('}').next().unwrap()
}

/// Which of these calls lie beside one of those keys.
fn beside(url: &str, keys: &[String], calls: &[Commit]) -> HashSet<CallId> {
    let mut redis = RedisServer::connection(url);
    let places: HashSet<_> = keys.iter().map(|key| partition(key)).collect();
    let mut lies = |call: CallId| {
        let pattern = format!("*:call:{call}");
        let key: Vec<String> = redis::cmd("KEYS").arg(pattern).query(&mut redis).unwrap();
        places.contains(partition(&key[0]))
    };
    calls.iter().map(|commit| commit.call).filter(|call| lies(*call)).collect()
}

#[tokio::test]
async fn where_a_list_of_due_things_is_none_the_others_are_worked_off() {
    let (url, store, calls) = calls(40, 5).await;
    let keys = replace(&url, "*:due4", 3);
    let lost = beside(&url, &keys, &calls);
    let left = calls.len() - lost.len();
    assert!(!lost.is_empty() && left > 0);
    let waiting = Backlog { count: 2 * left as u64, oldest: Some(at(0)) };
    assert_eq!(store.backlog(at(9)).await.unwrap(), waiting);
    let mut claimed = Vec::new();
    for _ in 0..99 {
        let some = Claim { count_max: 8, until: at(900), ..claim(at(10)) };
        match store.claim(some).await {
            Ok(due) => claimed.extend(due),
            Err(error) => {
                assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
                break;
            }
        }
    }
    assert_eq!(claimed.len(), 2 * left);
    assert!(claimed.iter().all(|due| !lost.contains(&due.call)));
    // It is told as long as it lies there.
    let error = store.claim(claim(at(11))).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)) && !error.to_string().contains("hunter2"));
    let mut redis = RedisServer::connection(&url);
    redis::cmd("DEL").arg(&keys).exec(&mut redis).unwrap();
    assert!(store.claim(claim(at(11))).await.unwrap().is_empty());
}

#[tokio::test]
async fn where_a_list_of_waiting_deadlines_is_none_the_others_come() {
    let (url, store, calls) = calls(40, 7_200).await;
    let due = store.claim(Claim { until: at(90_000), ..claim(at(0)) }).await.unwrap();
    assert_eq!(due.len(), calls.len(), "the effects");
    let keys = replace(&url, "*:far:*", 3);
    let lost = beside(&url, &keys, &calls);
    let due = store.claim(claim(at(7_200))).await.unwrap();
    let due: HashSet<_> = due.iter().map(|due| due.call).collect();
    assert_eq!(due.len(), calls.len() - lost.len());
    assert!(due.is_disjoint(&lost));
    let error = store.claim(claim(at(7_201))).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
}

/// What lies there is told of as a thing that is due and that nobody can read, once.
#[tokio::test]
async fn where_the_effects_of_a_call_are_none_the_others_are_done() {
    let (url, store, calls) = calls(10, 86_000).await;
    let keys = replace(&url, "*:effects:*", 2);
    let lost = |call: CallId| keys.iter().any(|key| key.ends_with(&call.to_string()));
    let due = store.claim(claim(at(0))).await.unwrap();
    assert_eq!(due.len(), calls.len());
    for due in &due {
        let DueWhat::Effect { id, body, .. } = &due.what else { panic!("{due:?}") };
        assert_eq!(body.is_empty(), lost(due.call), "{due:?}");
        assert_eq!(store.settle(due.claimed(*id)).await.unwrap(), !lost(due.call));
    }
    assert_eq!(store.claim(claim(at(900))).await.unwrap().len(), 0);
}

/// A turn whose effect has no place is not taken: nobody is to wait for what nobody sends.
#[tokio::test]
async fn where_an_effect_has_no_place_its_turn_is_not_taken() {
    for pattern in ["*:effects:*", "*:due4"] {
        let (url, store, calls) = calls(1, 5).await;
        replace(&url, pattern, 1);
        let mut next = after(&calls[0]);
        next.effects = vec![effect(&next, 0, at(1))];
        let error = store.commit(&next, at(1)).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt(_)), "{pattern}: {error}");
        let stored = store.load(next.call).await.unwrap().unwrap();
        assert_eq!(stored.version, calls[0].version, "{pattern}");
    }
}
