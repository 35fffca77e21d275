//! Flows that change while calls go on: new calls get the new version, and a call in progress finishes on
//! the one it began with, whatever becomes of the server.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use serde_json::Value;

use crate::support::eventually::eventually_async;
use crate::support::house::{ACCOUNT, House};
use crate::support::provider::Provider;
use crate::support::redis::RedisServer;
use crate::support::telephone::Telephone;

const CALLER: &str = "+15005550777";
const OLD: &str = "Please key in your PIN.";
const NEW: &str = "Now for your PIN.";

/// The flow with these words in place of the old ones.
fn flow_with(words: &str) -> String {
    let flow = include_str!("e2e/desk.toml");
    assert!(flow.contains(OLD));
    flow.replace(OLD, words)
}

/// Writes it.
fn write(house: &House, words: &str) {
    std::fs::write(house.folder.path().join("flows/desk.toml"), flow_with(words)).unwrap();
}

/// Waits until new calls are asked for the PIN in these words.
async fn heard(house: &House, words: &str) {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    eventually_async(words, async || {
        let mut phone = ring(house, &format!("CA60{:04}", CALLS.fetch_add(1, Relaxed))).await;
        phone.key(house, ACCOUNT).await;
        (phone.spoken() == words).then_some(())
    })
    .await;
}

/// The lines of the log that say this, as JSON.
fn said(house: &House, message: &str) -> Vec<Value> {
    let log = house.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.map(|line| line["fields"].clone()).filter(|line| line["message"] == message).collect()
}

/// Waits for the line, and gives its fields.
async fn logged(house: &House, message: &str, count: usize) -> Value {
    eventually_async(message, async || said(house, message).get(count - 1).cloned()).await
}

/// The versions of the flow and the calls in progress on each: first the one that new calls get.
async fn versions(house: &House) -> Vec<(String, u64)> {
    let listed = house.ask("/api/flows").await;
    let flow = listed["flows"][0].clone();
    assert_eq!(flow["name"], "desk");
    let mut versions = flow["versions"].as_array().unwrap().clone();
    versions.sort_by_key(|version| version["current"] != true);
    assert_eq!(versions[0]["edition"], flow["edition"]);
    let version = |version: &Value| {
        let edition = version["edition"].as_str().unwrap().to_owned();
        (edition, version["live_calls"].as_u64().unwrap())
    };
    versions.iter().map(version).collect()
}

async fn ring(house: &House, sid: &str) -> Telephone {
    let mut phone = Telephone::new(sid, CALLER);
    phone.ring(house).await;
    assert!(phone.spoken().contains("account number"), "{}", phone.spoken());
    phone
}

/// Goes on with the call to its end: the words for the PIN are those of its version all along.
async fn finish(house: &House, phone: &mut Telephone, words: &str) {
    phone.key(house, ACCOUNT).await;
    assert_eq!(phone.spoken(), words);
    for _ in 0..3 {
        phone.key(house, "111222").await;
    }
    assert!(phone.hears("Hangup"), "{}", phone.spoken());
}

#[tokio::test]
async fn a_call_finishes_on_its_version_after_a_change_and_a_restart() {
    let provider = Provider::start();
    let mut house = House::start("embedded:calls.redb", &provider.api_base());
    let mut begun = ring(&house, "CA50").await;
    let mut later = ring(&house, "CA51").await;
    let old = versions(&house).await;
    assert_eq!(old[0].1, 2);

    write(&house, NEW);
    let line = logged(&house, "a changed flow is in use for new calls", 1).await;
    assert_eq!(line["flow"], "desk");
    let new = line["edition"].as_str().unwrap().to_owned();
    logged(&house, "the changed flows are in use for new calls", 1).await;
    assert_ne!(new, old[0].0);
    let mut fresh = ring(&house, "CA52").await;
    let both = vec![(new.clone(), 1), (old[0].0.clone(), 2)];
    assert_eq!(versions(&house).await, both);
    finish(&house, &mut begun, OLD).await;

    house.kill();
    house.restart();
    assert_eq!(versions(&house).await, vec![(new.clone(), 1), (old[0].0.clone(), 1)]);
    finish(&house, &mut later, OLD).await;
    finish(&house, &mut fresh, NEW).await;
    assert_eq!(versions(&house).await, vec![(new, 0)], "a version without calls is forgotten");
}

#[tokio::test]
async fn a_call_finishes_on_its_version_on_another_server() {
    let provider = Provider::start();
    let redis = RedisServer::start();
    let mut one = House::start(&redis.url(), &provider.api_base());
    let mut other = House::set_up(&redis.url(), &provider.api_base());
    write(&other, NEW);
    other.restart();

    let mut old = ring(&one, "CA53").await;
    let mut new = ring(&other, "CA54").await;
    let (at_one, at_other) = (versions(&one).await, versions(&other).await);
    assert_ne!(at_one[0].0, at_other[0].0);
    assert_eq!((at_one[0].1, at_other[0].1, at_one.len()), (1, 1, 2));
    let turned: Vec<_> = at_other.iter().rev().cloned().collect();
    assert_eq!(at_one, turned, "both see all calls, each calls its own version the present one");
    // Each call goes on where it did not begin, and the server where it began may be gone.
    finish(&one, &mut new, NEW).await;
    one.kill();
    finish(&other, &mut old, OLD).await;
}

/// A version is what was checked, by its hash: whoever can write into the store can put no other in its place.
#[tokio::test]
async fn a_version_that_was_changed_in_the_store_is_none() {
    let provider = Provider::start();
    let redis = RedisServer::start();
    let one = House::start(&redis.url(), &provider.api_base());
    let mut other = House::set_up(&redis.url(), &provider.api_base());
    write(&other, NEW);
    other.restart();
    let mut phone = ring(&one, "CA57").await;

    let mut behind = RedisServer::connection(&redis.url());
    let key: Vec<String> = redis::cmd("KEYS").arg("*:edition:*").query(&mut behind).unwrap();
    let [key] = key.as_slice() else { panic!("{key:?}") };
    let kept: Vec<u8> = redis::cmd("GET").arg(key).query(&mut behind).unwrap();
    let at = kept.windows(OLD.len()).position(|words| words == OLD.as_bytes()).unwrap();
    let mut changed = kept.clone();
    changed[at..at + OLD.len()].copy_from_slice(b"Please key in my PIN!!!");
    let mut put = |text: &[u8]| redis::cmd("SET").arg(key).arg(text).exec(&mut behind).unwrap();
    put(&changed);
    phone.key(&other, ACCOUNT).await;
    assert!(phone.spoken().starts_with("We are sorry"), "{}", phone.spoken());
    put(&kept);
    phone.post(&other, "/twilio/voice", &[("CallStatus", "ringing")]).await;
    phone.key(&other, ACCOUNT).await;
    assert_eq!(phone.spoken(), OLD);
}

#[tokio::test]
async fn a_flow_that_does_not_check_says_so_and_changes_nothing() {
    let provider = Provider::start();
    let house = House::start("memory:", &provider.api_base());
    let before = versions(&house).await;
    let path = house.folder.path().join("flows/desk.toml");
    let flow = include_str!("e2e/desk.toml");
    std::fs::write(&path, flow.replace("next = \"who\"", "next = \"whoo\"")).unwrap();
    let line = logged(&house, "the last good flows stay in use", 1).await;
    let findings = line["findings"].as_u64().unwrap();
    let told = line["problems"].as_str().unwrap().split("; ").count();
    assert_eq!(findings, u64::try_from(told).unwrap(), "{line}");
    assert!(findings >= 1, "{line}");
    assert_eq!(versions(&house).await, before);
    assert!(house.metrics().await.contains("callgate_flows_current 0"));

    // What is put back as it was is no change to any call.
    std::fs::write(&path, flow).unwrap();
    logged(&house, "the changed flows are in use for new calls", 1).await;
    assert_eq!(versions(&house).await, before);
    assert_eq!(said(&house, "a changed flow is in use for new calls"), Vec::<Value>::new());
    assert!(house.metrics().await.contains("callgate_flows_current 1"));
}

/// As a release is put in place of the one before it: by another folder, a link that leads elsewhere, or, where
/// files are mounted, by links in the folder that do. The system tells of none of them where it was asked to.
#[tokio::test]
async fn whatever_is_put_in_place_of_the_flows_is_noticed() {
    let provider = Provider::start();
    let mut house = House::set_up("memory:", &provider.api_base());
    let folder = house.folder.path().to_owned();
    let at = |name: &str| folder.join(name);
    let release = |name: &str, words: &str| {
        std::fs::create_dir(at(name)).unwrap();
        std::fs::write(at(name).join("desk.toml"), flow_with(words)).unwrap();
    };
    let lead = |link: &str, to: &str| {
        std::os::unix::fs::symlink(to, at("link")).unwrap();
        std::fs::rename(at("link"), at(link)).unwrap();
    };
    release("first", "First.");
    release("second", "Second.");
    release("third", "Third.");
    std::fs::rename(at("flows"), at("before")).unwrap();
    std::fs::rename(at("first"), at("flows")).unwrap();
    house.restart();
    heard(&house, "First.").await;

    // Another folder.
    std::fs::rename(at("flows"), at("first")).unwrap();
    std::fs::rename(at("second"), at("flows")).unwrap();
    heard(&house, "Second.").await;
    std::fs::write(at("flows/desk.toml"), flow_with("Second, changed.")).unwrap();
    heard(&house, "Second, changed.").await;

    // A link in place of the folder, and one to another.
    std::fs::rename(at("flows"), at("second")).unwrap();
    lead("flows", "third");
    heard(&house, "Third.").await;
    lead("flows", "first");
    heard(&house, "First.").await;

    // Files that are links through one that leads to the present version.
    std::fs::create_dir(at("mounted")).unwrap();
    lead("mounted/..data", "../second");
    std::os::unix::fs::symlink("..data/desk.toml", at("mounted/desk.toml")).unwrap();
    lead("flows", "mounted");
    heard(&house, "Second, changed.").await;
    lead("mounted/..data", "../third");
    heard(&house, "Third.").await;
}

#[tokio::test]
async fn a_flow_that_a_line_leads_to_is_named_when_it_is_gone() {
    let provider = Provider::start();
    let house = House::start("memory:", &provider.api_base());
    let path = house.folder.path().join("flows/desk.toml");
    let flow = include_str!("e2e/desk.toml");
    std::fs::write(&path, flow.replace("name   = \"desk\"", "name   = \"counter\"")).unwrap();
    let gone = "a line leads to a flow that is gone, or that is there for others to call: the last good \
                flows stay in use";
    assert_eq!(logged(&house, gone, 1).await["flow"], "desk");
}

#[tokio::test]
async fn a_flow_that_others_call_makes_versions_of_theirs() {
    let provider = Provider::start();
    let mut house = House::set_up("memory:", &provider.api_base());
    let flow = |name: &str, text: &str| {
        std::fs::write(house.folder.path().join(format!("flows/{name}.toml")), text).unwrap();
    };
    flow(
        "desk",
        "name = \"desk\"\nstart = \"in\"\nlocale = \"en-US\"\n\
         [states.in]\ntype = \"call\"\nflow = \"words\"\non = { ok = \"bye\" }\n\
         [states.bye]\ntype = \"hangup\"\nprompt = \"Goodbye.\"\n",
    );
    let words = |said: &str| {
        format!(
            "name = \"words\"\nstart = \"ask\"\nlocale = \"en-US\"\n\
             [states.ask]\ntype = \"menu\"\nprompt = \"{said}\"\nkeys = {{ 1 = \"ask\", 2 = \"out\" }}\n\
             on = {{ no_input = \"out\", no_match = \"out\" }}\n\
             [states.out]\ntype = \"return\"\noutcome = \"ok\"\n"
        )
    };
    flow("words", &words("Press 1 or 2."));
    house.restart();
    let mut phone = Telephone::new("CA55", CALLER);
    phone.ring(&house).await;
    let path = house.folder.path().join("flows/words.toml");
    std::fs::write(path, words("Choose 1 or 2.")).unwrap();
    logged(&house, "the changed flows are in use for new calls", 1).await;
    let lines = said(&house, "a changed flow is in use for new calls");
    let names: Vec<_> = lines.iter().map(|line| line["flow"].as_str().unwrap()).collect();
    assert_eq!(names, ["desk", "words"]);
    phone.key(&house, "1").await;
    assert_eq!(phone.spoken(), "Press 1 or 2.");
    let mut fresh = Telephone::new("CA56", CALLER);
    fresh.ring(&house).await;
    assert_eq!(fresh.spoken(), "Choose 1 or 2.");

    // What is counted of the old version is shown as long as a call of it goes on.
    let shown = async |what: &str| {
        let page = house.metrics().await;
        let all =
            page.lines().filter(|line| line.starts_with(&format!("callgate_calls_{what}_total{{")));
        all.map(|line| line.rsplit_once(' ').unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(shown("begun").await, ["1", "1"]);
    phone.key(&house, "2").await;
    assert!(phone.hears("Hangup"), "{:?}", phone.heard);
    assert_eq!((shown("begun").await, shown("ended").await), (vec!["1".to_owned()], vec![]));
    fresh.key(&house, "2").await;
    assert_eq!(
        (shown("begun").await, shown("ended").await),
        (vec!["1".to_owned()], vec!["1".into()])
    );
}

/// The house that looks numbers up tells which of its flows then keep callers waiting, and where: when it starts
/// and when flows change. `callgate check` cannot know.
#[tokio::test]
async fn answers_that_this_house_is_too_slow_for_are_told_at_start_and_when_flows_change() {
    let provider = Provider::start();
    let mut house = House::set_up("memory:", &provider.api_base());
    let lookup = "[lookup]\nkind = \"twilio\"\nfields = [\"sim_swap\"]\ntimeout = \"1s\"\n\
                  url = \"http://127.0.0.1:9\"\nallow = [\"127.0.0.1\"]\n[directory]";
    house.change_configuration("[directory]", lookup);
    let slow = |house: &House| {
        let log = house.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines = lines.map(|line| line["fields"].clone());
        lines.filter(|line| line["code"] == "slow-reply").collect::<Vec<_>>()
    };
    house.restart();
    assert_eq!(slow(&house), Vec::<Value>::new());

    let flow = include_str!("e2e/desk.toml").replacen(
        "unavailable = \"sorry\"",
        "unavailable = \"link\"",
        1,
    );
    let link = "[states.link]\ntype = \"send_link\"\nmessage = \"https://acme.example\"\n\
                on = { sent = \"sorry\", unavailable = \"ring_back\", limited = \"sorry\" }\n";
    let path = house.folder.path().join("flows/desk.toml");
    std::fs::write(path, format!("{flow}{link}")).unwrap();
    logged(&house, "the changed flows are in use for new calls", 1).await;
    let told = slow(&house);
    assert_eq!(told.len(), 1, "{told:?}");
    let line = flow.lines().position(|line| line == "[states.ring_back]").unwrap() + 1;
    let place = told[0]["place"].as_str().unwrap();
    assert!(place.ends_with(&format!("flows/desk.toml:{line}:9")), "{place}");
    assert_eq!(
        told[0]["message"],
        "an answer in which `ring_back` is come to may take 4.1 s, and is given up after 4.0 s"
    );

    house.kill();
    house.restart();
    assert_eq!(slow(&house), [&told[..], &told[..]].concat(), "and when it starts");
}
