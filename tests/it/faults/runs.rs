//! Faults under load: many calls in progress, something is really killed, cut or filled up, and every
//! call is followed to its end.
//!
//! The same runs are small in the tests and large in `benches/faults.rs`, which writes `docs/faults.md`.

use std::cell::Cell;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::clock::{give_a_clock, set_clock};
use crate::support::cluster::{RedisCluster, Watched, let_follow, part};
use crate::support::crowd::{Crowd, Tally, done_again, done_anew};
use crate::support::eventually::eventually;
use crate::support::front::Proxy;
use crate::support::house::House;
use crate::support::provider::{Answer, Provider};
use crate::support::redis::{RedisServer, free_port};
use crate::support::relay::Relay;

/// The head of the table that [`Outcome::row`] is a line of.
pub(crate) const HEAD: &str = "| fault | setting | in progress | calls | webhooks | affected | put through \
     | turned down | lost | turns at risk | turns forgotten | done anew | messages again | rings again \
     | normal after, s |";
/// What stands under it.
pub(crate) const RULE: &str = "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|";

/// How large a run is.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    /// Callers, who ring again and again.
    pub(crate) callers: usize,
    /// The time in which all have rung for the first time: about a call's, so that a fault meets calls in
    /// all their states.
    pub(crate) within: Duration,
    /// What each thinks before each answer.
    pub(crate) think: Duration,
    /// Calls that must end after the fault before the run does.
    pub(crate) more: usize,
}

/// What a fault may take with it of turns that were answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forgets {
    Nothing,
    /// What a primary that dies had not told its replica yet: that of a moment.
    TheLast,
    /// Some of so many webhooks, answered while the replica heard nothing.
    Of(usize),
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) fault: &'static str,
    pub(crate) setting: &'static str,
    pub(crate) in_progress: usize,
    pub(crate) tally: Tally,
    /// Messages sent once more than once, and rings.
    pub(crate) again: (usize, usize),
    /// Messages and rings that a call asked for a second time, under another key.
    pub(crate) anew: usize,
    /// What may be forgotten of turns that were answered.
    pub(crate) forgets: Forgets,
    /// From the fault until the last webhook that went wrong.
    pub(crate) normal_after: Duration,
}

impl Outcome {
    /// A line of the table of faults.
    pub(crate) fn row(&self) -> String {
        let Self { fault, setting, in_progress, tally, again: (messages, rings), anew, .. } = self;
        let at_risk = match self.forgets {
            Forgets::Nothing => "0".into(),
            Forgets::TheLast => "the last".into(),
            Forgets::Of(turns) => turns.to_string(),
        };
        let Tally { webhooks, whole, turned_down, put_through, lost, affected, forgotten, .. } =
            tally;
        let calls = whole + turned_down + put_through + lost.len();
        format!(
            "| {fault} | {setting} | {in_progress} | {calls} | {webhooks} | {affected} | {put_through} | \
             {turned_down} | {} \
             | {at_risk} | {forgotten} | {anew} | {messages} | {rings} | {:.1} |",
            lost.len(),
            self.normal_after.as_secs_f64()
        )
    }

    /// What must be so whatever fails: every call came to an end that a call may have, and nobody was rung
    /// twice under one key and nothing was done anew but by a turn that a fail-over has forgotten, known to
    /// its caller or not. (That a ring was placed is such a turn.)
    #[track_caller]
    pub(crate) fn check(&self) {
        assert_eq!(self.tally.lost, Vec::<String>::new(), "{}: calls are lost", self.fault);
        assert_eq!(self.again.1, 0, "{}: somebody was rung twice", self.fault);
        let Tally { forgotten, ref bad, .. } = self.tally;
        let may_forget = self.forgets != Forgets::Nothing;
        let turns_taken_again = if may_forget { forgotten + bad.len() } else { 0 };
        assert!(self.anew <= turns_taken_again, "{}: done anew: {}", self.fault, self.anew);
        assert!(may_forget || self.again.0 == 0, "{}: sent twice: {}", self.fault, self.again.0);
        match self.forgets {
            Forgets::Nothing => assert_eq!(forgotten, 0, "{}: turns forgotten", self.fault),
            Forgets::TheLast => {}
            // Were none forgotten, the run would have shown nothing.
            Forgets::Of(turns) => {
                assert!((1..=turns).contains(&forgotten), "{}: {forgotten} forgotten", self.fault);
            }
        }
        assert!(self.tally.whole > 0, "{}: no call came to its own end", self.fault);
    }
}

/// A run: callers, a fault, more callers, and the end of every call.
async fn run(
    (fault, setting): (&'static str, &'static str),
    front: &str,
    provider: &Arc<Provider>,
    size: Size,
    strike: impl AsyncFnOnce(&Crowd),
) -> Outcome {
    provider.go_by_the_clock();
    let crowd = Crowd::ring(front, provider, size.callers, size.within, size.think);
    crowd.all_in_progress().await;
    let in_progress = crowd.in_progress();
    let struck = Instant::now();
    strike(&crowd).await;
    crowd.more_over(size.more).await;
    let tally = crowd.go_home().await;
    let last = tally.bad.iter().max().copied().unwrap_or(struck);
    Outcome {
        fault,
        setting,
        in_progress,
        again: done_again(provider),
        anew: done_anew(provider),
        forgets: Forgets::Nothing,
        normal_after: last.saturating_duration_since(struck),
        tally,
    }
}

/// Two servers behind a proxy.
struct Pair {
    one: House,
    two: House,
    proxy: Proxy,
}

impl Pair {
    fn start(store: &str, provider: &Provider, size: Size) -> Self {
        Self::start_with("", store, provider, size)
    }

    /// With a table more in both configurations.
    fn start_with(table: &str, store: &str, provider: &Provider, size: Size) -> Self {
        let server = || {
            let mut house = House::set_up(store, &provider.api_base());
            house.log_level = "info";
            house.change_configuration("[twilio]", &format!("{table}[twilio]"));
            Crowd::settle_in(&house, size.callers);
            let (public, admin) = (free_port(), free_port());
            house.change_configuration(
                "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"",
                &format!("listen = \"127.0.0.1:{public}\"\nadmin_listen = \"127.0.0.1:{admin}\""),
            );
            house.restart();
            (house, (public, admin))
        };
        let ((one, ports_of_one), (two, ports_of_two)) = (server(), server());
        Self { one, two, proxy: Proxy::before(&[ports_of_one, ports_of_two]) }
    }
}

/// One of two servers is killed, and started again.
pub(crate) async fn a_server_is_killed(size: Size) -> Outcome {
    let provider = Arc::new(Provider::start());
    let redis = RedisServer::start();
    let mut pair = Pair::start(&redis.url(), &provider, size);
    let front = pair.proxy.url.clone();
    let named = ("a server is killed (SIGKILL), and started again", "two servers, Redis");
    run(named, &front, &provider, size, async |_| {
        pair.one.kill();
        pair.one.restart();
    })
    .await
}

/// The server that is about to hear what became of messages and rings is killed; another finds out.
pub(crate) async fn a_server_is_killed_in_mid_delivery(size: Size) -> Outcome {
    let provider = Arc::new(Provider::start());
    let redis = RedisServer::start();
    let mut pair = Pair::start(&redis.url(), &provider, size);
    let front = pair.proxy.url.clone();
    let named = ("a server is killed while the provider keeps it waiting", "two servers, Redis");
    let hanging = size.callers.div_ceil(4);
    run(named, &front, &provider, size, async |_| {
        let before = provider.look(|requests, _| requests.len());
        for _ in 0..hanging {
            provider.next(Answer::Hang);
        }
        eventually("the provider to keep somebody waiting", || {
            let now = provider.look(|requests, _| requests.len());
            (now >= before + hanging / 2).then_some(())
        });
        provider.usual_again();
        pair.two.kill();
        pair.two.restart();
    })
    .await
}

/// The primary that Sentinels watch is killed.
pub(crate) async fn the_primary_behind_sentinels_is_killed(size: Size) -> Outcome {
    let provider = Arc::new(Provider::start());
    let mut watched = Watched::start(1);
    let pair = Pair::start(&watched.url(), &provider, size);
    let named = ("the Redis primary is killed", "two servers, Sentinel");
    let outcome =
        run(named, &pair.proxy.url, &provider, size, async |_| watched.primary.stop()).await;
    Outcome { forgets: Forgets::TheLast, ..outcome }
}

/// One of three primaries of a cluster is killed.
pub(crate) async fn a_primary_of_a_cluster_is_killed(size: Size) -> Outcome {
    let provider = Arc::new(Provider::start());
    let mut cluster = RedisCluster::start();
    let pair = Pair::start(&cluster.url(), &provider, size);
    let port = cluster.primaries().next().unwrap().port;
    let named = ("one of three Redis primaries is killed", "two servers, Cluster");
    let outcome = run(named, &pair.proxy.url, &provider, size, async |_| {
        cluster.nodes.iter_mut().find(|node| node.port == port).unwrap().stop();
    })
    .await;
    Outcome { forgets: Forgets::TheLast, ..outcome }
}

/// How long a primary goes on without its replica before it dies, and takes with it what it was told
/// meanwhile; and at most, where that is next to nothing on a slow machine.
const UNHEARD: Duration = Duration::from_secs(1);
const UNHEARD_MAX: Duration = Duration::from_secs(3);

/// Parts a primary and its replica for a while, and says how many webhooks were sent meanwhile and just before.
async fn unheard(crowd: &Crowd, primary: &RedisServer, replica: &RedisServer) -> usize {
    let before = crowd.tally().webhooks;
    part(primary, replica);
    let (parted, at) = (Instant::now(), crowd.tally().webhooks);
    let is_enough = || crowd.tally().webhooks >= at + crowd.in_progress();
    while parted.elapsed() < UNHEARD || (!is_enough() && parted.elapsed() < UNHEARD_MAX) {
        tokio::time::sleep(UNHEARD / 20).await;
    }
    crowd.tally().webhooks - before
}

/// The primary that Sentinels watch dies with a second of turns that its replica never heard of.
pub(crate) async fn the_primary_behind_sentinels_takes_turns_with_it(size: Size) -> Outcome {
    let provider = Arc::new(Provider::start());
    let mut watched = Watched::start(1);
    let pair = Pair::start(&watched.url(), &provider, size);
    let named = (
        "the Redis primary is killed a second after its replica was cut off",
        "two servers, Sentinel",
    );
    let turns = Cell::new(0);
    let outcome = run(named, &pair.proxy.url, &provider, size, async |crowd| {
        turns.set(unheard(crowd, &watched.primary, &watched.replicas[0]).await);
        watched.primary.stop();
    })
    .await;
    Outcome { forgets: Forgets::Of(turns.get()), ..outcome }
}

/// A primary of a cluster does.
pub(crate) async fn a_primary_of_a_cluster_takes_turns_with_it(size: Size) -> Outcome {
    let provider = Arc::new(Provider::start());
    let mut cluster = RedisCluster::start();
    let pair = Pair::start(&cluster.url(), &provider, size);
    let port = cluster.primaries().next().unwrap().port;
    let named = (
        "one of three Redis primaries is killed a second after its replica was cut off",
        "two servers, Cluster",
    );
    let turns = Cell::new(0);
    let outcome = run(named, &pair.proxy.url, &provider, size, async |crowd| {
        let (primary, replica) = cluster.with_replica(port);
        turns.set(unheard(crowd, primary, replica).await);
        cluster.nodes.iter_mut().find(|node| node.port == port).unwrap().stop();
    })
    .await;
    Outcome { forgets: Forgets::Of(turns.get()), ..outcome }
}

/// Where a turn is answered only when a replica has it, the same takes nothing with it.
pub(crate) async fn a_primary_takes_nothing_that_a_replica_must_have(size: Size) -> Outcome {
    let provider = Arc::new(Provider::start());
    let mut watched = Watched::start(2);
    let pair = Pair::start_with("[redis]\nreplicas = 1\n", &watched.url(), &provider, size);
    let named = (
        "the same, and no turn is answered before a replica has it",
        "two servers, Sentinel, `replicas = 1`",
    );
    run(named, &pair.proxy.url, &provider, size, async |crowd| {
        unheard(crowd, &watched.primary, &watched.replicas[0]).await;
        watched.primary.stop();
        // The other one is primary now, and needs a replica to answer any turn.
        let_follow(&watched.replicas[0]);
    })
    .await
}

/// Nothing goes between the server and Redis for a while.
pub(crate) async fn the_network_is_cut(size: Size) -> Outcome {
    let provider = Arc::new(Provider::start());
    let redis = RedisServer::start();
    let relay = Relay::to(redis.port);
    let house = alone(&format!("redis://127.0.0.1:{}", relay.port), &provider, size, Vec::new());
    let named = ("the network to Redis is cut for eight seconds", "one server, Redis");
    run(named, &house.public(), &provider, size, async |_| {
        relay.cut();
        tokio::time::sleep(Duration::from_secs(8)).await;
        relay.mend();
    })
    .await
}

/// The disk of the embedded store is full for a while: no byte more can be written.
pub(crate) async fn the_disk_is_full(size: Size) -> Outcome {
    let provider = Arc::new(Provider::start());
    let house = alone("embedded:callgate.redb", &provider, size, deaf_to("XFSZ"));
    let file = house.folder.path().join("callgate.redb");
    let named = ("the disk is full for eight seconds", "one server, embedded store");
    run(named, &house.public(), &provider, size, async |_| {
        let half = std::fs::metadata(&file).unwrap().len() / 2;
        limit_files(&house, &half.to_string());
        tokio::time::sleep(Duration::from_secs(8)).await;
        limit_files(&house, "unlimited");
    })
    .await
}

/// The embedded store's file cannot be written at all for a while.
pub(crate) async fn the_file_is_read_only(size: Size) -> Outcome {
    let provider = Arc::new(Provider::start());
    let house = alone("embedded:callgate.redb", &provider, size, deaf_to("XFSZ"));
    let named = ("the file takes no writes for eight seconds", "one server, embedded store");
    run(named, &house.public(), &provider, size, async |_| {
        limit_files(&house, "0");
        tokio::time::sleep(Duration::from_secs(8)).await;
        limit_files(&house, "unlimited");
    })
    .await
}

/// The clock is set a day forward, and then back.
pub(crate) async fn the_clock_is_set(size: Size) -> Outcome {
    let provider = Arc::new(Provider::start());
    let redis = RedisServer::start();
    let mut house = House::set_up(&redis.url(), &provider.api_base());
    house.log_level = "info";
    Crowd::settle_in(&house, size.callers);
    give_a_clock(&mut house, "+0");
    house.restart();
    let named = ("the clock is set a day forward, then two minutes back", "one server, Redis");
    run(named, &house.public(), &provider, size, async |_| {
        set_clock(&house, "+86400");
        tokio::time::sleep(size.think * 4).await;
        set_clock(&house, "-120");
    })
    .await
}

fn alone(store: &str, provider: &Provider, size: Size, under: Vec<String>) -> House {
    let mut house = House::set_up(store, &provider.api_base());
    house.log_level = "info";
    house.under = under;
    Crowd::settle_in(&house, size.callers);
    house.restart();
    house
}

/// Runs a program so that this signal is not the end of it, but an error where it comes from.
fn deaf_to(signal: &str) -> Vec<String> {
    let script = format!("trap '' {signal}; exec \"$@\"");
    ["sh", "-c", &script, "sh"].map(str::to_owned).to_vec()
}

/// No file of the server's may be written beyond so many bytes: to the program it is what a full disk is.
fn limit_files(house: &House, bytes: &str) {
    let pid = house.pid().to_string();
    let limit = format!("--fsize={bytes}:");
    let status = Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap();
    assert!(status.success());
}
