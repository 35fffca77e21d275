//! The whole of it: the real program, real HTTP, a stand-in for the provider, on redb and on Redis.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::{Duration, Instant};

use callgate::clock::{Clock as _, SystemClock};
use tokio_util::sync::CancellationToken;

use crate::support::cluster::said;
use crate::support::eventually::eventually_async;
use crate::support::house::{ACCOUNT, FALLBACK, House, LINE, MOBILE, PIN, PUBLIC_URL, client};
use crate::support::provider::{Answer, Provider};
use crate::support::redis::RedisServer;
use crate::support::telephone::{Telephone, digits};

/// Digits that nobody else writes: not our mobile, not a popular PIN.
const CALLER: &str = "+15005550777";

/// Waits for a line of the log.
async fn logged(house: &House, text: &str) {
    eventually_async(text, async || house.log().contains(text).then_some(())).await;
}

/// The code in the newest text message to the mobile on file.
async fn texted(provider: &Provider, count: usize) -> (String, String) {
    eventually_async("a text message", async || {
        let message = provider.messages().get(count - 1)?.clone();
        assert_eq!(message.field("To"), Some(MOBILE), "codes go to the number on file alone");
        let callback = message.field("StatusCallback").unwrap().to_owned();
        Some((digits(message.field("Body").unwrap()), callback))
    })
    .await
}

/// The call that was placed: its answer URL and status URL, as paths, and its name.
async fn placed(provider: &Provider) -> (String, String, String) {
    eventually_async("a call is placed", async || {
        let request = provider
            .requests()
            .into_iter()
            .find(|r| r.method == "POST" && r.path.ends_with("/Calls.json"))?;
        assert_eq!(request.field("To"), Some(MOBILE));
        let path = |name: &str| {
            let url = request.field(name).unwrap();
            url.strip_prefix("https://ivr.example.com").unwrap().to_owned()
        };
        let sid = provider.calls().first()?.sid.clone();
        Some((path("Url"), path("StatusCallback"), sid))
    })
    .await
}

async fn whole_call(store: &str) -> (House, Provider) {
    let provider = Provider::start();
    let mut house = House::start(store, &provider.api_base());
    let mut phone = Telephone::new("CA00000000000000000000000000000007", CALLER);
    phone.copies = 2;

    phone.ring(&house).await;
    assert!(phone.spoken().contains("account number"), "{}", phone.spoken());
    phone.key(&house, ACCOUNT).await;
    assert_eq!(phone.spoken(), "Please key in your PIN.");
    phone.key(&house, "111222").await;
    assert_eq!(phone.spoken(), "That did not work. Please key in your PIN.");
    phone.key(&house, PIN).await;
    assert!(phone.spoken().starts_with("For your balance"), "{}", phone.spoken());

    phone.key(&house, "1").await;
    assert_eq!(phone.spoken(), "Key in the six digits we have just sent you.");
    let (code, _) = texted(&provider, 1).await;
    assert_eq!(code.len(), 6, "one run of six digits");

    // Between two turns the server dies, and is started again.
    house.kill();
    house.restart();

    phone.key(&house, &code).await;
    assert!(
        phone.spoken().starts_with("Your balance is 1,234 dollars and 56 cents."),
        "{}",
        phone.spoken()
    );

    phone.key(&house, "2").await;
    let said = phone.spoken();
    let code = digits(&said).chars().take(6).collect::<String>();
    assert!(digits(&said).ends_with(&code), "the code is said twice: {said}");
    let (answer, status, sid) = placed(&provider).await;
    let mut mobile = Telephone::rung(&sid, MOBILE);
    mobile.copies = 2;
    mobile.status(&house, &status, &[("CallStatus", "ringing")]).await;
    phone.wait(&house).await;
    assert!(phone.hears("Redirect"), "the caller waits");
    mobile.post(&house, &answer, &[("CallStatus", "in-progress"), ("AnsweredBy", "human")]).await;
    assert!(mobile.spoken().starts_with("Acme Bank."), "{}", mobile.spoken());
    assert!(!mobile.spoken().contains("Ada"), "nothing identifying before the code");
    mobile.key(&house, &code).await;
    assert!(mobile.hears("Hangup"));
    mobile.status(&house, &status, &[("CallStatus", "completed")]).await;
    phone.wait(&house).await;
    assert!(phone.hears("Enqueue"), "{:?}", phone.heard);
    let action = phone.action();
    // A specialist who is met in a conference is told first, and may pass the caller on; the call goes on when they
    // are done.
    for result in ["redirected", "redirected-from-bridged", "bridging-in-process"] {
        phone.post(&house, &action, &[("QueueResult", result)]).await;
        let verbs: Vec<_> = phone.heard.children.iter().map(|verb| verb.name.as_str()).collect();
        assert_eq!(verbs, ["Pause", "Redirect"], "nothing goes on beside their talk");
        assert_eq!(phone.action(), action);
    }
    phone.post(&house, &action, &[("QueueResult", "bridged"), ("CallStatus", "in-progress")]).await;
    assert_eq!(phone.spoken(), "Thank you. Goodbye.");
    assert!(phone.hears("Hangup"));
    phone.status(&house, "/twilio/status", &[("CallStatus", "completed")]).await;

    let calls = house.ask("/api/calls").await;
    let call = calls["calls"][0].as_str().unwrap().to_owned();
    let journal = house.ask(&format!("/api/calls/{call}/journal")).await;
    let turns = journal["turns"].as_array().unwrap();
    let numbers: Vec<_> = turns.iter().map(|turn| turn["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "each turn once, in order");
    let ids: BTreeSet<_> = turns.iter().map(|turn| turn["turn"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), turns.len());
    let proved: Vec<_> =
        turns.iter().flat_map(|t| t["proved"].as_array().unwrap().clone()).collect();
    assert_eq!(proved, ["pin", "sms_otp", "callback"]);
    assert_eq!(turns.iter().filter(|turn| turn["event"] == "ring").count(), 1);
    assert_eq!(house.ask(&format!("/api/calls/{call}")).await["end"], "hangup");
    let sent = provider.requests();
    let count =
        |path: &str| sent.iter().filter(|r| r.method == "POST" && r.path.ends_with(path)).count();
    assert_eq!((count("/Messages.json"), count("/Calls.json")), (1, 1), "no effect was done twice");
    let codes = codes(&provider);
    // What is slow to be asked for is looked for before it is asked for again; that the provider wants by number.
    let looked_for = |path: &str| path.ends_with("/Calls.json") || path.ends_with("/Messages.json");
    for request in sent.iter().filter(|r| r.method != "GET" || !looked_for(&r.path)) {
        let url = format!("{}?{:?}", request.path, request.query);
        assert_clean("a URL", url.as_bytes(), &codes);
    }
    (house, provider)
}

/// No secret of the call is in any of these bytes.
fn assert_clean(what: &str, bytes: &[u8], code: &[String]) {
    let text = String::from_utf8_lossy(bytes);
    let secrets = [PIN, ACCOUNT, "15005550010", "111222"].map(str::to_owned);
    for secret in secrets.iter().chain(code) {
        assert!(!text.contains(secret.as_str()), "`{secret}` is in {what}");
    }
}

/// The codes that went out by text message.
fn codes(provider: &Provider) -> Vec<String> {
    let messages = provider.messages();
    messages.iter().map(|message| digits(message.field("Body").unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_from_ring_to_hang_up_on_redb() {
    let (mut house, provider) = whole_call("embedded:callgate.redb").await;
    house.kill();
    let codes = codes(&provider);
    assert_clean("the log", house.log().as_bytes(), &codes);
    let file = std::fs::read(house.folder.path().join("callgate.redb")).unwrap();
    assert_clean("the store", &file, &codes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_from_ring_to_hang_up_on_redis() {
    let redis = RedisServer::start();
    let (mut house, provider) = whole_call(&redis.url()).await;
    house.kill();
    let codes = codes(&provider);
    assert_clean("the log", house.log().as_bytes(), &codes);
    let mut connection = RedisServer::connection(&redis.url());
    let keys: Vec<String> = ::redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    assert!(keys.len() > 3, "{keys:?}");
    for key in keys {
        assert_clean("a key", key.as_bytes(), &codes);
        let dump: Vec<u8> = ::redis::cmd("DUMP").arg(&key).query(&mut connection).unwrap();
        assert_clean("a value", &dump, &codes);
        let ttl: i64 = ::redis::cmd("TTL").arg(&key).query(&mut connection).unwrap();
        assert!(ttl > 0, "{key} never expires");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_lost_in_mid_call_grants_nothing_and_the_call_goes_on_when_it_is_back() {
    let provider = Provider::start();
    let redis = RedisServer::start();
    let house = House::start(&redis.url(), &provider.api_base());
    let mut phone = Telephone::new("CA00000000000000000000000000000008", CALLER);
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    let action = phone.action();
    redis.freeze();
    phone.post(&house, &action, &[("Digits", PIN)]).await;
    assert!(phone.spoken().contains("sorry"), "{}", phone.spoken());
    let dial = phone.heard.children.iter().find(|node| node.name == "Dial").unwrap();
    assert!(format!("{:?}", dial.children).contains("Number"));
    logged(&house, "could not be served").await;
    assert!(!FALLBACK.is_empty() && dial.attribute("action").is_none());
    redis.thaw();
    // The provider comes again with the same request, and the call goes on where it stood.
    eventually_async("the store is back", async || {
        phone.post(&house, &action, &[("Digits", PIN)]).await;
        phone.spoken().starts_with("For your balance").then_some(())
    })
    .await;
}

/// The provider says once that a caller has hung up: who is not noted then would hold their place until the deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hangs_up_while_the_store_is_away_has_hung_up_when_it_is_back() {
    let provider = Provider::start();
    let redis = RedisServer::start();
    let house = House::start(&redis.url(), &provider.api_base());
    let mut phone = Telephone::new("CA0000000000000000000000000000000D", CALLER);
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    let calls = house.ask("/api/calls").await;
    let call = format!("/api/calls/{}", calls["calls"][0].as_str().unwrap());
    // It takes no writes, as when a fail-over has gone the other way.
    said(&redis, &["REPLICAOF", "127.0.0.1", "1"]);
    phone.status(&house, "/twilio/status", &[("CallStatus", "completed")]).await;
    logged(&house, "a status could not be noted").await;
    said(&redis, &["REPLICAOF", "NO", "ONE"]);
    let ready = format!("{}/health/ready", house.admin());
    eventually_async("the store to be back", async || {
        let answer = client().get(&ready).send().await.unwrap();
        answer.status().is_success().then_some(())
    })
    .await;
    eventually_async("the call to be over", async || {
        (house.ask(&call).await["end"] == "caller_left").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undelivered_message_takes_the_waiting_caller_to_another_proof() {
    let provider = Provider::start();
    let house = House::start("embedded:callgate.redb", &provider.api_base());
    let mut phone = Telephone::new("CA00000000000000000000000000000009", CALLER);
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    phone.key(&house, PIN).await;
    phone.key(&house, "1").await;
    let stale = phone.action();
    let (_, status) = texted(&provider, 1).await;
    let status = status.strip_prefix("https://ivr.example.com").unwrap();
    let failed = [("MessageSid", "SM1"), ("MessageStatus", "undelivered"), ("ErrorCode", "30003")];
    phone.status(&house, status, &failed).await;
    let resume = eventually_async("the live call is redirected", async || {
        let path = format!("/Calls/{}.json", phone.sid);
        let request = provider.requests().into_iter().find(|r| r.path.ends_with(&path))?;
        Some(request.field("Url")?.strip_prefix("https://ivr.example.com")?.to_owned())
    })
    .await;
    phone.post(&house, &resume, &[]).await;
    assert!(phone.spoken().contains("ringing the number we have on file"), "{}", phone.spoken());
    // What the caller keyed on the old prompt comes too late: the present prompt, and no attempt.
    let present = phone.heard.clone();
    phone.post(&house, &stale, &[("Digits", "123456")]).await;
    assert_eq!(phone.heard, present);
    placed(&provider).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_has_too_much_to_do_is_asked_again() {
    let provider = Provider::start();
    let house = House::start("embedded:callgate.redb", &provider.api_base());
    let mut phone = Telephone::new("CA0000000000000000000000000000000E", CALLER);
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    phone.key(&house, PIN).await;
    provider.next(Answer::TooMany { retry_after: Some("1".into()) });
    phone.key(&house, "1").await;
    // The second request carries the same code, and it is the one that is right.
    let (first, _) = texted(&provider, 1).await;
    let (second, _) = texted(&provider, 2).await;
    assert_eq!(first, second);
    phone.key(&house, &second).await;
    assert!(phone.spoken().starts_with("Your balance is"), "{}", phone.spoken());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_accounts_are_in_use_and_broken_ones_are_not() {
    let provider = Provider::start();
    let house = House::start("embedded:callgate.redb", &provider.api_base());
    let file = house.folder.path().join("accounts.toml");
    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, good.replace("line = \"mobile\"", "line = \"pager\"")).unwrap();
    eventually_async("the log says so", async || {
        house.log().contains("the last good accounts stay in use").then_some(())
    })
    .await;
    assert_clean("the log", house.log().as_bytes(), &[]);
    std::fs::write(&file, good.replace("1234.56", "99")).unwrap();
    eventually_async("the changed accounts are in use", async || {
        house.log().contains("the changed accounts are in use").then_some(())
    })
    .await;
    let mut phone = Telephone::new("CA0000000000000000000000000000000F", CALLER);
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    phone.key(&house, PIN).await;
    phone.key(&house, "1").await;
    let (code, _) = texted(&provider, 1).await;
    phone.key(&house, &code).await;
    assert!(phone.spoken().starts_with("Your balance is 99 dollars."), "{}", phone.spoken());
}

/// Accounts that are mounted: the file is a link, and what it leads through is made to lead elsewhere. Whoever was
/// taken out of them is nobody any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_behind_a_link_are_in_use_once_it_leads_to_others() {
    let provider = Provider::start();
    let mut house = House::set_up("memory:", &provider.api_base());
    let folder = house.folder.path().to_owned();
    let at = |name: &str| folder.join(name);
    let lead = |to: &str| {
        std::os::unix::fs::symlink(to, at("link")).unwrap();
        std::fs::rename(at("link"), at("..data")).unwrap();
    };
    let accounts = std::fs::read_to_string(at("accounts.toml")).unwrap();
    let others = accounts.replace(ACCOUNT, "73195529");
    for (version, accounts) in [("with", &accounts), ("without", &others)] {
        std::fs::create_dir(at(version)).unwrap();
        std::fs::write(at(version).join("accounts.toml"), accounts).unwrap();
    }
    lead("with");
    std::fs::remove_file(at("accounts.toml")).unwrap();
    std::os::unix::fs::symlink("..data/accounts.toml", at("accounts.toml")).unwrap();
    house.restart();
    let pin_of = async |sid: &str| {
        let mut phone = Telephone::new(sid, CALLER);
        phone.ring(&house).await;
        phone.key(&house, ACCOUNT).await;
        phone.key(&house, PIN).await;
        phone.spoken()
    };
    assert!(pin_of("CA00000000000000000000000000000A01").await.starts_with("For your balance"));
    lead("without");
    eventually_async("the changed accounts are in use", async || {
        house.log().contains("the changed accounts are in use").then_some(())
    })
    .await;
    let told = pin_of("CA00000000000000000000000000000A02").await;
    assert!(told.starts_with("That did not work"), "{told}");
}

/// Whoever writes the file in its place empties it first, and may be slow: meanwhile nobody is a stranger.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_that_are_half_written_are_left_to_be_finished() {
    const IN_USE: &str = "the changed accounts are in use";
    const GAP: Duration = Duration::from_millis(400);
    const GAP_MAX: Duration = Duration::from_millis(700);
    let provider = Provider::start();
    let house = House::start("memory:", &provider.api_base());
    let path = house.folder.path().join("accounts.toml");
    let one = std::fs::read_to_string(&path).unwrap();
    let pieces: Vec<String> =
        (0..5).map(|n| one.replace(ACCOUNT, &format!("7319552{}", (n + 4) % 10))).collect();
    assert!(pieces[4].contains(ACCOUNT));
    loop {
        let before = house.log().matches(IN_USE).count();
        let (mut slowest, mut last) = (Duration::ZERO, Instant::now());
        let mut file = std::fs::File::create(&path).unwrap();
        for piece in &pieces {
            tokio::time::sleep(GAP).await;
            file.write_all(piece.as_bytes()).unwrap();
            slowest = slowest.max(last.elapsed());
            last = Instant::now();
        }
        drop(file);
        eventually_async(IN_USE, async || {
            (house.log().matches(IN_USE).count() > before).then_some(())
        })
        .await;
        // A machine that has no time for us writes as slowly as somebody who has finished.
        if slowest < GAP_MAX {
            let log = house.log();
            let taken: Vec<_> = log.lines().filter(|line| line.contains(IN_USE)).collect();
            assert_eq!(taken.len(), before + 1, "{taken:?}");
            assert!(taken[before].contains("\"accounts\":5"), "{taken:?}");
            break;
        }
    }
    std::fs::write(&path, "").unwrap();
    house.logs("the accounts file is empty: the last good accounts stay in use");
    let mut phone = Telephone::new("CA0000000000000000000000000000000C", CALLER);
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    phone.key(&house, PIN).await;
    assert!(phone.spoken().starts_with("For your balance"), "{}", phone.spoken());
    assert!(!house.log().contains("the changed flows are in use"), "they are what they were");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_message_comes_back_to_the_call() {
    let provider = Provider::start();
    let house = House::start("embedded:callgate.redb", &provider.api_base());
    let mut phone = Telephone::new("CA0000000000000000000000000000000A", CALLER);
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    phone.key(&house, PIN).await;
    provider.next(Answer::Error { status: 400, code: Some(21614) });
    phone.key(&house, "1").await;
    eventually_async("the caller is taken out of the waiting", async || {
        let path = format!("/Calls/{}.json", phone.sid);
        provider.requests().into_iter().find(|request| request.path.ends_with(&path))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ring_of_unknown_outcome_is_looked_for_before_anybody_is_rung_again() {
    let provider = Provider::start();
    let house = House::start("embedded:callgate.redb", &provider.api_base());
    let mut phone = Telephone::new("CA0000000000000000000000000000000B", CALLER);
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    phone.key(&house, PIN).await;
    provider.set_now(SystemClock.now());
    // The call is placed, and the answer never comes.
    provider.next(Answer::Drop);
    phone.key(&house, "2").await;
    let (answer, _, sid) = placed(&provider).await;
    eventually_async("the provider is asked what became of it", async || {
        provider
            .requests()
            .into_iter()
            .find(|r| r.method == "GET" && r.path.ends_with("/Calls.json"))
    })
    .await;
    let mut mobile = Telephone::rung(&sid, MOBILE);
    mobile.post(&house, &answer, &[("AnsweredBy", "human")]).await;
    assert!(mobile.spoken().starts_with("Acme Bank."));
    let rings = provider.requests();
    let rings = rings.iter().filter(|r| r.method == "POST" && r.path.ends_with("/Calls.json"));
    assert_eq!(rings.count(), 1);
}

/// The provider's answer names another leg than the one that asked what to say: that is told as what it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leg_of_two_names_is_no_fault_of_the_flow() {
    let provider = Provider::start();
    let house = House::start("embedded:callgate.redb", &provider.api_base());
    let mut phone = Telephone::new("CA0000000000000000000000000000000F", CALLER);
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    phone.key(&house, PIN).await;
    let held = CancellationToken::new();
    provider.next(Answer::Held(held.clone()));
    phone.key(&house, "2").await;
    let url = eventually_async("a ring", async || {
        let rings = provider.requests().into_iter();
        let mut rings = rings.filter(|r| r.method == "POST" && r.path.ends_with("/Calls.json"));
        let url = rings.next()?.field("Url")?.to_owned();
        url.strip_prefix(PUBLIC_URL).map(str::to_owned)
    })
    .await;
    let mut mobile = Telephone::rung("CA000000000000000000000000000000FF", MOBILE);
    mobile.post(&house, &url, &[("AnsweredBy", "human")]).await;
    held.cancel();
    logged(&house, "the provider has two names for a leg that was placed").await;
    assert!(!house.log().contains("the flow cannot go on"), "{}", house.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_unknown_outcome_is_looked_for_before_it_is_sent_again() {
    let provider = Provider::start();
    let house = House::start("embedded:callgate.redb", &provider.api_base());
    let mut phone = Telephone::new("CA0000000000000000000000000000000D", CALLER);
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    phone.key(&house, PIN).await;
    // The message is sent, and the answer never comes.
    provider.next(Answer::Drop);
    phone.key(&house, "1").await;
    let (code, _) = texted(&provider, 1).await;
    logged(&house, "a message had been sent before").await;
    phone.key(&house, &code).await;
    assert!(phone.spoken().starts_with("Your balance is"), "{}", phone.spoken());
    assert_eq!(provider.messages().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_told_to_stop_finishes_the_turn_in_progress() {
    let provider = Provider::start();
    let redis = RedisServer::start();
    let mut house = House::start(&redis.url(), &provider.api_base());
    let mut phone = Telephone::new("CA0000000000000000000000000000000C", CALLER);
    phone.ring(&house).await;
    phone.key(&house, ACCOUNT).await;
    let came_in = |house: &House| house.log().matches("a webhook came in").count();
    let before = came_in(&house);
    // While the store stands still, the turn is in progress.
    redis.freeze();
    let (spoken, ()) = tokio::join!(
        async {
            phone.key(&house, PIN).await;
            phone.spoken()
        },
        async {
            eventually_async("the turn is in progress", async || {
                (came_in(&house) > before).then_some(())
            })
            .await;
            house.terminate();
            eventually_async("the server was told", async || {
                house.log().contains("was told to stop").then_some(())
            })
            .await;
            redis.thaw();
        }
    );
    assert!(spoken.starts_with("For your balance"), "{spoken}");
    assert_eq!(house.wait(), Some(0));
    logged(&house, "has finished the turns in progress").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flow_that_breaks_later_leaves_the_last_good_one_in_use() {
    let provider = Provider::start();
    let house = House::start("embedded:callgate.redb", &provider.api_base());
    let flow = house.folder.path().join("flows/desk.toml");
    let good = std::fs::read_to_string(&flow).unwrap();
    std::fs::write(&flow, good.replace("next = \"who\"", "next = \"whoo\"")).unwrap();
    eventually_async("the log says so", async || {
        house.log().contains("the last good flows stay in use").then_some(())
    })
    .await;
    logged(&house, "did you mean `who`?").await;
    let mut phone = Telephone::new("CA0000000000000000000000000000000D", CALLER);
    phone.ring(&house).await;
    assert!(phone.spoken().contains("account number"));
    std::fs::write(&flow, good.replace("Thanks for calling", "Welcome to")).unwrap();
    eventually_async("new calls get the mended flow", async || {
        let mut phone =
            Telephone::new(&format!("CA{:?}", std::time::Instant::now()).replace(' ', ""), CALLER);
        phone.ring(&house).await;
        phone.spoken().contains("Welcome to Acme").then_some(())
    })
    .await;
    phone.key(&house, ACCOUNT).await;
    assert_eq!(phone.spoken(), "Please key in your PIN.", "a call keeps the version it began with");
    assert_eq!(phone.to, LINE);
}
