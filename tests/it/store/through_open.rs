//! The `store = "…"` of the configuration.

use callgate::store::{OpenError, open};

use crate::support::redis::RedisServer;

#[tokio::test]
async fn every_form_opens() {
    let directory = tempfile::tempdir().unwrap();
    let embedded = format!("embedded:{}", directory.path().join("calls.redb").display());
    for url in ["memory:", &embedded, &RedisServer::shared().database()] {
        let store = open(url).await.unwrap();
        store.ping().await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }
}

#[tokio::test]
async fn what_is_no_store_is_told_the_forms() {
    for (url, told) in [
        ("", "not a store; write `embedded:<path>`, `redis://<host>:<port>`, `redis+sentinel://"),
        ("calls.redb", "not a store; write"),
        ("postgres://ada:hunter2@db", "not a store; write"),
        ("memory:calls", "not a store; write"),
        ("redis:db", "not a store; write"),
        ("redis://", "not a Redis address; write `redis://[user:password@]host[:port][/database]`"),
        ("redis://ada:hunter2@db:port", "not a Redis address"),
        ("embedded:", "no file named; write `embedded:<path>`"),
        ("rediss://ada:hunter2@db:port", "not a Redis address"),
        ("redis+cluster:a,b", "not a store; write"),
        ("redis+cluster://ada:hunter2@a:1,b:port", "not the address of a cluster; write"),
        ("redis+cluster://a/0", "not the address of a cluster; write"),
        ("redis+sentinel://ada:hunter2@a,b", "not the address of Sentinels; write"),
        ("redis+sentinel://a,b/pri mary", "not the address of Sentinels; write"),
        ("redis+ring://ada:hunter2@a,b", "not a store; write"),
    ] {
        let error: OpenError = open(url).await.expect_err(url);
        let error = error.to_string();
        assert!(error.starts_with(told), "{url}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
