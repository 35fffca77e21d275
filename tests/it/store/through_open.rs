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
        ("", "not a store; write `embedded:<path>`, `redis://<host>:<port>` or `memory:`"),
        ("calls.redb", "not a store; write"),
        ("postgres://ada:hunter2@db", "not a store; write"),
        ("memory:calls", "not a store; write"),
        ("redis:db", "not a store; write"),
        ("redis://", "not a Redis address; write `redis://[user:password@]host[:port][/database]`"),
        ("redis://ada:hunter2@db:port", "not a Redis address"),
        ("embedded:", "no file named; write `embedded:<path>`"),
        ("rediss://db", "`rediss://` stores are not supported yet"),
        ("redis+cluster://a,b", "`redis+cluster://` stores are not supported yet"),
        ("redis+sentinel://a,b/main", "`redis+sentinel://` stores are not supported yet"),
    ] {
        let error: OpenError = open(url).await.expect_err(url);
        let error = error.to_string();
        assert!(error.starts_with(told), "{url}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
