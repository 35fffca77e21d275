//! More than one worker, more than one server, and a Cluster below them.

use std::fmt::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use super::call::{Script, fresh_run};
use super::load::Callers;
use super::report::{Section, number};
use super::servers::{Redis, Server, free_port};
use super::versus::{CONNECTIONS, median};

const SLICE: Duration = Duration::from_secs(2);
const ROUNDS: usize = 5;
const CLUSTER_MAX: Duration = Duration::from_secs(30);

/// Three primaries, without replicas: all the work of a cluster and none of its waiting.
struct Cluster(Vec<Redis>);

impl Cluster {
    fn start() -> Self {
        let nodes: Vec<_> = (0..3)
            .map(|_| {
                let bus = free_port().to_string();
                Redis::start_with(&[
                    "--cluster-enabled",
                    "yes",
                    "--cluster-port",
                    &bus,
                    "--databases",
                    "1",
                ])
            })
            .collect();
        let made = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)))
            .args(["--cluster-replicas", "0", "--cluster-yes"])
            .output()
            .expect("redis-cli comes with redis-server");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        let begun = Instant::now();
        while !nodes.iter().all(|node| node.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok"))
        {
            assert!(begun.elapsed() < CLUSTER_MAX, "the cluster does not become whole");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self(nodes)
    }

    fn url(&self) -> String {
        let hosts: Vec<_> = self.0.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }
}

/// Servers that share the load.
struct Row {
    name: &'static str,
    servers: Vec<Server>,
    callers: Vec<Callers>,
    rates: Vec<f64>,
    cpu_us: Vec<f64>,
    wrong: u64,
}

impl Row {
    fn new(name: &'static str, servers: Vec<Server>) -> Self {
        let each = CONNECTIONS / servers.len();
        let callers = servers.iter();
        let callers = callers
            .map(|server| Callers::new(server.address(), Script::Balance, fresh_run(), each));
        let callers = callers.collect();
        Self { name, servers, callers, rates: Vec::new(), cpu_us: Vec::new(), wrong: 0 }
    }

    async fn slice(&mut self) {
        let cpu_ns = |servers: &[Server]| servers.iter().map(Server::cpu_ns).sum::<u64>();
        let before = cpu_ns(&self.servers);
        let slices = self.callers.iter().map(|callers| callers.as_fast_as_answered(SLICE));
        let slices = futures_util::future::join_all(slices).await;
        let used_us = (cpu_ns(&self.servers) - before) as f64 / 1_000.0;
        let answers: u64 = slices.iter().map(|slice| slice.answers).sum();
        self.rates.push(slices.iter().map(super::load::Slice::rate).sum());
        self.cpu_us.push(used_us / answers.max(1) as f64);
        self.wrong += slices.iter().map(|slice| slice.wrong).sum::<u64>();
    }
}

pub(crate) fn section() -> Section {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime needs little");
    let (redis, cluster) = (Redis::start(), Cluster::start());
    let url = cluster.url();
    let mut rows = vec![
        Row::new("Redis, one server, 1 worker", vec![Server::callgate(&redis.url(0), "0")]),
        Row::new("Redis, one server, 2 workers", vec![Server::callgate(&redis.url(1), "0-1")]),
        Row::new("Cluster of 3, one server, 1 worker", vec![Server::callgate(&url, "0")]),
        Row::new(
            "Cluster of 3, two servers, 1 worker each",
            vec![Server::callgate(&url, "0"), Server::callgate(&url, "1")],
        ),
    ];
    for round in 0..=ROUNDS {
        for row in &mut rows {
            runtime.block_on(row.slice());
            if round == 0 {
                // That was the warm-up.
                row.rates.clear();
                row.cpu_us.clear();
            }
        }
    }
    let mut text = format!(
        "{CONNECTIONS} connections in all, each sending as soon as it is answered; medians of {ROUNDS} slices of {} s, which alternate. Redis\n\
         and the load run on core 1, so on a machine with two cores a second worker or server takes from them what it\n\
         gains: this shows what it costs, not what more cores would bring.\n\n| | webhooks/s | µs of a core | wrong |\n|---|---|---|---|\n",
        SLICE.as_secs()
    );
    for row in &rows {
        let (rate, cpu_us) = (number(median(&row.rates)), median(&row.cpu_us));
        let _ = writeln!(text, "| {} | {rate} | {cpu_us:.1} | {} |", row.name, row.wrong);
    }
    Section { title: "Workers, servers and the Cluster", text, goals: Vec::new() }
}
