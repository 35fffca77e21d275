//! Two servers behind a proxy, on one cluster: any of them answers any turn, and each may be started
//! anew while calls go on.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use callgate::clock::{Clock as _, SystemClock};
use futures_util::future::join_all;

use crate::support::cluster::{RedisCluster, effects_due, said};
use crate::support::eventually::eventually_async;
use crate::support::front::Proxy;
use crate::support::house::{ACCOUNT, House, PIN, client};
use crate::support::provider::Provider;
use crate::support::redis::{RedisServer, free_port};
use crate::support::telephone::Telephone;

const CALLERS: usize = 8;

/// A server at fixed ports, with an account for each caller.
fn server(store: &str, provider: &Provider) -> (House, (u16, u16)) {
    let house = House::set_up(store, &provider.api_base());
    let (public, admin) = (free_port(), free_port());
    house.change_configuration(
        "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"",
        &format!("listen = \"127.0.0.1:{public}\"\nadmin_listen = \"127.0.0.1:{admin}\""),
    );
    let path = house.folder.path().join("accounts.toml");
    let one = std::fs::read_to_string(&path).unwrap();
    let all: String = (0..CALLERS)
        .map(|n| one.replace(ACCOUNT, &account(n)).replace("+15005550010", &mobile(n)))
        .collect();
    std::fs::write(&path, all).unwrap();
    (house, (public, admin))
}

fn account(n: usize) -> String {
    format!("7319552{n}")
}

fn mobile(n: usize) -> String {
    format!("+1500555002{n}")
}

/// Rings, proves a PIN and says goodbye, each turn through whichever server the proxy chooses. Who calls thinks before
/// they key something in: the processors are the servers' own.
async fn whole_call(front: &House, sid: &str, caller: usize) {
    let think = || tokio::time::sleep(Duration::from_millis(100));
    let mut phone = Telephone::new(sid, &mobile(caller));
    phone.ring(front).await;
    assert!(phone.spoken().contains("account number"), "{sid}: {}", phone.spoken());
    think().await;
    phone.key(front, &account(caller)).await;
    assert_eq!(phone.spoken(), "Please key in your PIN.", "{sid}");
    think().await;
    phone.key(front, PIN).await;
    assert!(phone.spoken().starts_with("For your balance"), "{sid}: {}", phone.spoken());
    think().await;
    phone.key(front, "9").await;
    assert_eq!(phone.spoken(), "Thank you. Goodbye.", "{sid}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_are_started_anew_one_by_one_and_no_turn_is_lost() {
    let cluster = RedisCluster::steady();
    let provider = Provider::start();
    let (mut one, ports_of_one) = server(&cluster.url(), &provider);
    let (mut two, ports_of_two) = server(&cluster.url(), &provider);
    one.restart();
    two.restart();
    let proxy = Proxy::before(&[ports_of_one, ports_of_two]);
    let mut front = House::set_up("memory:", &provider.api_base());
    front.stand_behind(proxy.url.clone());
    let front = Arc::new(front);
    eventually_async("the proxy to know both servers", async || {
        front.post("/", &[]).await.0.ne(&503).then_some(())
    })
    .await;

    let stop = Arc::new(AtomicBool::new(false));
    let calls = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (front, stop, calls) = (front.clone(), stop.clone(), calls.clone());
            tokio::spawn(async move {
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    whole_call(&front, &format!("CA{caller:02}{n:06}"), caller).await;
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();

    let more = async |count: usize| {
        let before = calls.load(Ordering::Relaxed);
        eventually_async("more calls to come to their end", async || {
            let dead = callers.iter().any(tokio::task::JoinHandle::is_finished);
            (dead || calls.load(Ordering::Relaxed) >= before + count).then_some(())
        })
        .await;
    };
    more(CALLERS).await;
    for server in [&mut one, &mut two] {
        server.terminate();
        assert_eq!(server.wait(), Some(0));
        more(CALLERS).await;
        server.restart();
        more(CALLERS).await;
    }
    stop.store(true, Ordering::Relaxed);
    for caller in join_all(callers).await {
        caller.unwrap();
    }
    for server in [&one, &two] {
        let turns = server.metrics().await;
        let turns = turns.lines().find(|line| line.contains("route=\"Turn\",outcome=\"Turn\""));
        assert!(turns.is_some(), "each server took turns");
    }
}

/// What a caller may try, and where a call leads, must not depend on which server answers. Neither the log nor the
/// metrics tell what a server has in place of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_are_set_up_otherwise_are_told_in_what() {
    const TOLD: &str = "another server of this store is set up otherwise";
    let redis = RedisServer::start();
    let nobody = "http://127.0.0.1:9";
    let one = House::start(&redis.url(), nobody);
    let mut two = House::set_up(&redis.url(), nobody);
    let file = |house: &House, name: &str| house.folder.path().join(name);
    std::fs::copy(file(&one, "accounts.toml"), file(&two, "accounts.toml")).unwrap();
    let alike = std::fs::read_to_string(file(&two, "callgate.toml")).unwrap();
    two.change_configuration(
        "[lines]\n",
        "[policy.pin]\nsoft_limit = 7\n[lines]\n\"*\" = { flow = \"desk\" }\n",
    );
    two.restart();

    let parts = "\"parts\":\"lines, policy.pin\"";
    for house in [&one, &two] {
        house.logs(TOLD);
        house.logs(parts);
        let ready = client().get(format!("{}/health/ready", house.admin())).send().await.unwrap();
        assert_eq!(ready.status(), 200, "servers that are replaced one by one differ for a while");
        let told = ready.text().await.unwrap();
        assert!(told.contains("\"unlike_others\":[\"lines\",\"policy.pin\"]"), "{told}");
    }
    let (shown, others) = (one.metrics().await, two.metrics().await);
    for (part, differs) in
        [("lines", true), ("policy.pin", true), ("policy.otp", false), ("accounts", false)]
    {
        let metric = format!("callgate_settings_info{{part=\"{part}\",fingerprint=\"");
        let line =
            |page: &str| page.lines().find(|line| line.starts_with(&metric)).map(str::to_owned);
        assert!(line(&shown).is_some(), "{part}: {shown}");
        assert_eq!(line(&shown) != line(&others), differs, "{part}");
        let flag = format!("callgate_settings_differ{{part=\"{part}\"}} {}\n", u8::from(differs));
        assert!(shown.contains(&flag) && others.contains(&flag), "{flag}: {shown}");
    }
    assert!(shown.contains("callgate_servers 2\n"), "{shown}");

    // Set right and started anew, they are alike, though the one that was killed has said otherwise not long ago.
    std::fs::write(file(&two, "callgate.toml"), alike).unwrap();
    let before = two.log().len();
    two.restart();
    eventually_async("servers that are alike", async || {
        let (shown, others) = (one.metrics().await, two.metrics().await);
        let is_well = |page: &String| {
            page.contains("callgate_servers 2\n")
                && !page.contains("callgate_settings_differ{part=\"lines\"} 1\n")
        };
        [shown, others].iter().all(is_well).then_some(())
    })
    .await;
    one.logs("all servers of this store that are there are set up alike");
    assert!(!two.log()[before..].contains(TOLD), "{}", two.log());
    // A flow that only one of them has read is a difference, and stays one.
    let flow = file(&two, "flows/desk.toml");
    let text = std::fs::read_to_string(&flow).unwrap();
    std::fs::write(&flow, text.replace("Goodbye", "Farewell")).unwrap();
    eventually_async("both to tell of the flow", async || {
        let (shown, others) = (one.metrics().await, two.metrics().await);
        let differ = "callgate_settings_differ{part=\"flows\"} 1\n";
        [shown, others].iter().all(|page| page.contains(differ)).then_some(())
    })
    .await;
    for house in [&one, &two] {
        house.logs("\"parts\":\"flows\"");
    }
}

/// Whoever wrote over what servers note of themselves has kept them from comparing: that must not go unnoticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_of_servers_that_were_written_over_are_told_of() {
    const TOLD: &str = "what the servers of this store have noted of themselves cannot be read";
    let redis = RedisServer::start();
    let house = House::start(&redis.url(), "http://127.0.0.1:9");
    let mut connection = RedisServer::connection(&redis.url());
    let keys = eventually_async("the notes", async || {
        let keys = redis::cmd("KEYS").arg("*:rec:servers:*").query::<Vec<String>>(&mut connection);
        keys.ok().filter(|keys| !keys.is_empty())
    })
    .await;
    redis::cmd("SET").arg(&keys[0]).arg("hunter2").exec(&mut connection).unwrap();
    house.logs(TOLD);
    house.hides(&["hunter2"]);
}

/// A call at the menu.
async fn at_menu(house: &House, sid: &str) -> Telephone {
    let mut phone = Telephone::new(sid, "+15005550777");
    phone.ring(house).await;
    phone.key(house, ACCOUNT).await;
    phone.key(house, PIN).await;
    phone
}

/// The turn that a caller waits for is answered, and the message that is being sent is settled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_under_way_when_a_server_is_told_to_stop_is_finished() {
    let provider = Arc::new(Provider::start());
    let redis = RedisServer::start();
    let house = Arc::new(House::start(&redis.url(), &provider.api_base()));
    let mut one = at_menu(&house, "CA1").await;
    let mut other = at_menu(&house, "CA2").await;

    // The provider is long about it.
    let (go_on, told) = mpsc::channel::<()>();
    let (holds, held) = mpsc::channel();
    let busy = std::thread::spawn({
        let provider = provider.clone();
        move || {
            provider.look(|_, _| {
                holds.send(()).unwrap();
                let _ = told.recv();
            });
        }
    });
    held.recv().unwrap();
    one.key(&house, "1").await;
    let due = || effects_due(&redis).first().copied();
    let begun = SystemClock.now().as_microsecond();
    eventually_async("the message to be in hand", async || {
        due().is_some_and(|due| due > begun + 10_000_000).then_some(())
    })
    .await;

    redis.freeze();
    let asked = {
        let house = house.clone();
        tokio::spawn(async move {
            other.key(&house, "9").await;
            other.spoken()
        })
    };
    eventually_async("a turn under way", async || {
        house.metrics().await.contains("\ncallgate_turns_in_progress 1\n").then_some(())
    })
    .await;
    let address = house.admin().replace("http://", "");
    house.terminate();
    eventually_async("it to stop", async || {
        house.log().contains("callgate was told to stop").then_some(())
    })
    .await;
    redis.thaw();
    assert_eq!(asked.await.unwrap(), "Thank you. Goodbye.");
    // Nobody is served any more, operators neither, and the message is still under way.
    eventually_async("nobody to be served", async || {
        std::net::TcpStream::connect(&address).is_err().then_some(())
    })
    .await;
    go_on.send(()).unwrap();
    busy.join().unwrap();
    assert_eq!(Arc::into_inner(house).unwrap().wait(), Some(0));
    assert_eq!(provider.messages().len(), 1);
    assert_eq!(due(), None, "it is settled, and nobody sends it again");
}

/// A file that was closed is opened at once, however large; one that was not is gone through first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_told_to_stop_closes_its_file() {
    /// In the byte after those that say what the file is (redb, "File format", "super-header").
    const RECOVERY_REQUIRED: u8 = 2;
    let provider = Provider::start();
    let mut house = House::start("embedded:calls.redb", &provider.api_base());
    let file = house.folder.path().join("calls.redb");
    let is_open = || std::fs::read(&file).unwrap()[9] & RECOVERY_REQUIRED != 0;
    at_menu(&house, "CA3").await;
    assert!(is_open());
    house.terminate();
    assert_eq!(house.wait(), Some(0));
    assert!(!is_open());
}

/// A turn that was refused for want of a replica stands on the primary all the same: whoever asks again,
/// the server itself among them, must not be answered from there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_that_no_replica_has_is_not_answered_when_it_is_asked_for_again() {
    let primary = RedisServer::start();
    let of = format!("127.0.0.1 {}", primary.port);
    let mut replica = RedisServer::start_with(&["--replicaof", &of]);
    let provider = Provider::start();
    let house = that_waits_for_a_replica(&primary.url(), &provider);
    ready(&house).await;
    let mut phone = Telephone::new("CA1", &mobile(0));
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    assert_eq!(phone.spoken(), "Please key in your PIN.");

    replica.stop();
    let path = phone.action();
    for _ in 0..2 {
        phone.post(&house, &path, &[("Digits", PIN), ("CallStatus", "in-progress")]).await;
        assert!(phone.hears("Dial"), "put through to the fallback number: {:?}", phone.heard);
    }
    let mut new = Telephone::new("CA2", &mobile(1));
    new.ring(&house).await;
    assert!(new.hears("Dial"), "put through to the fallback number: {:?}", new.heard);

    replica.restart();
    ready(&house).await;
    phone.post(&house, &path, &[("Digits", PIN), ("CallStatus", "in-progress")]).await;
    assert!(phone.spoken().starts_with("For your balance"), "{:?}", phone.heard);
}

/// The same of a count: in a cluster it lies elsewhere than the turn that was made of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_that_no_replica_has_is_not_answered_when_it_is_found_again() {
    let mut cluster = RedisCluster::start();
    let provider = Provider::start();
    let house = that_waits_for_a_replica(&cluster.url(), &provider);
    ready(&house).await;
    let with = |keys: &str| {
        let has = |node: &&RedisServer| !said(node, &["KEYS", keys]).trim().is_empty();
        cluster.primaries().find(has).map(|node| node.port)
    };
    let mut phone = Telephone::new("CA0", &mobile(0));
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    phone.key(&house, "000000").await;
    assert!(phone.spoken().starts_with("That did not work"), "{:?}", phone.heard);
    let counts = with("*:rec:ledger:*").unwrap();

    let mut sids = (1..).map(|n| format!("CA{n}"));
    let mut phone = loop {
        let mut phone = Telephone::new(&sids.next().unwrap(), &mobile(1));
        phone.ring(&house).await;
        let call = phone.action();
        let call = call.split('/').nth(3).unwrap();
        if with(&format!("*:call:{call}")).unwrap() != counts {
            break phone;
        }
    };
    phone.key(&house, ACCOUNT).await;
    assert_eq!(phone.spoken(), "Please key in your PIN.");
    let (_, replica) = cluster.with_replica(counts);
    replica.freeze();
    let path = phone.action();
    phone.post(&house, &path, &[("Digits", "000001"), ("CallStatus", "in-progress")]).await;
    assert!(phone.hears("Dial"), "put through to the fallback number: {:?}", phone.heard);
    replica.thaw();
    ready(&house).await;
    phone.post(&house, &path, &[("Digits", "000001"), ("CallStatus", "in-progress")]).await;
    assert!(phone.spoken().starts_with("That did not work"), "{:?}", phone.heard);

    // What the library says of a server that is away, at each attempt to reach it, fills no disk.
    let follower = replica.port;
    cluster.nodes.iter_mut().find(|node| node.port == counts).unwrap().stop();
    let follower = cluster.nodes.iter().find(|node| node.port == follower).unwrap();
    eventually_async("the replica to take over", async || {
        said(follower, &["ROLE"]).starts_with("master").then_some(())
    })
    .await;
    assert!(!house.log().contains("redis::"), "{}", house.log());
}

/// A server that answers nothing which one replica has not, and does not wait for it long.
fn that_waits_for_a_replica(store: &str, provider: &Provider) -> House {
    let mut house = House::set_up(store, &provider.api_base());
    house.change_configuration(
        "[policy.enumeration]\n",
        "[redis]\nreplicas = 1\nreplicas_within_ms = 1000\n[policy.enumeration]\n",
    );
    house.restart();
    house
}

async fn ready(house: &House) {
    let url = format!("{}/health/ready", house.admin());
    eventually_async("the server to be ready", async || {
        client().get(&url).send().await.unwrap().status().is_success().then_some(())
    })
    .await;
}
