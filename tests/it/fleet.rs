//! Two servers behind a proxy, on one cluster: any of them answers any turn, and each may be started
//! anew while calls go on.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use callgate::clock::{Clock as _, SystemClock};
use futures_util::future::join_all;

use crate::support::cluster::{RedisCluster, effects_due};
use crate::support::eventually::eventually_async;
use crate::support::front::Proxy;
use crate::support::house::{ACCOUNT, House, PIN};
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

/// Rings, proves a PIN and says goodbye, each turn through whichever server the proxy chooses.
async fn whole_call(front: &House, sid: &str, caller: usize) {
    let mut phone = Telephone::new(sid, &mobile(caller));
    phone.ring(front).await;
    assert!(phone.spoken().contains("account number"), "{sid}: {}", phone.spoken());
    phone.key(front, &account(caller)).await;
    assert_eq!(phone.spoken(), "Please key in your PIN.", "{sid}");
    phone.key(front, PIN).await;
    assert!(phone.spoken().starts_with("For your balance"), "{sid}: {}", phone.spoken());
    phone.key(front, "9").await;
    assert_eq!(phone.spoken(), "Thank you. Goodbye.", "{sid}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_are_started_anew_one_by_one_and_no_turn_is_lost() {
    let cluster = RedisCluster::start();
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
