//! The audit: whatever is taken out of the store, changed in it or moved about in it is found.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use callgate::audit::key::is_of_another_key;
use callgate::audit::told::Told;
use callgate::audit::verify::{ChainHead, Fault, Report, What, verify, verify_and_tell};
use callgate::audit::{Bound, Deed, Link, call_key, chain_of_call, head_key, link_key};
use callgate::engine::call::Call;
use callgate::engine::event::{Event, LegStatus};
use callgate::engine::id::{CallId, LegId};
use callgate::exchange::unlock::By;
use callgate::flow::level::Fact;
use callgate::secret::Secret;
use callgate::store::envelope::{Kind, Vault};
use callgate::store::memory::MemoryStore;
use callgate::store::{self, Store, Swap};
use jiff::SignedDuration;
use redb::{Database, ReadableTable as _, ReadableTableMetadata as _, TableDefinition};

use super::office::{ACCOUNT, Office};
use crate::support::house::House;
use crate::support::process::Ran as _;
use crate::support::provider::Provider;
use crate::support::redis::RedisServer;
use crate::support::telephone::Telephone;

/// (begun, call, number of its turn).
type EntryKey = (i64, u128, u64);
const JOURNAL: TableDefinition<'static, EntryKey, &[u8]> = TableDefinition::new("journal");
type Record = (u64, i64, &'static [u8]);
/// (when to look whether it has expired, kind, id).
type RecordKey = (i64, &'static str, &'static [u8]);
const RECORDS: TableDefinition<'static, RecordKey, Record> = TableDefinition::new("records");

/// Rings three calls: one that is over and two that go on. The first two in one chain of links would
/// be chance; each is verified in its own.
async fn calls(store: Arc<dyn Store>) -> [CallId; 2] {
    let office = Office::over(store);
    let mut over = office.ring_to_pin("CA1").await;
    over.key("111222").await;
    over.key("333444").await;
    over.key("555666").await;
    assert!(over.spoken().contains("Goodbye"), "{}", over.spoken());
    office.outbox.drain().await.unwrap();
    let mut goes_on = office.ring_to_pin("CA2").await;
    goes_on.key("111222").await;
    goes_on.key("333444").await;
    [over.call, goes_on.call]
}

async fn verified(store: &dyn Store) -> Report {
    verify(store, &Vault::new(&[7; 32]), office_now()).await.unwrap()
}

fn fault(place: String, number: Option<u64>, what: What) -> Fault {
    Fault { place, number, what }
}

/// What is done to a store from behind, and the fault that it makes.
struct Harm {
    what: &'static str,
    fault: Fault,
    on_redb: Box<dyn Fn(&Database)>,
    on_redis: Box<dyn Fn(&mut redis::Connection)>,
}

fn journal_of(database: &Database, call: CallId, change: impl Fn(&mut Vec<Vec<u8>>)) {
    let transaction = database.begin_write().unwrap();
    {
        let mut journal = transaction.open_table(JOURNAL).unwrap();
        let of_call = |key: EntryKey| key.1 == call.0.as_u128();
        let rows: Vec<_> = journal
            .iter()
            .unwrap()
            .map(|row| row.unwrap())
            .map(|(key, value)| (key.value(), value.value().to_vec()))
            .filter(|(key, _)| of_call(*key))
            .collect();
        let mut entries: Vec<_> = rows.iter().map(|(_, entry)| entry.clone()).collect();
        change(&mut entries);
        journal.retain(|key, _| !of_call(key)).unwrap();
        for ((key, _), entry) in rows.iter().zip(&entries) {
            journal.insert(*key, entry.as_slice()).unwrap();
        }
    }
    transaction.commit().unwrap();
}

fn remove_record(database: &Database, kind: &str, id: &str) {
    // As it is spelled in a key: two digits in a byte.
    let digits = id.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    let bytes = digits.map(|pair| u8::from_str_radix(pair, 16).unwrap());
    let id: Vec<u8> = [0].into_iter().chain(bytes).collect();
    let transaction = database.begin_write().unwrap();
    {
        let mut records = transaction.open_table(RECORDS).unwrap();
        let before = records.len().unwrap();
        records.retain(|key, _| (key.1, key.2) != (kind, id.as_slice())).unwrap();
        assert_eq!(records.len().unwrap(), before - 1);
    }
    transaction.commit().unwrap();
}

/// Another letter in the middle of what is sealed.
fn altered(bytes: &mut [u8]) {
    let middle = bytes.len() / 2;
    bytes[middle] = if bytes[middle] == b'A' { b'B' } else { b'A' };
}

fn redis_key(connection: &mut redis::Connection, ends: &str) -> String {
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(connection).unwrap();
    keys.into_iter().find(|key| key.ends_with(ends)).unwrap()
}

fn redis_journal(
    connection: &mut redis::Connection,
    call: CallId,
    change: impl Fn(&mut Vec<Vec<u8>>),
) {
    let key = redis_key(connection, &format!("call:{call}"));
    let whole: Vec<u8> = redis::cmd("GET").arg(&key).query(connection).unwrap();
    // The version, which ends with the 16 bytes of a turn; 8 of the deadline; the state; the entries.
    let mut rest = with_length(&after_colon(&whole).1[24..]).1;
    let before = whole.len() - rest.len();
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (entry, after) = with_length(rest);
        entries.push(entry.to_vec());
        rest = after;
    }
    change(&mut entries);
    let mut changed = whole[..before].to_vec();
    for entry in entries {
        changed.extend_from_slice(format!("{}:", entry.len()).as_bytes());
        changed.extend(entry);
    }
    redis::cmd("SET").arg(&key).arg(changed).arg("KEEPTTL").exec(connection).unwrap();
}

fn after_colon(bytes: &[u8]) -> (&[u8], &[u8]) {
    let colon = bytes.iter().position(|byte| *byte == b':').unwrap();
    (&bytes[..colon], &bytes[colon + 1..])
}

fn with_length(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = after_colon(bytes);
    rest.split_at(std::str::from_utf8(length).unwrap().parse().unwrap())
}

fn harms([over, goes_on]: [CallId; 2]) -> Vec<Harm> {
    let journal = |what, call: CallId, fault, change: fn(&mut Vec<Vec<u8>>)| Harm {
        what,
        fault,
        on_redb: Box::new(move |database| journal_of(database, call, change)),
        on_redis: Box::new(move |redis| redis_journal(redis, call, change)),
    };
    let (kept, link) = (call_key(over).id, link_key(chain_of_call(over), 1).id);
    let place = format!("call {goes_on}");
    let [kept2, link2] = [kept.clone(), link.clone()];
    vec![
        journal("an entry removed", goes_on, fault(place.clone(), Some(3), What::Removed), |all| {
            all.remove(2);
        }),
        journal("the last removed", goes_on, fault(place.clone(), Some(4), What::Removed), |all| {
            drop(all.pop());
        }),
        journal("an entry altered", goes_on, fault(place.clone(), Some(2), What::Altered), |all| {
            altered(&mut all[1]);
        }),
        journal("two swapped", goes_on, fault(place, Some(2), What::Reordered), |all| {
            all.swap(1, 2);
        }),
        Harm {
            what: "the audit of a call that is over removed",
            fault: fault(format!("call {over}"), None, What::Removed),
            on_redb: Box::new(move |database| remove_record(database, "audit-call", &kept)),
            on_redis: Box::new(move |redis| {
                let key = redis_key(redis, &kept2);
                redis::cmd("DEL").arg(key).exec(redis).unwrap();
            }),
        },
        Harm {
            what: "a link removed",
            fault: fault(format!("chain {}", chain_of_call(over)), Some(1), What::Removed),
            on_redb: Box::new(move |database| remove_record(database, "audit-link", &link)),
            on_redis: Box::new(move |redis| {
                let key = redis_key(redis, &link2);
                redis::cmd("DEL").arg(key).exec(redis).unwrap();
            }),
        },
    ]
}

async fn opened(path: &Path) -> Arc<dyn Store> {
    store::open(&format!("embedded:{}", path.display())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t65_a_removed_altered_or_moved_entry_is_found_on_redb() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.redb");
    let ids = calls(opened(&whole).await).await;
    let report = verified(opened(&whole).await.as_ref()).await;
    assert_eq!((report.calls, report.links, report.faults), (2, 1, vec![]));
    for (harm, n) in harms(ids).into_iter().zip(0..) {
        let copy = folder.path().join(format!("{n}.redb"));
        std::fs::copy(&whole, &copy).unwrap();
        (harm.on_redb)(&Database::open(&copy).unwrap());
        let report = verified(opened(&copy).await.as_ref()).await;
        assert_eq!(report.faults, [harm.fault], "{}", harm.what);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t65_a_removed_altered_or_moved_entry_is_found_on_redis() {
    let count = harms([CallId(uuid::Uuid::nil()); 2]).len();
    for n in 0..count {
        let url = RedisServer::shared().database();
        let store = store::open(&url).await.unwrap();
        let ids = calls(store.clone()).await;
        assert_eq!(verified(store.as_ref()).await.faults, []);
        let harm = harms(ids).remove(n);
        (harm.on_redis)(&mut RedisServer::connection(&url));
        assert_eq!(verified(store.as_ref()).await.faults, [harm.fault], "{}", harm.what);
    }
}

/// The audit names no account, number or PIN; and what no key has sealed is never believed.
#[tokio::test]
async fn t65_the_audit_holds_no_secret_and_believes_no_other_key() {
    let store = memory();
    let office = Office::over(store.clone());
    let mut line = office.ring_to_pin("CA1").await;
    line.key("111222").await;
    let journal = office.exchange.journal(line.call).await.unwrap();
    let audit: Vec<_> = journal.into_iter().flat_map(|entry| entry.audit).collect();
    let text = serde_json::to_string(&audit).unwrap();
    assert!(text.contains("wrong") && text.contains("identify"), "{text}");
    for secret in [ACCOUNT, "111222", "+1500"] {
        assert!(!text.contains(secret), "{text}");
    }
    let now = office.now();
    let report = verify(store.as_ref(), &Vault::new(&[8; 32]), now).await.unwrap();
    assert_eq!(report.faults.len(), 1);
}

/// What is left of a store when its calls are forgotten tells under which key it was written; one record that somebody
/// has put there does not.
#[tokio::test]
async fn the_ends_of_the_chains_tell_whose_key_they_were_written_under() {
    let store = memory();
    let (own, other) = (Vault::new(&[7; 32]), Vault::new(&[8; 32]));
    assert!(!is_of_another_key(store.as_ref(), &other).await.unwrap(), "an empty one is anybody's");
    let office = Office::over(store.clone());
    let line = office.ring_to_pin("CA1").await;
    assert!(is_of_another_key(store.as_ref(), &other).await.unwrap(), "a call tells");
    let (leg, sid) = (LegId::INBOUND, line.sid.clone());
    let left = move |_: &Call| {
        Some(Event::LegStatus { leg, sid: sid.clone(), status: LegStatus::Completed })
    };
    office.exchange.tell(line.call, None, left).await.unwrap().unwrap();
    office.outbox.drain().await.unwrap();
    store.sweep(office.now() + SignedDuration::from_hours(48)).await.unwrap();
    assert_eq!(store.calls(1).await.unwrap(), []);
    assert!(is_of_another_key(store.as_ref(), &other).await.unwrap(), "the end of a chain tells");
    assert!(!is_of_another_key(store.as_ref(), &own).await.unwrap());
    let there = head_key((chain_of_call(line.call) + 1) % 64);
    let (now, kept) = (office.now(), office.now() + SignedDuration::from_hours(1));
    let planted = other.seal(Kind::Record, &there.id, &(), [0; 12]);
    let swap = Swap { key: &there, expected: None, value: &planted };
    assert!(store.swap(swap, kept, now).await.unwrap());
    assert!(!is_of_another_key(store.as_ref(), &own).await.unwrap(), "one of many");
}

/// By the clock of whoever verifies it, it may be long before what has run out was forgotten.
#[tokio::test]
async fn by_a_clock_that_is_behind_nothing_was_removed() {
    let store = memory();
    let office = Office::over(store.clone());
    for (sid, later) in
        [("CA1", SignedDuration::ZERO), ("CA2", SignedDuration::from_hours(401 * 24))]
    {
        office.clock.set(office.now() + later);
        let line = office.ring_to_pin(sid).await;
        let (leg, sid) = (LegId::INBOUND, line.sid.clone());
        let left = move |_: &Call| {
            Some(Event::LegStatus { leg, sid: sid.clone(), status: LegStatus::Completed })
        };
        office.exchange.tell(line.call, None, left).await.unwrap().unwrap();
        office.outbox.drain().await.unwrap();
    }
    store.sweep(office.now()).await.unwrap();
    let report = verified(store.as_ref()).await;
    assert_eq!((report.links, report.faults), (1, vec![]));
}

/// Calls that end at about the same time are put down together and bound by one link: by the server that
/// had them, or by one that knows only what the store has. Each of them is held to its own end.
#[tokio::test]
async fn t65_of_audits_that_are_bound_together_each_is_held_to_its_end() {
    for own in [true, false] {
        let store = memory();
        let office = Office::over(store.clone());
        let mut calls = Vec::new();
        for n in 0..3 {
            let line = office.ring_to_pin(&format!("CA{n}")).await;
            let (leg, sid) = (LegId::INBOUND, line.sid.clone());
            let left = move |_: &Call| {
                Some(Event::LegStatus { leg, sid: sid.clone(), status: LegStatus::Completed })
            };
            office.exchange.tell(line.call, None, left).await.unwrap().unwrap();
            calls.push(line.call);
        }
        let worker = if own { office } else { Office::over(store.clone()) };
        worker.outbox.drain().await.unwrap();
        let report = verified(store.as_ref()).await;
        assert_eq!((report.calls, report.links, report.faults), (3, 1, vec![]), "own: {own}");

        let (_, other) = store.read(&call_key(calls[2])).await.unwrap().unwrap();
        put(store.as_ref(), &call_key(calls[1]), &other).await;
        let expected = fault(format!("call {}", calls[1]), None, What::Altered);
        assert_eq!(verified(store.as_ref()).await.faults, [expected], "own: {own}");
    }
}

/// Servers of two releases write to one store while one replaces the other. What says more of a deed than is known
/// here, or another deed, holds for those who know it, and is not told as altered.
#[tokio::test]
async fn t65_what_a_newer_callgate_noted_is_left_to_it() {
    for (place, more) in [
        ("/entries/0/deed", serde_json::json!({ "weighed": { "by": "feather" } })),
        ("/entries/0/deed/ended/feather", serde_json::json!(1)),
        ("/entries/0/feather", serde_json::json!(1)),
    ] {
        let store = memory();
        let [over, _] = calls(store.clone()).await;
        let (key, vault) = (call_key(over), Vault::new(&[7; 32]));
        let (_, sealed) = store.read(&key).await.unwrap().unwrap();
        let opened = vault.open(Kind::Record, &key.id, &sealed).unwrap();
        let mut audit: serde_json::Value = opened.read().unwrap();
        let (parent, last) = place.rsplit_once('/').unwrap();
        audit.pointer_mut(parent).unwrap()[last] = more;
        put(store.as_ref(), &key, &vault.seal(Kind::Record, &key.id, &audit, [9; 12])).await;
        let report = verified(store.as_ref()).await;
        assert_eq!(report.faults, [fault(format!("call {over}"), None, What::Newer)], "{place}");
        assert!(!report.is_broken());
    }
}

/// The dead letters of a partition have the same id as the end of its chain: their seal fits there, but they are no
/// newer callgate's end.
#[tokio::test]
async fn t65_what_is_put_in_the_place_of_an_end_is_no_newer_callgates() {
    let told = async |other: &str, more: &[(&str, serde_json::Value)]| {
        let store = memory();
        let [over, _] = calls(store.clone()).await;
        let chain = chain_of_call(over);
        let (key, vault) = (head_key(chain), Vault::new(&[7; 32]));
        let (_, sealed) = store.read(&key).await.unwrap().unwrap();
        let opened = vault.open(Kind::Record, &key.id, &sealed).unwrap();
        let mut end: serde_json::Value = opened.read().unwrap();
        if !other.is_empty() {
            end = serde_json::from_str(other).unwrap();
        }
        for (name, value) in more {
            end[name] = value.clone();
        }
        put(store.as_ref(), &key, &vault.seal(Kind::Record, &key.id, &end, [9; 12])).await;
        let faults = verified(store.as_ref()).await.faults;
        assert_eq!(faults.len(), 1, "{other} {more:?}: {faults:?}");
        assert_eq!(faults[0].place, format!("chain {chain}"), "{other} {more:?}");
        faults[0].what
    };
    for other in ["[]", "null", r#"{ "name": "0badcafe" }"#, r#"{ "number": 1 }"#] {
        assert_eq!(told(other, &[]).await, What::Altered, "{other}");
    }
    let more = [("feather", serde_json::json!(1))];
    assert_eq!(told("", &more).await, What::Newer);
}

/// A captured request that rings, sent again when its call is forgotten, is a call of the same name. What the first one
/// left stays.
#[tokio::test]
async fn t65_a_call_that_is_rung_again_takes_nothing_from_the_audit_of_the_first() {
    for again in 1..=2 {
        let store = memory();
        let office = Office::over(store.clone());
        let mut begun = Vec::new();
        for n in 0..=again {
            office.clock.set(office_now() + SignedDuration::from_hours(48 * n));
            store.sweep(office.now()).await.unwrap();
            let mut line = office.ring_to_pin("CA1").await;
            for pin in ["111222", "333444", "555666"] {
                line.key(pin).await;
            }
            office.outbox.drain().await.unwrap();
            begun.push(office.now());
        }
        let (faults, told) = told(store.as_ref(), &[]).await;
        assert_eq!(faults, [], "{again}");
        let tells = |at: &&jiff::Timestamp| told.iter().any(|told| told.at == **at);
        assert_eq!(begun.iter().filter(tells).count(), begun.len(), "{again}: {told:?}");
    }
}

fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

/// Puts this in the place of a record.
async fn put(store: &dyn Store, key: &store::RecordKey, value: &[u8]) {
    let (revision, _) = store.read(key).await.unwrap().unwrap();
    let swap = Swap { key, expected: Some(revision), value };
    let kept = office_now() + SignedDuration::from_hours(100);
    assert!(store.swap(swap, kept, office_now()).await.unwrap());
}

fn office_now() -> jiff::Timestamp {
    super::office::START.parse().unwrap()
}

/// One call over this store that is over `later`, and how the chains of the store end then.
async fn ends_after(store: &Arc<dyn Store>, later: SignedDuration) -> Vec<ChainHead> {
    let office = Office::over(store.clone());
    office.clock.set(office.now() + later);
    let mut line = office.ring_to_pin("CA1").await;
    for pin in ["111222", "333444", "555666"] {
        line.key(pin).await;
    }
    office.outbox.drain().await.unwrap();
    let report = verified(store.as_ref()).await;
    assert_eq!(report.faults, []);
    report.heads
}

async fn told(store: &dyn Store, kept: &[ChainHead]) -> (Vec<Fault>, Vec<Told>) {
    let now = super::office::START.parse().unwrap();
    let mut told = Vec::new();
    let mut tell = |entry| told.push(entry);
    let report = verify_and_tell(store, &Vault::new(&[7; 32]), now, kept, &mut tell).await.unwrap();
    (report.faults, told)
}

/// A store that was set back to a copy and has gone on since is whole in itself, and its chains are no shorter.
#[tokio::test]
async fn t65_a_chain_that_was_set_back_and_grew_again_does_not_go_on_from_its_end() {
    let (own, set_back) = (memory(), memory());
    let kept = ends_after(&own, SignedDuration::ZERO).await;
    let [end] = kept.as_slice() else { panic!("{kept:?}") };
    let another = ends_after(&set_back, SignedDuration::from_hours(1)).await;
    assert_eq!((another[0].chain, another[0].number), (end.chain, end.number));
    assert_eq!(told(own.as_ref(), &kept).await.0, []);
    let expected = |what| [fault(format!("chain {}", end.chain), Some(end.number), what)];
    assert_eq!(told(set_back.as_ref(), &kept).await.0, expected(What::Altered));
    assert_eq!(told(memory().as_ref(), &kept).await.0, expected(What::Removed));
    // One that has grown goes on from it.
    let office = Office::over(own.clone());
    let account = Secret::new(ACCOUNT);
    office.exchange.unlock(&account, None, By::CommandLine).await.unwrap().unwrap();
    let (faults, entries) = told(own.as_ref(), &kept).await;
    assert_eq!(faults, []);
    // What happened in the call, in its order, and what happened outside it.
    let (of_call, outside): (Vec<_>, Vec<_>) = entries.iter().partition(|told| told.call.is_some());
    let numbers: Vec<_> = of_call.iter().map(|told| told.number).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    let [outside] = outside.as_slice() else { panic!("{outside:?}") };
    assert!(of_call.iter().any(|told| told.about == outside.about), "{entries:?}");
    assert!(
        serde_json::to_string(outside).unwrap().contains(r#""unlocked":{"by":"the command line"}"#)
    );
}

/// A link that is right in itself, of a chain that was set back: the next link was not written after it.
#[tokio::test]
async fn t65_a_link_of_another_past_is_found() {
    let (own, past) = (memory(), memory());
    let [end] = ends_after(&own, SignedDuration::ZERO).await.try_into().unwrap();
    ends_after(&past, SignedDuration::from_hours(1)).await;
    // The same call's name again, days later: its audit is bound in the same chain.
    let office = Office::over(own.clone());
    office.clock.advance(Duration::from_hours(48));
    own.sweep(office.now()).await.unwrap();
    let mut line = office.ring_to_pin("CA1").await;
    for pin in ["111222", "333444", "555666"] {
        line.key(pin).await;
    }
    office.outbox.drain().await.unwrap();
    let key = link_key(end.chain, end.number);
    let (_, value) = past.read(&key).await.unwrap().unwrap();
    put(own.as_ref(), &key, &value).await;
    let faults = verified(own.as_ref()).await.faults;
    let expected = fault(format!("chain {}", end.chain), Some(end.number), What::Reordered);
    assert!(faults.contains(&expected), "{faults:?}");
}

/// A link that says something else than it was written with, under its own name and the right seal.
#[tokio::test]
async fn t65_a_link_that_was_written_anew_is_found() {
    let store = memory();
    let [end] = ends_after(&store, SignedDuration::ZERO).await.try_into().unwrap();
    let (key, vault) = (link_key(end.chain, end.number), Vault::new(&[7; 32]));
    let (_, sealed) = store.read(&key).await.unwrap().unwrap();
    let mut link: Link = vault.open(Kind::Record, &key.id, &sealed).unwrap().read().unwrap();
    link.what = Bound::Deed { about: "nobody".into(), deed: Deed::Proved { factor: Fact::Pin } };
    put(store.as_ref(), &key, &vault.seal(Kind::Record, &key.id, &link, [9; 12])).await;
    let (faults, told) = told(store.as_ref(), &[]).await;
    let expected = fault(format!("chain {}", end.chain), Some(end.number), What::Altered);
    assert_eq!(faults, [expected]);
    assert!(
        told.iter().all(|told| told.call.is_some()),
        "what was never done is not told: {told:?}"
    );
}

fn run_show(house: &House, more: &[&str]) -> (Option<i32>, Vec<serde_json::Value>, String) {
    let output = house.command().args(["audit", "show"]).args(more).ran();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code(), lines, String::from_utf8(output.stderr).unwrap())
}

fn run_verify(house: &House) -> (Option<i32>, serde_json::Value, String) {
    let output = house.command().args(["audit", "verify", "--format", "json"]).ran();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), report, String::from_utf8(output.stderr).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t65_the_command_says_which_call_and_which_entry() {
    let provider = Provider::start();
    let mut house = House::set_up("embedded:callgate.redb", &provider.api_base());
    let (code, _, stderr) = run_verify(&house);
    assert_eq!(code, Some(3), "there is no store yet: {stderr}");
    house.restart();
    let mut phone = Telephone::new("CA1", "+15005550777");
    phone.ring(&house).await;
    phone.key(&house, crate::support::house::ACCOUNT).await;
    phone.key(&house, "111222").await;
    let (code, _, stderr) = run_verify(&house);
    assert_eq!(code, Some(3), "the server has the file: {stderr}");
    house.terminate();
    house.wait();
    let (code, report, stderr) = run_verify(&house);
    assert_eq!((code, &report["report"]["calls"]), (Some(0), &1.into()), "{report} {stderr}");
    // Whoever verifies it needs the key, and none of the house's other secrets.
    let mut auditor = house.keeper();
    auditor.args(["audit", "verify"]);
    let output = auditor.ran();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(auditor.env_remove("CALLGATE_STATE_KEY").ran().status.code(), Some(2));
    let entries = report["report"]["entries"].as_u64().unwrap();
    let (code, shown, stderr) = run_show(&house, &[]);
    assert_eq!((code, shown.len() as u64), (Some(0), entries), "{shown:?} {stderr}");
    let account = ["--account", crate::support::house::ACCOUNT];
    let (_, of_account, _) = run_show(&house, &account);
    assert!(
        !of_account.is_empty()
            && of_account.iter().all(|one| one["about"] == of_account[0]["about"])
    );
    assert!(!format!("{shown:?}").contains(crate::support::house::ACCOUNT));
    assert_eq!(run_show(&house, &["--account", "nobody"]).1, [""; 0]);
    assert_eq!(run_show(&house, &["--until", "2020-01-01"]).1, [""; 0]);
    assert_eq!(run_show(&house, &["--since", "2020-01-01T00:00:00Z"]).1, shown);
    let kept = house.folder.path().join("kept.json");
    std::fs::write(&kept, r#"{"report":{"heads":[{"chain":3,"number":9,"hash":"00"}]}}"#).unwrap();
    let verify = || house.command().args(["audit", "verify", "--kept", "kept.json"]).ran();
    let output = verify();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout.starts_with("chain 3, entry 9: was removed\n"), "{stdout}");
    let path = house.folder.path().join("callgate.redb");
    let call =
        CallId::of(crate::support::provider::ACCOUNT_SID, &callgate::engine::id::Sid("CA1".into()));
    // What a newer callgate wrote is no alarm; but whoever has something look like it hides nothing else by that.
    let version = |of: u8| {
        journal_of(&Database::open(&path).unwrap(), call, |entries| entries[0][0] = of);
    };
    version(9);
    let (code, report, _) = run_verify(&house);
    let newer = serde_json::json!([{ "in": format!("call {call}"), "number": 1, "what": "newer" }]);
    assert_eq!((code, &report["report"]["faults"]), (Some(3), &newer));
    let (code, _, stderr) = run_show(&house, &[]);
    assert!(code == Some(3) && stderr.contains("a newer callgate wrote it"), "{stderr}");
    assert_eq!(verify().status.code(), Some(1));
    version(4);
    assert_eq!(run_verify(&house).0, Some(0));
    std::fs::write(&kept, "{}").unwrap();
    assert_eq!(verify().status.code(), Some(2));
    journal_of(&Database::open(&path).unwrap(), call, |entries| drop(entries.remove(0)));
    let (code, report, _) = run_verify(&house);
    let fault = &report["report"]["faults"][0];
    assert_eq!(code, Some(1));
    assert_eq!((&fault["in"], &fault["number"]), (&format!("call {call}").into(), &1.into()));
    let (code, shown, stderr) = run_show(&house, &["--call", &call.to_string()]);
    assert_eq!((code, shown.len()), (Some(1), 0), "nothing behind the gap is told: {stderr}");
    assert!(stderr.contains(&format!("call {call}, entry 1: was removed")), "{stderr}");
}
