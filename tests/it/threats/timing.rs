//! What the time of an answer tells: nothing, for each that could tell something is as late as the others.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use callgate::carrier::signature;
use callgate::chance::SystemChance;
use callgate::directory::pin;
use callgate::secret::Secret;
use callgate::store;
use futures_util::StreamExt as _;
use secrecy::SecretString;
use serde_json::json;

use super::office::{self, DESK, Office};
use crate::support::backend::{Backend, Manner};
use crate::support::cluster::said;
use crate::support::house::{ACCOUNT, House, LINE, PIN, PUBLIC_URL, client, vault};
use crate::support::provider::{ACCOUNT_SID, AUTH_TOKEN};
use crate::support::redis::RedisServer;
use crate::support::telephone::Telephone;

const DEADLINE: Duration = Duration::from_millis(300);
const NO_PIN: &str = "20000000";
const NOBODY: &str = "30000000";

fn house() -> House {
    let mut house = House::set_up("memory:", "http://127.0.0.1:9");
    let path = house.folder.path().join("accounts.toml");
    let accounts = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, format!("{accounts}[[accounts]]\nid = \"{NO_PIN}\"\n")).unwrap();
    let deadline = format!("deadline_ms = {}", DEADLINE.as_millis());
    house.change_configuration("deadline_ms = 0", &deadline);
    house.restart();
    house
}

/// Keys something in, and says how long its answer took.
async fn key(house: &House, phone: &mut Telephone, digits: &str) -> Duration {
    let begun = Instant::now();
    phone.key(house, digits).await;
    begun.elapsed()
}

/// An account with a PIN, one without, none, and one that is locked: each claim and each entry, one that
/// has not the length of an entry too, is answered when it is due and not before. A machine of the tests is
/// too busy to say more: how much later differs by what else it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t41_no_answer_comes_early_whatever_was_found() {
    let house = house();
    for (n, claimed) in [ACCOUNT, ACCOUNT, NO_PIN, NOBODY, ACCOUNT].into_iter().enumerate() {
        let mut phone = Telephone::new(&format!("CA{n:032}"), "anonymous");
        phone.ring(&house).await;
        let took = key(&house, &mut phone, claimed).await;
        assert!(took >= DEADLINE, "the claim of call {n}: {took:?}");
        for entry in ["123", &format!("9{n}1342"), &format!("9{n}1343")] {
            let took = key(&house, &mut phone, entry).await;
            assert!(took >= DEADLINE, "an entry of call {n}: {took:?}");
        }
    }
}

/// How often Redis was asked each thing; what a connection says when it begins does not count.
fn asked(redis: &RedisServer) -> BTreeMap<String, u64> {
    let stats = said(redis, &["INFO", "commandstats"]);
    let stat = |line: &str| {
        let (name, rest) = line.trim().strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let of_connection = ["info", "client", "hello", "select", "ping", "config", "script"];
        let counts = !of_connection.iter().any(|other| name.starts_with(other));
        counts.then(|| (name.to_owned(), rest.split(',').next().unwrap().parse().unwrap()))
    };
    stats.lines().filter_map(stat).collect()
}

/// What a claim and two wrong PINs ask of the store: the same of every claim.
#[tokio::test]
async fn t41_every_claim_asks_the_same_of_the_store() {
    let redis = RedisServer::start();
    let no_pin = format!("[[accounts]]\nid = \"{NO_PIN}\"\n");
    let accounts = office::account(ACCOUNT, "2024-01-01") + &no_pin;
    let office = Office::with(store::open(&redis.url()).await.unwrap(), DESK, &accounts);
    let mut all = Vec::new();
    // The first call brings the flow into the store, and is not counted.
    for (n, claimed) in ["40000000", ACCOUNT, NO_PIN, NOBODY].into_iter().enumerate() {
        let mut line = office.ring_from(&format!("CA41{n}"), None).await;
        let before = asked(&redis);
        for entry in [claimed, &format!("91{n}342"), &format!("92{n}342")] {
            line.key(entry).await;
        }
        let after = asked(&redis);
        let so_often = |(name, count): (&String, &u64)| {
            (name.clone(), count - before.get(name).copied().unwrap_or_default())
        };
        let more: BTreeMap<_, _> =
            after.iter().map(so_often).filter(|(_, count)| *count > 0).collect();
        assert!(!more.is_empty());
        all.push(more);
    }
    assert_eq!(all[1], all[3], "an account, and none");
    assert_eq!(all[2], all[3], "an account without a PIN, and none");
}

/// The processor time that the server has had, in ticks.
fn worked(house: &House) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", house.pid())).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // Of itself and of the system on its behalf (proc(5), fields 14 and 15).
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// A claim of nobody costs what a claim of somebody does: the slow hash is worked out for both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t41_a_claim_of_nobody_is_as_much_work() {
    const CALLS: usize = 6;
    let mut house = house();
    house.kill();
    house.change_configuration("deadline_ms = 300", "deadline_ms = 0");
    house.change_configuration("[directory]", "[policy.pin]\nsoft_limit = 20\n[directory]");
    house.change_configuration(
        "[policy.shared]\n",
        "[policy.shared]\nall_factor_failures_24h = 50\n",
    );
    house.restart();
    let mut work = Vec::new();
    for (arm, claimed) in [ACCOUNT, NO_PIN, NOBODY].into_iter().enumerate() {
        let mut ready = Vec::new();
        for n in 0..CALLS {
            let mut phone = Telephone::new(&format!("CA{arm}{n:030}"), "");
            phone.ring(&house).await;
            phone.key(&house, claimed).await;
            ready.push(phone);
        }
        let before = worked(&house);
        for (n, phone) in ready.iter_mut().enumerate() {
            for entry in 0..3 {
                phone.key(&house, &format!("9{arm}{n}1{entry}2")).await;
            }
        }
        work.push(worked(&house) - before);
    }
    let (least, most) = (work.iter().min().unwrap(), work.iter().max().unwrap());
    assert!(least * 2 > *most, "{work:?} ticks");
}

/// Claims of somebody and of nobody, mixed in one run, while the directory says at once that there is nobody and
/// much later who somebody is: who measures them hears nothing of that. There are as many of each as tell 5 ms
/// apart with a confidence of 95 %, or, where the times of one kind differ by more than 50 ms, as many as would if
/// they did not. What else a machine of the tests does concerns both alike, and makes some much later: the medians
/// are compared, and may be as much further apart as chance makes of it. Where it is so busy that an answer that
/// waits for nothing comes late, fewer ask at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t41_the_time_of_a_claim_tells_nothing_of_it() {
    const EACH_MAX: usize = 1_568;
    const ROUND: usize = 96;
    const AT_ONCE: usize = 24;
    const LATE: Duration = Duration::from_millis(80);
    const LONG: Duration = Duration::from_mins(1);
    const APART: Duration = Duration::from_millis(5);
    const LATER: Duration = Duration::from_millis(150);
    /// Of that, in seconds: what is told at least.
    const ROUGHLY: f64 = 0.150 / 6.0;
    let hash = pin::hash(&Secret::new(PIN), &vault(), &SystemChance).unwrap();
    let directory = Backend::start(move |asked| {
        let id = asked.body["value"].as_str().unwrap().to_owned();
        if !id.starts_with('2') {
            return Manner::Raw(404, String::new());
        }
        // What a directory does that reads on where it has found somebody.
        std::thread::sleep(LATER);
        Manner::Json(
            json!({ "id": id, "locale": null, "pin_hash": hash, "phones": [], "fields": {} }),
        )
    });
    let mut house = House::set_up("memory:", "http://127.0.0.1:9");
    house.change_configuration(
        "kind = \"file\"\npath = \"accounts.toml\"\n",
        &format!(
            "kind = \"http\"\nurl = \"{}\"\ntoken_env = \"TEST_DIRECTORY\"\nallow = [\"127.0.0.1\"]\n",
            directory.url()
        ),
    );
    house.change_configuration("deadline_ms = 0", "deadline_ms = 400");
    house.set_environment("TEST_DIRECTORY", "directory-token-of-the-tests");
    house.log_level = "info";
    house.restart();
    let client = client();
    let claim = async |n: usize| {
        // Each from a number of its own, so that none is one of many that claim account after account.
        let from = format!("+1{}555{n:04}", 200 + n % 700);
        let mut phone = Telephone::new(&format!("CA{n:032}"), &from);
        let begun = Instant::now();
        phone.ring(&house).await;
        let rung = begun.elapsed();
        let somebody = n.is_multiple_of(2);
        let id = format!("{}{n:07}", if somebody { 2 } else { 3 });
        let (to, signature, form) = signed(&house, &phone, &id);
        let request = client.post(to).header("X-Twilio-Signature", signature).form(&form);
        let begun = Instant::now();
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        (somebody, rung, begun.elapsed())
    };
    let (mut numbers, mut at_once) = (0.., AT_ONCE);
    let (mut all, begun) = (Vec::new(), Instant::now());
    let (shown, apart, by) = loop {
        let round = numbers.by_ref().take(ROUND).collect::<Vec<_>>();
        let claims = futures_util::stream::iter(round).map(claim).buffer_unordered(at_once);
        let mut round: Vec<_> = claims.collect().await;
        round.sort_unstable_by_key(|(_, rung, _)| *rung);
        if round[ROUND / 2].1 > LATE && at_once > AT_ONCE / 4 {
            at_once /= 2;
            continue;
        }
        all.extend(round.into_iter().map(|(somebody, _, took)| (somebody, took)));
        let ((somebody, off), (nobody, also_off)) = (median(&all, true), median(&all, false));
        let (apart, by) = ((somebody - nobody).abs(), 1.96 * off.hypot(also_off));
        let is_told = by < APART.as_secs_f64() || by < ROUGHLY && begun.elapsed() > LONG;
        if is_told || all.len() >= 2 * EACH_MAX {
            let of = format!("{} claims, {at_once} at once", all.len());
            let shown = format!("{of}: {somebody} s and {nobody} s, give or take {by} s");
            break (shown, apart, by);
        }
    };
    println!("{shown}");
    assert!(apart < APART.as_secs_f64() + by, "{shown}");
    assert!(by < ROUGHLY, "the machine is too busy to tell: {shown}");
}

/// The median of the times of somebody or of nobody, in seconds, and how far it may be off: 1.25 times as far as a
/// mean, of times that differ like the middle half.
fn median(all: &[(bool, Duration)], of: bool) -> (f64, f64) {
    let took = all.iter().filter(|(somebody, _)| *somebody == of);
    let mut took: Vec<_> = took.map(|(_, took)| took.as_secs_f64()).collect();
    took.sort_unstable_by(f64::total_cmp);
    let count = took.len();
    let spread = (took[3 * count / 4] - took[count / 4]) / 1.349;
    (took[count / 2], 1.253 * spread / f64::from(u32::try_from(count).unwrap()).sqrt())
}

/// A telephone's next entry, signed beforehand: where it goes, the signature and the form.
fn signed(
    house: &House,
    phone: &Telephone,
    digits: &str,
) -> (String, String, Vec<(String, String)>) {
    let path = phone.action();
    let form = [
        ("AccountSid", ACCOUNT_SID),
        ("CallSid", &*phone.sid),
        ("Digits", digits),
        ("From", &*phone.from),
        ("To", LINE),
    ];
    let form = form.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let key = SecretString::from(AUTH_TOKEN);
    let signature = signature::sign(&key, &format!("{PUBLIC_URL}{path}"), &form);
    (format!("{}{path}", house.public()), signature, form)
}
