//! How Redis is reached: TLS, users, and what is said of one that loses calls.

use callgate::store::redis::RedisStore;
use callgate::store::{Committed, Options, Store, StoreError};
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::{after, at, claim, first, fresh_call, record};
use crate::support::cluster::said;
use crate::support::redis::{RedisServer, free_port};

/// A server that speaks TLS, and the authority that signed its certificate.
fn tls_server(directory: &std::path::Path) -> (RedisServer, u16, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
    let certificate = server.signed_by(&key, &authority).unwrap();
    let file = |name: &str, text: String| {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let port = free_port();
    let server = RedisServer::start_with(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &file("server.pem", certificate.pem()),
        "--tls-key-file",
        &file("server.key", key.serialize_pem()),
        "--tls-ca-cert-file",
        &file("authority.pem", authority.pem()),
        "--tls-auth-clients",
        "no",
    ]);
    (server, port, authority.pem())
}

#[tokio::test]
async fn tls_trusts_the_authority_it_was_told_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, port, authority) = tls_server(directory.path());
    let url = format!("rediss://127.0.0.1:{port}");
    let options = Options { ca_pem: Some(authority.into()), ..Options::default() };
    let store = RedisStore::connect_with(&url, &options).unwrap();
    let one = first(fresh_call());
    assert_eq!(store.commit(&one, at(0)).await.unwrap(), Committed::Applied);
    assert!(store.load(one.call).await.unwrap().is_some());

    let stranger = RedisStore::connect(&url).unwrap();
    let error = stranger.ping().await.expect_err("nobody knows this authority");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");

    let no_pem = Options { ca_pem: Some(b"nonsense".to_vec()), ..Options::default() };
    let error = RedisStore::connect_with(&url, &no_pem).unwrap_err().to_string();
    assert_eq!(error, "`redis.ca_file` holds no certificate in PEM");
}

/// What the handbook tells an operator to allow is enough for everything.
#[tokio::test]
async fn a_user_may_be_held_to_our_keys() {
    let server = RedisServer::start();
    let allowed = "on >hunter2 ~cg:* +@read +@write +@scripting +@connection +info +config|get \
                   +wait";
    let mut command = vec!["ACL", "SETUSER", "callgate"];
    command.extend(allowed.split_whitespace());
    assert_eq!(said(&server, &command).trim(), "OK");

    let url = server.url().replace("redis://", "redis://callgate:hunter2@");
    let store = RedisStore::connect(&url).unwrap();
    let one = first(fresh_call());
    assert_eq!(store.commit(&one, at(0)).await.unwrap(), Committed::Applied);
    assert_eq!(store.commit(&after(&one), at(0)).await.unwrap(), Committed::Applied);
    assert!(store.swap(&record("aa"), None, b"x", at(9), at(0)).await.unwrap());
    assert!(store.claim(claim(at(0))).await.unwrap().is_empty());
    assert_eq!(store.calls(9).await.unwrap(), [one.call]);
    assert!(!store.outlook().await.unwrap().is_empty());

    let options = Options { password: Some("hunter2".into()), ..Options::default() };
    let url = server.url().replace("redis://", "redis://callgate@");
    RedisStore::connect_with(&url, &options).unwrap().ping().await.unwrap();
}

#[tokio::test]
async fn a_redis_that_loses_calls_is_told_of() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.url()).unwrap();
    let told = store.outlook().await.unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("keeps nothing on disk"), "{told:?}");

    said(&server, &["CONFIG", "SET", "appendonly", "yes"]);
    assert_eq!(store.outlook().await.unwrap(), Vec::<String>::new());
    said(&server, &["CONFIG", "SET", "maxmemory", "100mb"]);
    assert_eq!(store.outlook().await.unwrap(), Vec::<String>::new());
    said(&server, &["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let told = store.outlook().await.unwrap();
    assert!(told[0].contains("`maxmemory-policy allkeys-lru`"), "{told:?}");
    said(&server, &["CONFIG", "SET", "appendonly", "no", "save", "60 1"]);
    assert!(store.outlook().await.unwrap()[1].contains("snapshots only"));
}

/// Each worker of the server has a runtime of its own, and a connection of its own.
#[test]
fn every_runtime_has_its_own_connection() {
    let server = RedisServer::start();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (one, two) = (runtime(), runtime());
    let store = one.block_on(async { RedisStore::connect(&server.url()).unwrap() });
    let clients = || {
        let list = said(&server, &["CLIENT", "LIST"]);
        list.lines().filter(|line| line.contains("cmd=ping")).count()
    };
    for _ in 0..3 {
        one.block_on(store.ping()).unwrap();
        two.block_on(store.ping()).unwrap();
    }
    assert_eq!(clients(), 2);
}
