//! How Redis is reached: TLS, users, and what is said of one that loses calls.

use std::collections::HashSet;

use callgate::clock::{Clock as _, SystemClock};
use callgate::limits::{STORE_ANSWER_TIMEOUT, STORE_QUESTION_TIMEOUT, TURN_DEADLINE};
use callgate::store::redis::{RIGHTS, RedisStore};
use callgate::store::{ClientCertificate, Committed, Options, Store, StoreError};
use futures_util::future::join_all;
use jiff::SignedDuration;
use rcgen::{CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::{after, at, claim, first, fresh_call, record, write};
use crate::support::cluster::{RedisCluster, Watched, said};
use crate::support::eventually::{eventually, eventually_async};
use crate::support::redis::{RedisServer, free_port};
use crate::support::relay::Relay;

/// A server that speaks TLS, and the authority that signed its certificate; beside it lies one for its clients.
fn tls_server(directory: &std::path::Path, more: &[&str]) -> (RedisServer, u16, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let (key, client_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut client = CertificateParams::new(vec!["callgate".into()]).unwrap();
    // A name of its own: one that is its authority's would be taken for its authority.
    client.distinguished_name.push(DnType::CommonName, "callgate");
    let client = client.signed_by(&client_key, &authority).unwrap();
    let server = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
    let certificate = server.signed_by(&key, &authority).unwrap();
    let file = |name: &str, text: String| {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    file("client.pem", client.pem());
    file("client.key", client_key.serialize_pem());
    let port = free_port();
    let (tls_port, certificate) = (port.to_string(), file("server.pem", certificate.pem()));
    let (key, known) =
        (file("server.key", key.serialize_pem()), file("authority.pem", authority.pem()));
    let mut options = vec!["--tls-port", &tls_port, "--tls-cert-file", &certificate];
    options.extend(["--tls-key-file", &key, "--tls-ca-cert-file", &known]);
    options.extend(["--tls-auth-clients", "no"]);
    options.extend(more);
    let server = RedisServer::start_with(&options);
    (server, port, authority.pem())
}

#[tokio::test]
async fn tls_trusts_the_authority_it_was_told_and_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, port, authority) = tls_server(directory.path(), &[]);
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

/// The certificate for clients in this folder, with the key in that file.
fn client_of(directory: &std::path::Path, key: &str) -> ClientCertificate {
    ClientCertificate {
        chain_pem: std::fs::read(directory.join("client.pem")).unwrap(),
        key_pem: std::fs::read_to_string(directory.join(key)).unwrap().into(),
    }
}

/// One server, a cluster and Sentinels that let in nobody who does not show a certificate.
#[tokio::test]
async fn servers_that_ask_for_a_certificate_are_shown_ours() {
    let directory = tempfile::tempdir().unwrap();
    let bus = free_port().to_string();
    let mut asking = vec!["--tls-auth-clients", "yes", "--cluster-enabled", "yes"];
    asking.extend(["--cluster-port", &bus, "--tls-cluster", "yes", "--databases", "1"]);
    let (node, node_port, authority) = tls_server(directory.path(), &asking);
    assert_eq!(said(&node, &["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).trim(), "OK");
    eventually("the cluster to stand", || {
        said(&node, &["CLUSTER", "INFO"]).contains("cluster_state:ok").then_some(())
    });
    let cluster = (authority, client_of(directory.path(), "client.key"));

    let directory = tempfile::tempdir().unwrap();
    let (_server, port, authority) = tls_server(directory.path(), &["--tls-auth-clients", "yes"]);
    let sentinel_port = free_port();
    let file = directory.path().join("sentinel.conf");
    let path = directory.path().display();
    let settings = format!(
        "tls-port {sentinel_port}\ntls-replication yes\ntls-auth-clients yes\n\
         tls-cert-file {path}/server.pem\ntls-key-file {path}/server.key\n\
         tls-ca-cert-file {path}/authority.pem\nsentinel monitor calls 127.0.0.1 {port} 1\n"
    );
    std::fs::write(&file, settings).unwrap();
    let _sentinel = RedisServer::sentinel(file);
    let one = (authority, client_of(directory.path(), "client.key"));

    for (url, (authority, client)) in [
        (format!("rediss://127.0.0.1:{port}"), &one),
        // The same server, where nothing was written yet.
        (format!("rediss+sentinel://127.0.0.1:{sentinel_port}/calls/1"), &one),
        (format!("rediss+cluster://127.0.0.1:{node_port}"), &cluster),
    ] {
        let nameless = Options { ca_pem: Some(authority.clone().into()), ..Options::default() };
        let options = Options { client: Some(client.clone()), ..nameless.clone() };
        everything_works(&RedisStore::connect_with(&url, &options).unwrap()).await;
        let nameless = RedisStore::connect_with(&url, &nameless).unwrap();
        nameless.ping().await.expect_err("it asks who we are");
    }
}

/// Nobody notices before the next connection is to be made, and then all servers do.
#[tokio::test]
async fn a_certificate_of_ours_that_runs_out_soon_is_told_of() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, port, authority) = tls_server(directory.path(), &["--tls-auth-clients", "yes"]);
    let options = Options {
        ca_pem: Some(authority.into()),
        client: Some(client_of(directory.path(), "client.key")),
        ..Options::default()
    };
    let url = format!("rediss://127.0.0.1:{port}");
    let store = RedisStore::connect_with(&url, &options).unwrap();
    let told = async |now: &str| {
        let told = store.outlook(now.parse().unwrap()).await.unwrap();
        told.iter().any(|told| told.contains("certificate for Redis is good until 4096-01-01T"))
    };
    assert!(!told("4095-12-17T00:00:00Z").await);
    assert!(told("4095-12-19T00:00:00Z").await);
}

/// A certificate of X.509 version 1.
const FIRST_VERSION: &str = "-----BEGIN CERTIFICATE-----\n\
MIIBIzCByQIUV52kSp3YsZMGIER8tp6tgrsJWrkwCgYIKoZIzj0EAwIwEzERMA8G\n\
A1UEAwwIY2FsbGdhdGUwIBcNMjYxMTI2MjMxMjU2WhgPMjEyNjExMDIyMzEyNTZa\n\
MBMxETAPBgNVBAMMCGNhbGxnYXRlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n\
jNXpuwKcOY9x4AZ3pyim6ZX68ALaJI9f/AEtAJ3C7loWv1Hr9Ck8ALh+gy251IyI\n\
0gL1TuimE0mqYgDaFtGDGzAKBggqhkjOPQQDAgNJADBGAiEA9Fz//+9onO1uN8/p\n\
35TxACf3NqOVjnKszT+t1cOa3VICIQC5Ib+iY+yLcJcsYT3yVD0/BiEiSUOjlDiC\n\
iVJ3gB4Avg==\n\
-----END CERTIFICATE-----";

#[tokio::test]
async fn a_certificate_without_its_key_is_refused_before_anybody_is_asked() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, port, _) = tls_server(directory.path(), &[]);
    let refused = |client: ClientCertificate| {
        let options = Options { client: Some(client), ..Options::default() };
        let url = format!("rediss://127.0.0.1:{port}");
        RedisStore::connect_with(&url, &options).unwrap_err().to_string()
    };
    let not_its = "`redis.client_key_file` holds no key in PEM without a passphrase, or not that of the first \
                   certificate in `redis.client_certificate_file`";
    for key in ["server.key", "client.pem"] {
        assert_eq!(refused(client_of(directory.path(), key)), not_its);
    }
    let none = ClientCertificate {
        chain_pem: b"nonsense".to_vec(),
        ..client_of(directory.path(), "client.key")
    };
    let told = "`redis.client_certificate_file` holds no certificate in PEM, of X.509 version 3";
    assert_eq!(refused(none), told);
    let first_version = ClientCertificate {
        chain_pem: FIRST_VERSION.into(),
        ..client_of(directory.path(), "client.key")
    };
    assert_eq!(refused(first_version), told);
}

/// Everything that a store is asked for.
async fn everything_works(store: &RedisStore) {
    let one = first(fresh_call());
    assert_eq!(store.commit(&one, at(0)).await.unwrap(), Committed::Applied);
    assert_eq!(store.commit(&after(&one), at(0)).await.unwrap(), Committed::Applied);
    assert!(store.swap(write(&record("aa"), None, b"x"), at(9), at(0)).await.unwrap());
    assert!(store.claim(claim(at(0))).await.unwrap().is_empty());
    assert_eq!(store.calls(9).await.unwrap(), [one.call]);
    assert!(store.outlook(SystemClock.now()).await.unwrap()[0].starts_with("Redis keeps "));
}

#[test]
fn the_handbook_tells_what_to_allow() {
    let told = format!("ACL SETUSER callgate on >… {RIGHTS}\n");
    assert!(include_str!("../../../docs/operations.md").contains(&told));
}

/// It is enough for everything.
#[tokio::test]
async fn a_user_may_be_held_to_our_keys() {
    let server = RedisServer::start();
    let mut command = vec!["ACL", "SETUSER", "callgate", "on", ">hunter2"];
    command.extend(RIGHTS.split_whitespace());
    assert_eq!(said(&server, &command).trim(), "OK");
    let url = server.url().replace("redis://", "redis://callgate:hunter2@");
    everything_works(&RedisStore::connect(&url).unwrap()).await;
    // Nor for what others keep there, or for more than the store asks.
    for beyond in [
        &["FLUSHALL"][..],
        &["KEYS", "*"],
        &["CONFIG", "GET", "requirepass"],
        &["SCRIPT", "FLUSH"],
        &["FUNCTION", "FLUSH"],
        &["CLIENT", "KILL", "ID", "1"],
        &["GET", "another"],
    ] {
        let asked = [&["ACL", "DRYRUN", "callgate"], beyond].concat();
        assert!(said(&server, &asked).contains("ermission"), "{beyond:?}");
    }

    let options = Options { password: Some("hunter2".into()), ..Options::default() };
    let url = server.url().replace("redis://", "redis://callgate@");
    RedisStore::connect_with(&url, &options).unwrap().ping().await.unwrap();
}

/// Redis up to 7.0 has no word of its own for a right that is lacked in a script.
#[tokio::test]
async fn a_right_that_is_lacked_in_a_script_is_told_as_one() {
    let server = RedisServer::start();
    let mut command = vec!["ACL", "SETUSER", "callgate", "on", ">hunter2"];
    command.extend(RIGHTS.split_whitespace());
    command.push("-set");
    assert_eq!(said(&server, &command).trim(), "OK");
    let url = server.url().replace("redis://", "redis://callgate:hunter2@");
    let store = RedisStore::connect(&url).unwrap();
    store.ping().await.unwrap();
    let refused = store.commit(&first(fresh_call()), at(0)).await.unwrap_err();
    let told = "Redis refused with NOPERM (the user lacks a right: ";
    assert!(refused.to_string().contains(told), "{refused}");
}

/// A connection that nobody used while the primary was replaced leads to the new one at the first question.
#[tokio::test]
async fn who_asked_nothing_during_a_fail_over_is_answered_after_it() {
    let mut watched = Watched::start(2);
    let idle = RedisStore::connect(&watched.url()).unwrap();
    idle.ping().await.unwrap();
    watched.primary.stop();
    eventually_async("another primary", async || {
        RedisStore::connect(&watched.url()).unwrap().ping().await.ok()
    })
    .await;
    idle.ping().await.unwrap();
}

/// A right that only some turn needs is missed by nobody's call: all of them are tried, and those lacking are told.
async fn what_is_lacking_is_told(store: &RedisStore, servers: &[&RedisServer]) {
    store.rights().await.unwrap();
    for lacking in
        [&["zrem"][..], &["lpop"], &["getrange"], &["hset", "ttl", "type", "zadd"], &["set"]]
    {
        // On one server alone, where there are more.
        let server = servers.last().unwrap();
        for command in lacking {
            said(server, &["ACL", "SETUSER", "callgate", &format!("-{command}")]);
        }
        let refused = store.rights().await.unwrap_err();
        assert!(matches!(refused, StoreError::Refused(_)), "{refused:?}");
        let named: Vec<_> =
            lacking.iter().filter(|one| **one != "ttl").map(|one| format!("`{one}`")).collect();
        let told =
            format!("the user use {} on our keys; `ACL SETUSER <user> {RIGHTS}`", named.join(", "));
        assert!(refused.to_string().contains(&told), "{lacking:?}: {refused}");
        for command in lacking {
            said(server, &["ACL", "SETUSER", "callgate", &format!("+{command}")]);
        }
        store.rights().await.unwrap();
    }
    // Redis knows the script still, and would not after it was started anew. And by `info` it tells the time.
    for right in ["-script|load", "+script|load", "-info", "+info"] {
        assert_eq!(said(servers[0], &["ACL", "SETUSER", "callgate", right]).trim(), "OK");
        let told = store.rights().await.map_err(|refused| refused.to_string());
        assert_eq!(
            told.is_err_and(|told| told.contains(RIGHTS)),
            right.starts_with('-'),
            "{right}"
        );
    }
    for server in servers {
        assert_eq!(said(server, &["KEYS", "*"]), "\n", "nothing stays of it");
        let errors = said(server, &["INFO", "errorstats"]);
        assert!(!errors.contains("WRONGTYPE"), "{errors}");
    }
}

#[tokio::test]
async fn each_right_that_is_lacked_is_told() {
    let server = RedisServer::start();
    let_in(&server, &[]);
    let store = RedisStore::connect(&server.url().replace("redis://", &format!("redis://{LOGIN}")));
    let store = store.unwrap();
    what_is_lacking_is_told(&store, &[&server]).await;
    // Where nothing may be written for now, nothing is known.
    said(&server, &["REPLICAOF", "127.0.0.1", "1"]);
    let unknown = store.rights().await.unwrap_err();
    assert!(matches!(unknown, StoreError::Unavailable(_)), "{unknown:?}");
}

#[tokio::test]
async fn each_right_that_is_lacked_on_one_server_of_a_cluster_is_told() {
    let cluster = RedisCluster::start();
    let servers: Vec<_> = cluster.primaries().collect();
    for server in &servers {
        let_in(server, &["+cluster|slots"]);
    }
    let url = cluster.url().replace("redis+cluster://", &format!("redis+cluster://{LOGIN}"));
    what_is_lacking_is_told(&RedisStore::connect(&url).unwrap(), &servers).await;
}

/// A log-in with everything in its password that means something in an address, as Redis and as an address
/// has it.
const PASSWORD: &str = "a@b:c/d%e?f#g&h";
const LOGIN: &str = "callgate:a%40b%3Ac%2Fd%25e%3Ff%23g%26h@";

/// Lets the user in whom the handbook tells an operator to make, in a cluster with what it adds.
fn let_in(server: &RedisServer, more: &[&str]) {
    let password = format!(">{PASSWORD}");
    let mut command = vec!["ACL", "SETUSER", "callgate", "on", password.as_str()];
    command.extend(RIGHTS.split_whitespace());
    command.extend(more);
    assert_eq!(said(server, &command).trim(), "OK");
}

#[tokio::test]
async fn a_cluster_is_reached_by_tls_with_a_user_in_one_address() {
    let directory = tempfile::tempdir().unwrap();
    let bus = free_port().to_string();
    let mut clustered = vec!["--cluster-enabled", "yes", "--cluster-port", &bus];
    clustered.extend(["--tls-cluster", "yes", "--databases", "1"]);
    let (server, port, authority) = tls_server(directory.path(), &clustered);
    assert_eq!(said(&server, &["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).trim(), "OK");
    let_in(&server, &["+cluster|slots"]);
    eventually("the cluster to stand", || {
        said(&server, &["CLUSTER", "INFO"]).contains("cluster_state:ok").then_some(())
    });
    let url = format!("rediss+cluster://{LOGIN}127.0.0.1:{port}");
    let options = Options { ca_pem: Some(authority.into()), ..Options::default() };
    everything_works(&RedisStore::connect_with(&url, &options).unwrap()).await;

    let stranger = RedisStore::connect(&url).unwrap();
    stranger.ping().await.expect_err("nobody knows this authority");
    let nobody = RedisStore::connect_with(&url.replace("%26h", ""), &options).unwrap();
    nobody.ping().await.expect_err("another password");
}

/// The Sentinel wants a log-in of its own, and the certificate of all is of an authority of ours.
#[tokio::test]
async fn sentinels_are_reached_by_tls_with_users_in_one_address() {
    let directory = tempfile::tempdir().unwrap();
    let (server, port, authority) = tls_server(directory.path(), &[]);
    let_in(&server, &[]);
    let sentinel_port = free_port();
    let file = directory.path().join("sentinel.conf");
    let path = directory.path().display();
    let settings = format!(
        "requirepass \"{PASSWORD}\"\ntls-port {sentinel_port}\ntls-replication yes\ntls-auth-clients no\n\
         tls-cert-file {path}/server.pem\ntls-key-file {path}/server.key\n\
         tls-ca-cert-file {path}/authority.pem\nsentinel monitor calls 127.0.0.1 {port} 1\n"
    );
    std::fs::write(&file, settings).unwrap();
    let _sentinel = RedisServer::sentinel(file);

    let (_, password) = LOGIN.trim_end_matches('@').split_once(':').unwrap();
    let url = format!("rediss+sentinel://{LOGIN}127.0.0.1:{sentinel_port}/calls");
    let options = Options { ca_pem: Some(authority.into()), ..Options::default() };
    let with_login = format!("{url}?sentinel_password={password}");
    everything_works(&RedisStore::connect_with(&with_login, &options).unwrap()).await;

    let without = RedisStore::connect_with(&url, &options).unwrap();
    without.ping().await.expect_err("the Sentinel wants a log-in");
    let stranger = RedisStore::connect(&with_login).unwrap();
    stranger.ping().await.expect_err("nobody knows this authority");
}

#[tokio::test]
async fn a_redis_that_loses_calls_is_told_of() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.url()).unwrap();
    let told = store.outlook(SystemClock.now()).await.unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("keeps nothing on disk"), "{told:?}");
    let then = SystemClock.now() - SignedDuration::from_mins(10);
    let told = store.outlook(then).await.unwrap();
    assert!(told.len() == 2 && told[1].contains("seconds apart"), "{told:?}");

    said(&server, &["CONFIG", "SET", "appendonly", "yes"]);
    assert_eq!(store.outlook(SystemClock.now()).await.unwrap(), Vec::<String>::new());
    said(&server, &["CONFIG", "SET", "maxmemory", "100mb"]);
    assert_eq!(store.outlook(SystemClock.now()).await.unwrap(), Vec::<String>::new());
    said(&server, &["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let told = store.outlook(SystemClock.now()).await.unwrap();
    assert!(told[0].contains("`maxmemory-policy allkeys-lru`"), "{told:?}");
    said(&server, &["CONFIG", "SET", "appendonly", "no", "save", "60 1"]);
    assert!(store.outlook(SystemClock.now()).await.unwrap()[1].contains("snapshots only"));
}

/// Whoever takes connections and says nothing on them costs no more of a turn than one question may.
#[tokio::test]
async fn silence_from_the_first_is_waited_for_no_longer_than_one_question() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = silent.local_addr().unwrap();
    let urls = ["redis://{}", "redis+sentinel://{}/calls", "redis+cluster://{}"];
    join_all(urls.map(|url| url.replace("{}", &at.to_string())).map(async |url| {
        let store = RedisStore::connect(&url).unwrap();
        let asked = tokio::time::timeout(TURN_DEADLINE, store.ping());
        let answer = asked.await.unwrap_or_else(|_| panic!("{url}: still waiting"));
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{url}: {answer:?}");
    }))
    .await;
}

/// A connection that stands at neither end is given up soon, and made anew: it would be waited for long after the server
/// can be reached again.
#[tokio::test]
async fn a_connection_that_comes_to_nothing_is_made_anew() {
    let server = RedisServer::start();
    let relay = Relay::to(server.port);
    relay.swallow();
    let store = RedisStore::connect(&format!("redis://127.0.0.1:{}", relay.port)).unwrap();
    let answer = store.ping().await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    relay.mend();
    eventually_async("a connection that stands", async || store.ping().await.ok()).await;
}

/// Of each connection of ours to this port that stands: the timer that runs on it, as `/proc/net/tcp` has it.
fn timers(port: u16) -> Vec<String> {
    let ours: HashSet<_> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|open| std::fs::read_link(open.unwrap().path()).ok())
        .map(|open| open.display().to_string())
        .collect();
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let to = format!(":{port:04X}");
    let stand = rows.filter(|row| row[2].ends_with(&to) && row[3] == "01");
    let ours = stand.filter(|row| ours.contains(&format!("socket:[{}]", row[9])));
    ours.map(|row| row[5].split(':').next().unwrap().to_owned()).collect()
}

/// A firewall, or address translation, forgets a connection that nothing goes over for minutes and tells nobody: the
/// first turn of the morning would wait in vain for what it was asked.
#[tokio::test]
async fn a_connection_that_is_idle_is_asked_after() {
    let (server, watched, cluster) =
        (RedisServer::start(), Watched::start(1), RedisCluster::start());
    let of_the_cluster = cluster.nodes.iter().map(|node| node.port).collect();
    for (url, ports) in [
        (server.url(), vec![server.port]),
        (watched.url(), vec![watched.primary.port]),
        (cluster.url(), of_the_cluster),
    ] {
        let store = RedisStore::connect(&url).unwrap();
        store.ping().await.unwrap();
        // 02: it will be asked whether it still is there; 00: it will not; 01: an answer is still under way.
        eventually(&format!("idle connections of {url}"), || {
            let timers: Vec<_> = ports.iter().flat_map(|port| timers(*port)).collect();
            (!timers.is_empty() && timers.iter().all(|timer| timer == "02")).then_some(())
        });
    }
}

/// Each step of a question may be answered in time, and all of them too late for a turn.
#[tokio::test]
async fn a_question_of_many_slow_steps_is_given_up() {
    let server = RedisServer::start();
    let relay = Relay::to(server.port);
    let store = RedisStore::connect(&format!("redis://127.0.0.1:{}", relay.port)).unwrap();
    store.ping().await.unwrap();
    // It does not know the script yet: it is asked, told, and asked again.
    relay.slow_down(STORE_ANSWER_TIMEOUT * 9 / 10);
    assert!(STORE_ANSWER_TIMEOUT * 27 / 10 > STORE_QUESTION_TIMEOUT);
    let one = first(fresh_call());
    let answer = store.commit(&one, at(0)).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
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
