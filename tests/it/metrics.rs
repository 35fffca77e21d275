//! What is measured is in the `OpenMetrics` format, says nothing of anybody, and is what the handbook lists.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Arc;

use callgate::clock::{Clock as _, SystemClock};
use callgate::engine::id::{CallId, EffectId, TurnId};
use callgate::store::envelope::Vault;
use callgate::store::redis::{RIGHTS, RedisStore};
use callgate::store::{Commit, NewEffect, RecordKey, Store as _, Swap, Version};
use jiff::SignedDuration;
use uuid::Uuid;

use crate::support::cluster::said;
use crate::support::eventually::eventually_async;
use crate::support::house::{ACCOUNT, House, MOBILE, OPERATOR, PIN, STATE_KEY, client};
use crate::support::process::Ran as _;
use crate::support::provider::Provider;
use crate::support::redis::RedisServer;
use crate::support::telephone::Telephone;

/// Reads a page strictly: each family described before its samples, each sample's name its family's with
/// a suffix that the type allows, every value a number, no sample twice, `# EOF` at the end alone.
fn read(page: &str) -> BTreeMap<String, BTreeSet<String>> {
    let body = page.strip_suffix("# EOF\n").expect("the page ends");
    let mut families: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let (mut family, mut kind) = (String::new(), String::new());
    let mut seen = BTreeSet::new();
    for line in body.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (what, name, rest) = (words.next().unwrap(), words.next().unwrap(), words.next());
            match what {
                "HELP" => {
                    name.clone_into(&mut family);
                    assert!(families.insert(family.clone(), BTreeSet::new()).is_none(), "{line}");
                    assert!(rest.is_some_and(|help| !help.is_empty()), "{line}");
                }
                "TYPE" => rest.unwrap().clone_into(&mut kind),
                "UNIT" => assert!(name.ends_with(&format!("_{}", rest.unwrap())), "{line}"),
                _ => panic!("{line}"),
            }
            assert_eq!(name, family, "{line}");
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').unwrap();
        value.parse::<f64>().unwrap_or_else(|_| panic!("{line}"));
        assert!(seen.insert(sample.to_owned()), "twice: {line}");
        let (name, labels) = sample.split_once('{').unwrap_or((sample, "}"));
        let suffix = name.strip_prefix(&family).unwrap_or_else(|| panic!("{line}"));
        let allowed: &[&str] = match kind.as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            "histogram" => &["_bucket", "_count", "_sum"],
            kind => panic!("an unknown type `{kind}`"),
        };
        assert!(allowed.contains(&suffix), "{line}");
        let labels = labels.strip_suffix('}').unwrap();
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            let (label, value) = label.split_once('=').unwrap();
            assert!(value.starts_with('"') && value.ends_with('"') && value.len() > 1, "{line}");
            if label != "le" {
                families.get_mut(&family).unwrap().insert(label.to_owned());
            }
        }
    }
    families
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_measured_is_listed_in_the_handbook_and_names_nobody() {
    let provider = Provider::start();
    let redis = RedisServer::start();
    let house = House::start(&redis.url(), &provider.api_base());
    let mut phone = Telephone::new("CA00000000000000000000000000000011", "+15005550777");
    // The provider may ring twice: that is one call.
    phone.copies = 2;
    phone.ring(&house).await;
    phone.copies = 1;
    phone.key(&house, ACCOUNT).await;
    phone.key(&house, "111222").await;
    phone.key(&house, PIN).await;
    phone.key(&house, "1").await;
    phone.copies = 2;
    phone.key(&house, "9").await;
    phone.copies = 1;
    phone.status(&house, "/twilio/status", &[("CallStatus", "completed")]).await;
    let page = eventually_async("the outbox to tell of itself", async || {
        let page = house.metrics().await;
        page.contains("callgate_store_questions_total{operation=\"Settle\"").then_some(page)
    })
    .await;
    let families = read(&page);
    let handbook = include_str!("../../docs/operations.md");
    for (family, labels) in &families {
        let line = handbook.lines().find(|line| line.starts_with(&format!("| `{family}` |")));
        let line = line.unwrap_or_else(|| panic!("`{family}` is not in docs/operations.md"));
        for label in labels {
            assert!(line.contains(&format!("`{label}`")), "`{family}`, label `{label}`: {line}");
        }
    }
    for secret in [ACCOUNT, PIN, &MOBILE[1..], "15005550777", phone.sid.as_str()] {
        assert!(!page.contains(secret), "`{secret}` is measured");
    }
    for line in [
        "callgate_attempts_total{factor=\"pin\",verdict=\"Wrong\"} 1",
        "callgate_attempts_total{factor=\"pin\",verdict=\"Right\"} 1",
        "callgate_facts_granted_total{fact=\"pin\"} 1",
        "callgate_webhooks_total{route=\"Voice\",outcome=\"Turn\"} 1",
        "callgate_webhooks_total{route=\"Turn\",outcome=\"Replayed\"} 1",
        "callgate_webhook_seconds_count{outcome=\"Turn\"} 7",
        "callgate_webhook_seconds_count{outcome=\"Replayed\"} 2",
        "callgate_unusable_entries_total{given=\"Keys\"} 1",
        "callgate_states_ended_total{state=\"gather_pin\",outcome=\"ok\"} 1",
        "callgate_store_question_seconds_count{operation=\"Commit\"} 7",
    ] {
        assert!(page.lines().any(|known| known == line), "{line}\n{page}");
    }
    for counted in
        ["calls_begun_total{flow=\"desk\",", "calls_ended_total{flow=\"desk\",", "calls_total{"]
    {
        let line = page.lines().find(|line| line.starts_with(&format!("callgate_{counted}")));
        assert!(line.is_some_and(|line| line.ends_with("} 1")), "{counted}\n{page}");
    }
    assert!(page.contains("callgate_odds{flow=\"desk\",within=\"year\"}"), "{page}");
}

/// A flow is checked with the default limits, and served with the server's own: what they leave a guesser is measured,
/// and told where the flow allows less. A flow that asks for nothing any more has no chances, not those that it had.
#[tokio::test]
async fn a_budget_is_held_to_the_servers_own_limits() {
    const TOLD: &str = "leave a guesser more than the flow's budget";
    let provider = Provider::start();
    let mut house = House::set_up("memory:", &provider.api_base());
    let flow = house.folder.path().join("flows/desk.toml");
    let text = std::fs::read_to_string(&flow).unwrap();
    let text = text.replace("[levels]", "[budget]\nper_year = 0.0002\n\n[levels]");
    std::fs::write(&flow, &text).unwrap();
    house.restart();
    house.logs("callgate answers");
    assert!(!house.log().contains(TOLD), "{}", house.log());

    house.change_configuration(
        "[policy.enumeration]",
        "[policy.pin]\nyear_budget = 1000\nhard_cap = 100\n[policy.enumeration]",
    );
    house.restart();
    house.logs(TOLD);
    house.logs("guessing opens `balance` in a year");
    let odds = "callgate_odds{flow=\"desk\"";
    let page = house.metrics().await;
    assert!(page.contains(odds), "{page}");

    let open = "name = \"desk\"\nstart = \"bye\"\n[states.bye]\ntype = \"hangup\"\nprompt = \"Goodbye.\"\n";
    std::fs::write(&flow, open).unwrap();
    house.logs("the changed flows are in use");
    let page = house.metrics().await;
    assert!(!page.contains(odds), "{page}");
}

/// What nobody works off is told of: how much it is, and for how long it has been due.
#[tokio::test]
async fn what_waits_in_the_outbox_is_told_with_its_age() {
    let redis = RedisServer::start();
    let store = RedisStore::connect(&redis.url()).unwrap();
    let now = SystemClock.now();
    let version = Version { number: 1, turn: TurnId(Uuid::from_u128(1)) };
    let commit = Commit {
        call: CallId(Uuid::from_u128(1)),
        expected: None,
        version,
        state: Vec::new(),
        expires_at: now + SignedDuration::from_hours(24),
        deadline: None,
        effects: vec![NewEffect {
            id: EffectId(Uuid::from_u128(1)),
            due: now - SignedDuration::from_secs(90),
            body: Vec::new(),
        }],
        settled: Vec::new(),
        entry: Vec::new(),
    };
    store.commit(&commit, now).await.unwrap();
    // Whoever may run no script claims nothing.
    let user = ["ACL", "SETUSER", "looks", "on", ">word", "~*", "+@all", "-@scripting"];
    assert_eq!(said(&redis, &user).trim(), "OK");
    let url = redis.url().replace("redis://", "redis://looks:word@");
    let house = House::start(&url, "http://127.0.0.1:9");
    // Nor can it take a turn: it is said at the start, and what it lacks.
    house.logs("not ready: turns cannot be taken");
    house.logs(RIGHTS);
    let age = eventually_async("what waits to be told of", async || {
        let page = house.metrics().await;
        page.lines().find(|line| *line == "callgate_outbox_waiting 1")?;
        let age =
            page.lines().find_map(|line| line.strip_prefix("callgate_outbox_oldest_seconds "));
        age?.parse::<f64>().ok()
    });
    let age = age.await;
    assert!((90.0..180.0).contains(&age), "{age}");
}

/// What `GET /health/ready` says.
async fn ready(house: &House) -> (u16, String) {
    let answer = client().get(format!("{}/health/ready", house.admin())).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// A right that only some turns need makes no difference to what is asked of a store otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_lacks_a_right_is_not_ready_and_names_it() {
    let redis = RedisServer::start();
    let user = ["ACL", "SETUSER", "turns", "on", ">word", "~cg:*", "+@all", "-lpop"];
    assert_eq!(said(&redis, &user).trim(), "OK");
    let url = redis.url().replace("redis://", "redis://turns:word@");
    let store = Arc::new(RedisStore::connect(&url).unwrap());
    let exchange = crate::outbox::exchange(store, Vault::new(&STATE_KEY), Arc::new(SystemClock));
    let untried = exchange.probe().await.unwrap_err();
    assert!(untried.to_string().contains("`lpop`"), "nobody has tried before: {untried}");
    let house = House::start(&url, "http://127.0.0.1:9");
    let (status, told) = ready(&house).await;
    assert!(
        status == 503 && told.contains("`lpop`"),
        "it is told so from the first answer on: {told}"
    );
    for (right, lacking) in [("+lpop", Some("`lpop`")), ("-zrem", None), ("+zrem", Some("`zrem`"))]
    {
        if let Some(lacking) = lacking {
            house.logs(&format!("Redis does not let the user use {lacking} on our keys"));
        }
        let status = if lacking.is_some() { 503 } else { 200 };
        eventually_async("it is known", async || {
            let (is, told) = ready(&house).await;
            (is == status && lacking.is_none_or(|lacking| told.contains(lacking))).then_some(())
        })
        .await;
        said(&redis, &["ACL", "SETUSER", "turns", right]);
    }
    eventually_async("ready", async || (ready(&house).await.0 == 200).then_some(())).await;
    house.logs("the store lets us do again all that turns need");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ready_is_who_can_take_a_turn() {
    let provider = Provider::start();
    let mut redis = RedisServer::start();
    let mut house = House::set_up(&redis.url(), &provider.api_base());
    house.configure("drain = \"8s\"\n");
    house.restart();
    // It is said at the start.
    house.logs("Redis keeps nothing on disk");
    assert_eq!(ready(&house).await.0, 200);
    let health = |house: &House| {
        let url = format!("{}/health/ready", house.admin());
        house.command().args(["health", &url]).ran().status.code()
    };
    assert_eq!(health(&house), Some(0));
    // A page says nothing of it, whoever has it: not even that nobody without a token may see it.
    for page in [house.admin(), format!("{}/style.css", house.admin())] {
        let asked = house.command().args(["health", &page]).ran();
        assert_eq!((asked.status.code(), asked.stdout.as_slice()), (Some(1), &b""[..]));
        let told = String::from_utf8(asked.stderr).unwrap();
        assert!(told.contains("`/health/ready`") && told.lines().count() == 1, "{told}");
    }

    // It answers, but takes no writes.
    let said = |command: &[&str]| {
        let port = redis.port.to_string();
        assert!(
            Command::new("redis-cli").args(["-p", &port]).args(command).status().unwrap().success()
        );
    };
    said(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    let (status, told) = ready(&house).await;
    assert_eq!(status, 503, "{told}");
    assert_eq!(health(&house), Some(1));
    said(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    assert_eq!(ready(&house).await.0, 200);

    // A newer server was asked: what it writes from now on cannot be read here.
    let store = RedisStore::connect(&redis.url()).unwrap();
    let key = RecordKey { kind: "probe", id: "00".into() };
    let (revision, mut newer) = store.read(&key).await.unwrap().unwrap();
    newer[0] += 1;
    let now = SystemClock.now();
    let tomorrow = now + SignedDuration::from_hours(24);
    let swap = Swap { key: &key, expected: Some(revision), value: &newer };
    assert!(store.swap(swap, tomorrow, now).await.unwrap());
    let (status, told) = ready(&house).await;
    assert!(status == 503 && told.contains("unknown to this callgate; update it"), "{told}");
    redis.stop();
    assert_eq!(ready(&house).await.0, 503);
    redis.restart();
    eventually_async("the store is back", async || (ready(&house).await.0 == 200).then_some(()))
        .await;

    // Told to stop it is ready no more, and takes turns until the proxy has noticed.
    house.terminate();
    eventually_async("it is stopping", async || {
        (ready(&house).await == (503, "{\"status\":\"stopping\"}".into())).then_some(())
    })
    .await;
    let mut phone = Telephone::new("CA1", "+15005550777");
    phone.ring(&house).await;
    assert!(phone.hears("Gather"), "{:?}", phone.heard);
    phone.key(&house, ACCOUNT).await;
    phone.key(&house, PIN).await;
    phone.key(&house, "1").await;
    assert!(
        provider.wait_for(1)[0].path.ends_with("/Messages.json"),
        "and what they ask for is done"
    );
    assert_eq!(house.wait(), Some(0));
}

/// What is written into a file without a name is lost: a proxy is to send callers elsewhere, and somebody to look.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_file_was_taken_away_is_not_ready() {
    let provider = Provider::start();
    let mut house = House::start("embedded:callgate.redb", &provider.api_base());
    let file = house.folder.path().join("callgate.redb");
    let away = house.folder.path().join("away.redb");
    assert_eq!(ready(&house).await.0, 200);
    std::fs::rename(&file, &away).unwrap();
    let (status, told) = ready(&house).await;
    assert!(status == 503 && told.contains("its file was taken away"), "{status} {told}");
    std::fs::copy(&away, &file).unwrap();
    assert_eq!(ready(&house).await.0, 503, "another file is not the one that is open");
    std::fs::rename(&away, &file).unwrap();
    assert_eq!(ready(&house).await.0, 200);
    // Whoever asks nobody whether it is ready hears of it too: each minute, and at the end.
    std::fs::remove_file(&file).unwrap();
    assert!(!house.log().contains("turns are taken, and are not kept"));
    house.terminate();
    assert_eq!(house.wait(), Some(0));
    house.logs("turns are taken, and are not kept");
}

/// What was in it is forgotten, and nobody hears of it before a caller who was there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_file_was_cut_is_not_ready() {
    let provider = Provider::start();
    let mut house = House::start("embedded:callgate.redb", &provider.api_base());
    let file = house.folder.path().join("callgate.redb");
    let mut phone = Telephone::new("CA1", "+15005550777");
    phone.ring(&house).await;
    assert!(phone.hears("Gather"), "{:?}", phone.heard);
    assert_eq!(ready(&house).await.0, 200);
    let open = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
    let length = open.metadata().unwrap().len();
    for left in [length - 1, length / 2, 0] {
        open.set_len(left).unwrap();
        let (status, told) = ready(&house).await;
        assert!(status == 503 && told.contains("its file was cut"), "{left}: {status} {told}");
    }
    house.terminate();
    house.wait();
    house.logs("turns are taken, and are not kept");
}

/// Whoever sets the store up anew does so while calls go on.
#[tokio::test]
async fn a_store_that_is_set_up_anew_is_told_of() {
    let redis = RedisServer::start();
    let house = House::start(&redis.url(), "http://127.0.0.1:9");
    for (name, value) in [("maxmemory", "1gb"), ("maxmemory-policy", "allkeys-lru")] {
        assert_eq!(said(&redis, &["CONFIG", "SET", name, value]).trim(), "OK");
    }
    house.logs("`maxmemory-policy allkeys-lru`");
}

/// RFC 9110, section 9.3.2: as `GET`, without what it would show. There are those who look at health so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_is_answered_as_what_it_is_the_head_of() {
    let provider = Provider::start();
    let house = House::start("memory:", &provider.api_base());
    let paths = ["/health/live", "/health/ready", "/metrics", "/.well-known/jwks.json"];
    for path in paths.into_iter().chain(["/api/openapi.json", "/api/calls", "/api/flows", "/"]) {
        let url = format!("{}{path}", house.admin());
        let ask = async |request: reqwest::RequestBuilder, token: Option<&str>| {
            let request = match token {
                Some(token) if path == "/" => request.basic_auth("any", Some(token)),
                Some(token) => request.bearer_auth(token),
                None => request,
            };
            let answer = request.send().await.unwrap();
            // But for public keys nothing is kept on the way.
            let kept = answer.headers()["cache-control"].to_str().unwrap();
            let may_be_kept = path == "/.well-known/jwks.json";
            assert_eq!(kept != "no-store", may_be_kept, "{path}: {kept}");
            let kind = answer.headers().get("content-type").cloned();
            (answer.status().as_u16(), kind, answer.text().await.unwrap())
        };
        for token in [Some(OPERATOR), None] {
            let (status, kind, shown) = ask(client().get(&url), token).await;
            let head = ask(client().head(&url), token).await;
            assert_eq!(head, (status, kind, String::new()), "{path}");
            assert!(!shown.is_empty() && [200, 401].contains(&status), "{path}: {status}");
        }
    }
    // What changes something is asked for in its own way.
    for path in ["/api/unlock", "/api/service-codes", "/api/events"] {
        let url = format!("{}{path}", house.admin());
        let answer = client().head(url).bearer_auth(OPERATOR).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 405, "{path}");
    }
}

/// Two servers that have different stores by mistake look well, each by itself.
#[tokio::test]
async fn servers_of_one_store_tell_its_name_and_no_other() {
    let provider = Provider::start();
    let (one, other) = (RedisServer::shared().database(), RedisServer::shared().database());
    let mut houses = [&one, &one, &other].map(|store| House::start(store, &provider.api_base()));
    let name = async |house: &House| {
        eventually_async("the name of the store", async || {
            let page = house.metrics().await;
            let lines: Vec<_> =
                page.lines().filter(|line| line.contains("callgate_store_info{")).collect();
            let [line] = lines[..] else { return None };
            Some(line.strip_suffix("\"} 1").unwrap().rsplit_once('"').unwrap().1.to_owned())
        })
        .await
    };
    let mut names = Vec::new();
    for house in &houses {
        names.push(name(house).await);
    }
    assert!(names[0] == names[1] && names[0] != names[2] && names[0].len() == 8, "{names:?}");
    // It is the store's, and not the server's.
    houses[0].kill();
    houses[0].restart();
    assert_eq!(name(&houses[0]).await, names[0]);
    for house in &houses {
        house.hides(&["the store was emptied"]);
    }
}

/// With the store, locks and the audit are gone, and nothing else would say so.
#[tokio::test]
async fn a_store_that_is_emptied_under_its_server_is_told_of() {
    let provider = Provider::start();
    let redis = RedisServer::start();
    let house = House::start(&redis.url(), &provider.api_base());
    let names = async || {
        let page = house.metrics().await;
        let named = page.lines().filter(|line| line.starts_with("callgate_store_info{"));
        named.map(str::to_owned).collect::<Vec<_>>()
    };
    let before = eventually_async("the name of the store", async || {
        Some(names().await).filter(|names| names.len() == 1)
    })
    .await;
    said(&redis, &["FLUSHALL"]);
    house.logs("the store was emptied, or another is in its place");
    // It has one store, and that is the new one.
    let after = eventually_async("another name", async || {
        Some(names().await).filter(|names| *names != before)
    })
    .await;
    assert!(after.len() == 1 && !after.contains(&before[0]), "{before:?} {after:?}");
}
