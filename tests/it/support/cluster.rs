//! Real Redis of more than one server: a cluster, and a primary that Sentinels watch.

use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

use super::eventually::eventually;
use super::redis::{RedisServer, free_port};

/// Three primaries and a replica of each.
pub(crate) struct RedisCluster {
    pub(crate) nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// One in which a replica soon takes over from a primary that says nothing.
    pub(crate) fn start() -> Self {
        Self::giving_up_after("1000")
    }

    /// One in which none takes over from another, whatever else the machine does.
    pub(crate) fn steady() -> Self {
        Self::giving_up_after("20000")
    }

    /// So many milliseconds a node may say nothing.
    fn giving_up_after(timeout: &str) -> Self {
        let nodes: Vec<_> = (0..6)
            .map(|_| {
                let bus = free_port().to_string();
                RedisServer::start_with(&[
                    "--cluster-enabled",
                    "yes",
                    "--cluster-port",
                    &bus,
                    "--cluster-node-timeout",
                    timeout,
                    "--databases",
                    "1",
                ])
            })
            .collect();
        let addresses = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
        let made = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(addresses)
            .args(["--cluster-replicas", "1", "--cluster-yes"])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        let cluster = Self { nodes };
        eventually("every node to know every slot, and every replica its primary", || {
            let whole = cluster.nodes.iter().all(|node| {
                let known = info(node, "cluster", "cluster_state:ok");
                let replica = !said(node, &["ROLE"]).starts_with("slave");
                known && (replica || info(node, "replication", "master_link_status:up"))
            });
            whole.then_some(())
        });
        cluster
    }

    /// The one that tests share, one after the other; empty.
    pub(crate) async fn alone() -> (&'static Self, MutexGuard<'static, ()>) {
        static SHARED: OnceLock<RedisCluster> = OnceLock::new();
        static ONE: Mutex<()> = Mutex::const_new(());
        let guard = ONE.lock().await;
        let cluster = SHARED.get_or_init(Self::steady);
        for node in cluster.primaries() {
            said(node, &["FLUSHALL"]);
        }
        (cluster, guard)
    }

    pub(crate) fn url(&self) -> String {
        let hosts: Vec<_> =
            self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// The node at this port, and the one that follows it.
    pub(crate) fn with_replica(&self, port: u16) -> (&RedisServer, &RedisServer) {
        let follows = format!("slave\n127.0.0.1\n{port}\n");
        let find = |is: &dyn Fn(&RedisServer) -> bool| self.nodes.iter().find(|node| is(node));
        let replica = find(&|node| said(node, &["ROLE"]).starts_with(&follows));
        (find(&|node| node.port == port).unwrap(), replica.unwrap())
    }

    pub(crate) fn primaries(&self) -> impl Iterator<Item = &RedisServer> {
        self.nodes.iter().filter(|node| said(node, &["ROLE"]).starts_with("master"))
    }
}

/// A primary, its replicas, and three Sentinels.
pub(crate) struct Watched {
    pub(crate) primary: RedisServer,
    pub(crate) replicas: Vec<RedisServer>,
    sentinels: Vec<RedisServer>,
    _files: TempDir,
}

impl Watched {
    pub(crate) fn start(replicas: usize) -> Self {
        let primary = RedisServer::start();
        let of = format!("127.0.0.1 {}", primary.port);
        let replicas: Vec<_> = (0..replicas)
            .map(|_| RedisServer::start_with(&["--replicaof", &of]))
            .inspect(|replica| {
                eventually("the replica to follow", || {
                    info(replica, "replication", "master_link_status:up").then_some(())
                });
            })
            .collect();
        let files = tempfile::tempdir().unwrap();
        let sentinels: Vec<_> = (0..3)
            .map(|n| {
                let file = files.path().join(format!("{n}.conf"));
                let settings = format!(
                    "sentinel monitor calls {of} 2\n\
                     sentinel down-after-milliseconds calls 500\n\
                     sentinel failover-timeout calls 3000\n"
                );
                std::fs::write(&file, settings).unwrap();
                RedisServer::sentinel(file)
            })
            .collect();
        let slaves = format!("num-slaves\n{}", replicas.len());
        eventually("the Sentinels to know each other and the replicas", || {
            let known = sentinels.iter().all(|sentinel| {
                let calls = said(sentinel, &["SENTINEL", "MASTER", "calls"]);
                calls.contains("num-other-sentinels\n2") && calls.contains(&slaves)
            });
            known.then_some(())
        });
        Self { primary, replicas, sentinels, _files: files }
    }

    pub(crate) fn url(&self) -> String {
        let hosts: Vec<_> =
            self.sentinels.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis+sentinel://{}/calls", hosts.join(","))
    }

    /// Has the Sentinels put a replica in the place of a primary that nothing is wrong with.
    pub(crate) fn fail_over(&self) {
        said(&self.sentinels[0], &["SENTINEL", "FAILOVER", "calls"]);
        eventually("a replica to be the primary", || {
            let roles = self.replicas.iter().map(|replica| said(replica, &["ROLE"]));
            roles.into_iter().any(|role| role.starts_with("master")).then_some(())
        });
    }
}

/// From now on the replica hears nothing of what its primary is told, as over a slow or broken line; nobody
/// else is told.
pub(crate) fn part(primary: &RedisServer, replica: &RedisServer) {
    // It would be back at once if it were let in.
    said(replica, &["CONFIG", "SET", "masteruser", "nobody"]);
    said(replica, &["CONFIG", "SET", "masterauth", "nobody"]);
    said(primary, &["CLIENT", "KILL", "TYPE", "replica"]);
    eventually("the replica to hear nothing", || {
        info(replica, "replication", "master_link_status:down").then_some(())
    });
}

/// Lets it follow whoever is primary by now.
pub(crate) fn let_follow(replica: &RedisServer) {
    said(replica, &["CONFIG", "SET", "masteruser", ""]);
    said(replica, &["CONFIG", "SET", "masterauth", ""]);
}

/// What a server answers to a command, one value a line; empty: it is not there.
pub(crate) fn said(server: &RedisServer, command: &[&str]) -> String {
    let answer = Command::new("redis-cli")
        .args(["-p", &server.port.to_string()])
        .args(command)
        .output()
        .unwrap();
    String::from_utf8(answer.stdout).unwrap().replace('\r', "")
}

/// When the effects that wait in a server are due, in microseconds since 1970.
pub(crate) fn effects_due(server: &RedisServer) -> Vec<i64> {
    let lists = said(server, &["KEYS", "*:due4"]);
    let whole = |key: &str| said(server, &["ZRANGE", key, "0", "-1", "WITHSCORES"]);
    let all: String = lists.lines().map(whole).collect();
    let (mut lines, mut due) = (all.lines(), Vec::new());
    while let (Some(member), Some(at)) = (lines.next(), lines.next()) {
        due.extend(member.starts_with("e:").then(|| at.parse::<i64>().unwrap()));
    }
    due
}

fn info(server: &RedisServer, section: &str, wanted: &str) -> bool {
    let command: &[&str] =
        if section == "cluster" { &["CLUSTER", "INFO"] } else { &["INFO", section] };
    said(server, command).lines().any(|line| line == wanted)
}
