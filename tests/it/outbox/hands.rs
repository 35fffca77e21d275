//! The hands that an effect passes through: whoever cannot do it now, or is not done with it in time, leaves it whole
//! to the next.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use callgate::carrier::{Carrier, Delivery, Found, Reference};
use callgate::clock::{Clock as _, VirtualClock};
use callgate::engine::effect::{PlaceCall, Sms};
use callgate::engine::event::{Event, LegStatus};
use callgate::engine::id::{CallId, LegId, Sid};
use callgate::engine::policy::Policy;
use callgate::exchange::tally::Why;
use callgate::outbox::Outbox;
use callgate::store::envelope::Vault;
use callgate::store::memory::MemoryStore;
use callgate::store::redb::RedbStore;
use callgate::store::redis::RedisStore;
use callgate::store::{Claim, DueWhat, Lease, Store};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{carrier, exchange, leave_message};
use crate::support::eventually::eventually_async;
use crate::support::house::{LINE, MOBILE, vault};
use crate::support::provider::{Answer, Provider, Request};
use crate::support::redis::RedisServer;
use crate::threats::office::{self, ACCOUNT, DESK, Line, Office};

const START: &str = "2026-03-01T12:00:00Z";
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// A server that has another key, or is older, keeps what it cannot read from being done by nobody.
#[tokio::test]
async fn what_one_server_cannot_read_is_done_by_another() {
    let (store, provider) = (Arc::new(MemoryStore::default()), Provider::start());
    let clock = Arc::new(VirtualClock::at(START.parse().unwrap()));
    let worker = |vault: Vault| {
        let exchange = exchange(store.clone(), vault, clock.clone());
        (exchange.clone(), Outbox::new(exchange, carrier(&provider), None))
    };
    let ((exchange, reader), (_, stranger)) = (worker(vault()), worker(Vault::new(&[7; 32])));
    leave_message(&exchange, LINE, MOBILE, 0).await;
    assert_eq!(stranger.drain().await.unwrap(), 1);
    assert_eq!(provider.requests(), []);
    // It is not looked at as often as something that can be done.
    clock.advance(4 * MINUTE);
    assert_eq!(reader.drain().await.unwrap(), 0);
    clock.advance(MINUTE);
    assert_eq!(reader.drain().await.unwrap(), 1);
    assert_eq!(provider.messages().len(), 1);
    clock.advance(60 * MINUTE);
    assert_eq!(reader.drain().await.unwrap(), 0, "it is done");
}

/// Does this to the body of everything that is due.
async fn alter(office: &Office, change: impl Fn(&mut Vec<u8>)) {
    let now = office.now();
    let lease = Lease(Uuid::from_u128(7));
    let claim = Claim { now, lease, until: now + SignedDuration::from_secs(10), count_max: 9 };
    let store = office.exchange.store();
    for due in store.claim(claim).await.unwrap() {
        let DueWhat::Effect { id, body, .. } = &due.what else { continue };
        let mut body = body.clone();
        change(&mut body);
        assert!(store.put_off(due.claimed(*id), now, body).await.unwrap());
    }
}

async fn what_was_altered_is_given_up_on_over(store: Arc<dyn Store>) {
    let provider = Provider::start();
    let office = Office::over(store);
    let outbox = Outbox::new(office.exchange.clone(), carrier(&provider), None);
    // The name of its key, what is sealed, a piece of it, and nothing of it.
    let changes: [fn(&mut Vec<u8>); 5] = [
        |body| body[1] ^= 1,
        |body| *body.last_mut().unwrap() ^= 1,
        |body| body.truncate(20),
        |body| body.clear(),
        |body| *body = b"hunter2".to_vec(),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let sid = format!("CA{number}");
        let mut line = office.ring_to_menu(&sid).await;
        outbox.drain().await.unwrap();
        line.key("1").await;
        alter(&office, change).await;
        outbox.drain().await.unwrap();
        assert_eq!(provider.messages(), [], "{number}");
        let letters = office.exchange.dead_letters().await.unwrap();
        assert_eq!(letters.len(), number + 1, "{letters:?}");
        let letter = letters.iter().find(|letter| letter.call == line.call).unwrap();
        assert_eq!((letter.what.as_str(), letter.why), ("unreadable", Why::Unknown));
        assert_eq!(letter.again, None);
        // Whoever waits for the code is taken to what the flow has for them.
        let taken = |request: &Request| request.path.ends_with(&format!("/Calls/{sid}.json"));
        assert_eq!(provider.requests().iter().filter(|it| taken(it)).count(), 1, "{number}");
        office.clock.advance(MINUTE);
    }
    // Nobody tries it again.
    office.clock.advance(60 * MINUTE);
    outbox.drain().await.unwrap();
    assert_eq!(office.exchange.dead_letters().await.unwrap().len(), changes.len());
}

#[tokio::test]
async fn what_was_altered_is_given_up_on_in_memory() {
    what_was_altered_is_given_up_on_over(Arc::new(MemoryStore::default())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_altered_is_given_up_on_on_redb() {
    let folder = tempfile::tempdir().unwrap();
    let store = RedbStore::open(&folder.path().join("calls.redb")).unwrap();
    what_was_altered_is_given_up_on_over(Arc::new(store)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_altered_is_given_up_on_on_redis() {
    let store = RedisStore::connect(&RedisServer::shared().database()).unwrap();
    what_was_altered_is_given_up_on_over(Arc::new(store)).await;
}

/// A provider that has too much to do says for how long it wants to be left alone.
#[tokio::test]
async fn a_provider_is_left_alone_for_as_long_as_it_asks() {
    let (store, provider) = (Arc::new(MemoryStore::default()), Provider::start());
    let clock = Arc::new(VirtualClock::at(START.parse().unwrap()));
    let exchange = exchange(store, vault(), clock.clone());
    let outbox = Outbox::new(exchange.clone(), carrier(&provider), None);
    leave_message(&exchange, LINE, MOBILE, 0).await;
    provider.next_message(Answer::TooMany { retry_after: Some("600".into()) });
    assert_eq!(outbox.drain().await.unwrap(), 1);
    clock.advance(599 * SECOND);
    assert_eq!(outbox.drain().await.unwrap(), 0);
    clock.advance(SECOND);
    assert_eq!(outbox.drain().await.unwrap(), 1);
    assert_eq!(provider.messages().len(), 2);
}

/// How often the provider is asked to take a caller elsewhere whose message it could not deliver, where so much time goes
/// by while the worker is at something that it took with it.
async fn redirected_after(time: Duration) -> usize {
    let provider = Provider::start();
    let office = Office::fresh(DESK, &office::account(ACCOUNT, "2024-01-01"));
    let outbox = Outbox::new(office.exchange.clone(), carrier(&provider), None);
    let mut waits = office.ring_to_menu("CA1").await;
    waits.key("1").await;
    outbox.drain().await.unwrap();
    let call = office.exchange.load(waits.call).await.unwrap().unwrap().call;
    let effect = call.code.unwrap().effect.unwrap();
    assert_eq!(provider.messages().len(), 1);

    office.ring_to_menu("CA2").await.key("1").await;
    office.clock.advance(SECOND);
    let undelivered = Event::Undelivered { effect };
    office.exchange.tell(waits.call, None, |_| Some(undelivered.clone())).await.unwrap();
    let go_on = CancellationToken::new();
    provider.next_message(Answer::Held(go_on.clone()));
    let working = tokio::spawn(async move { outbox.drain().await.unwrap() });
    eventually_async("the message before it to be sent", async || {
        (provider.messages().len() == 2).then_some(())
    })
    .await;
    office.clock.advance(time);
    go_on.cancel();
    working.await.unwrap();
    provider.requests().iter().filter(|request| request.path.ends_with("/Calls/CA1.json")).count()
}

/// A machine that slept does not know it: its lease has ended, and another may be at it.
#[tokio::test]
async fn whoever_stood_still_for_longer_than_a_lease_moves_nobody() {
    assert_eq!(redirected_after(SECOND).await, 1);
    assert_eq!(redirected_after(MINUTE).await, 0);
}

/// What is left to be sent to whoever waits for a code, after this was done to them.
async fn sent_after(what: impl AsyncFnOnce(&Office, &mut Line)) -> Vec<Request> {
    let provider = Provider::start();
    let mut policy = Policy::default();
    policy.otp.resend_backoff_s = vec![0];
    let accounts = office::account(ACCOUNT, "2024-01-01");
    let office = Office::under(policy, Arc::new(MemoryStore::default()), DESK, &accounts);
    let outbox = Outbox::new(office.exchange.clone(), carrier(&provider), None);
    let mut line = office.ring_to_menu("CA1").await;
    line.key("1").await;
    what(&office, &mut line).await;
    outbox.drain().await.unwrap();
    provider.messages()
}

/// A code that nobody can key in any more is not sent.
#[tokio::test]
async fn a_code_that_was_withdrawn_is_not_sent() {
    let in_time = sent_after(async |office, _| office.clock.advance(9 * MINUTE)).await;
    assert_eq!(in_time.len(), 1);
    assert_eq!(in_time[0].field("ValidityPeriod"), Some("60"), "what is left of ten minutes");
    let late = sent_after(async |office, _| office.clock.advance(10 * MINUTE)).await;
    assert_eq!(late, [], "it is good no more");

    let hung_up = sent_after(async |office, line| hang_up(office, line).await).await;
    assert_eq!(hung_up, [], "nobody waits for it");
    let mut effect = None;
    let anew = sent_after(async |office, line| {
        line.key("*").await;
        let call = office.exchange.load(line.call).await.unwrap().unwrap().call;
        effect = call.code.unwrap().effect;
    })
    .await;
    assert_eq!(anew.len(), 1, "another has taken its place");
    let of = format!("/{}", effect.unwrap());
    assert!(anew[0].field("StatusCallback").unwrap().ends_with(&of), "{of}");
}

/// Nor is one in a mail.
#[tokio::test]
async fn a_mail_with_a_code_that_was_withdrawn_is_not_sent() {
    let flow =
        DESK.replace("send_sms_otp", "send_email_otp").replace("\"sms_otp\"", "\"email_otp\"");
    let email =
        "email = { address = \"ada@example.com\", since = \"2024-01-01\" }\n[accounts.fields]";
    let accounts = office::account(ACCOUNT, "2024-01-01").replace("[accounts.fields]", email);
    for (after, mails) in [(9 * MINUTE, 1), (10 * MINUTE, 0)] {
        let office = Office::fresh(&flow, &accounts);
        let mut line = office.ring_to_menu("CA1").await;
        line.key("1").await;
        office.clock.advance(after);
        office.outbox.drain().await.unwrap();
        assert_eq!(office.world.messages(line.call).len(), mails, "{after:?}");
    }
}

/// Nor is the provider asked to make one.
#[tokio::test]
async fn a_code_of_the_providers_that_was_withdrawn_is_not_begun() {
    for (waits, begun) in [(true, 1), (false, 0)] {
        let mut policy = Policy::default();
        policy.otp.by_provider = true;
        let accounts = office::account(ACCOUNT, "2024-01-01");
        let office = Office::under(policy, Arc::new(MemoryStore::default()), DESK, &accounts);
        let mut line = office.ring_to_menu("CA1").await;
        line.key("1").await;
        if !waits {
            hang_up(&office, &line).await;
        }
        office.outbox.drain().await.unwrap();
        assert_eq!(office.world.messages(line.call).len(), begun, "{waits}");
    }
}

async fn hang_up(office: &Office, line: &Line) {
    let (leg, sid, status) = (LegId::INBOUND, line.sid.clone(), LegStatus::Completed);
    let over = Event::LegStatus { leg, sid, status };
    office.exchange.tell(line.call, None, |_| Some(over.clone())).await.unwrap();
}

/// A ring that was asked for so long ago is expected by nobody any more.
#[tokio::test]
async fn nobody_is_rung_late() {
    for (after, rings, letters) in [(90 * SECOND, 1, 0), (91 * SECOND, 0, 1)] {
        let provider = Provider::start();
        let office = Office::fresh(DESK, &office::account(ACCOUNT, "2024-01-01"));
        let outbox = Outbox::new(office.exchange.clone(), carrier(&provider), None);
        office.ring_to_menu("CA1").await.key("2").await;
        office.clock.advance(after);
        outbox.drain().await.unwrap();
        assert_eq!(provider.calls().len(), rings, "{after:?}");
        let kept = office.exchange.dead_letters().await.unwrap();
        assert_eq!(kept.len(), letters, "{after:?}");
        assert!(kept.iter().all(|letter| letter.why == Why::Late && letter.again.is_none()));
    }
}

/// Whoever hangs up while somebody is being rung for them leaves nobody to pick up for nothing.
#[tokio::test]
async fn a_ring_that_is_placed_when_the_caller_is_gone_is_ended() {
    let provider = Provider::start();
    let office = Office::fresh(DESK, &office::account(ACCOUNT, "2024-01-01"));
    let outbox = Outbox::new(office.exchange.clone(), carrier(&provider), None);
    let mut line = office.ring_to_menu("CA1").await;
    line.key("2").await;
    let go_on = CancellationToken::new();
    provider.next(Answer::Held(go_on.clone()));
    let working = tokio::spawn(async move { outbox.drain().await.unwrap() });
    eventually_async("somebody to be rung", async || (!provider.calls().is_empty()).then_some(()))
        .await;
    // The call waits for whoever is rung, but not for ever.
    hang_up(&office, &line).await;
    office.clock.advance(2 * MINUTE);
    office.exchange.tell(line.call, None, |_| Some(Event::Deadline)).await.unwrap();
    assert!(office.exchange.load(line.call).await.unwrap().unwrap().call.end.is_some());
    go_on.cancel();
    working.await.unwrap();
    let call = provider.calls().remove(0);
    assert_eq!(call.status, "completed", "nobody picks up for nothing");
}

/// A provider of which nothing is heard of the first rings.
#[derive(Debug)]
struct Late {
    clock: Arc<VirtualClock>,
    /// For how long it is silent of each, and how late it is listed and carried out; `None`: it never is.
    silences: Vec<(Duration, Option<Duration>)>,
    /// How long its list takes the first time.
    list_takes: Mutex<Duration>,
    /// When each ring is carried out.
    rings: Mutex<Vec<Option<Timestamp>>>,
}

impl Late {
    fn name(number: usize) -> Sid {
        Sid(format!("CAlate{number}"))
    }
}

#[async_trait]
impl Carrier for Late {
    async fn send_sms(&self, _: Reference, _: &Sms) -> Delivery {
        Delivery::Refused { code: None }
    }

    async fn place_call(&self, _: Reference, _: &PlaceCall) -> Delivery {
        let now = self.clock.now();
        let mut rings = self.rings.lock().unwrap();
        if let Some((silent_for, comes_after)) = self.silences.get(rings.len()) {
            rings.push(comes_after.map(|after| now + after));
            self.clock.advance(*silent_for);
            return Delivery::Unknown;
        }
        rings.push(Some(now));
        Delivery::Accepted(Self::name(rings.len() - 1))
    }

    async fn find_call(&self, _: &PlaceCall, _: Timestamp, others: &[Sid]) -> Found {
        self.clock.advance(std::mem::take(&mut self.list_takes.lock().unwrap()));
        let now = self.clock.now();
        let rings = self.rings.lock().unwrap();
        let mut listed = rings.iter().enumerate().filter(|(_, at)| at.is_some_and(|at| at <= now));
        let found = listed.find(|(number, _)| !others.contains(&Self::name(*number)));
        found.map_or(Found::None, |(number, _)| Found::Call(Self::name(number)))
    }

    async fn redirect_leg(&self, _: CallId, _: LegId, _: &Sid) -> Delivery {
        Delivery::Refused { code: None }
    }

    async fn end_leg(&self, _: &Sid) -> Delivery {
        Delivery::Refused { code: None }
    }
}

/// What the provider calls the ring, once it is placed; `None`: nobody waits for it any more.
async fn placed_at_last(outbox: &Outbox, office: &Office, call: CallId) -> Option<Sid> {
    loop {
        outbox.drain().await.unwrap();
        let call = office.exchange.load(call).await.unwrap().unwrap().call;
        let placed = call.legs.iter().find(|leg| leg.id != LegId::INBOUND).unwrap();
        if placed.sid.is_some() || call.ringing.is_none() {
            return placed.sid.clone();
        }
        office.clock.advance(SECOND);
    }
}

/// A provider that is silent about a ring may carry it out late, and list it as late: it is asked for no other until
/// that is over. One that says quickly that it could not is asked again at once.
#[tokio::test]
async fn a_ring_that_comes_late_is_waited_for_and_none_is_placed_beside_it() {
    let (none, ten) = (Duration::ZERO, 10 * SECOND);
    for (silent_for, late_by, rings, within) in [
        (ten, Some(11 * SECOND), 1, 15),
        (ten, Some(20 * SECOND), 1, 24),
        (ten, None, 2, 30),
        (none, None, 2, 2),
        (none, Some(none), 1, 2),
    ] {
        let office = Office::fresh(DESK, &office::account(ACCOUNT, "2024-01-01"));
        let late = Arc::new(Late {
            clock: office.clock.clone(),
            silences: vec![(silent_for, late_by)],
            list_takes: Mutex::default(),
            rings: Mutex::default(),
        });
        let outbox = Outbox::new(office.exchange.clone(), late.clone(), None);
        let mut line = office.ring_to_menu("CA1").await;
        line.key("2").await;
        let begun = office.now();
        let placed = placed_at_last(&outbox, &office, line.call).await;
        let case = (silent_for, late_by);
        assert_eq!(placed, Some(Late::name(rings - 1)), "{case:?}");
        let took = office.now().duration_since(begun).as_secs();
        assert!((within - 4..=within).contains(&took), "{case:?}: {took}");
        for _ in 0..60 {
            outbox.drain().await.unwrap();
            office.clock.advance(SECOND);
        }
        assert_eq!(late.rings.lock().unwrap().len(), rings, "{case:?}");
    }
}

/// The provider may be as late with a ring for which it was asked late, because its list had taken long.
#[tokio::test]
async fn a_ring_that_is_asked_for_after_a_slow_list_is_waited_for_as_long() {
    let office = Office::fresh(DESK, &office::account(ACCOUNT, "2024-01-01"));
    let late = Arc::new(Late {
        clock: office.clock.clone(),
        silences: vec![(Duration::ZERO, None), (5 * SECOND, Some(17 * SECOND))],
        list_takes: Mutex::new(9 * SECOND),
        rings: Mutex::default(),
    });
    let outbox = Outbox::new(office.exchange.clone(), late.clone(), None);
    let mut line = office.ring_to_menu("CA1").await;
    line.key("2").await;
    let placed = placed_at_last(&outbox, &office, line.call).await;
    assert_eq!(placed, Some(Late::name(1)));
    assert_eq!(late.rings.lock().unwrap().len(), 2, "none was placed beside it");
}

/// A provider that is asked for a ring, and of which whoever asked hears nothing more.
#[derive(Debug, Default)]
struct LastAsked(Notify);

#[async_trait]
impl Carrier for LastAsked {
    async fn send_sms(&self, _: Reference, _: &Sms) -> Delivery {
        Delivery::Refused { code: None }
    }

    async fn place_call(&self, _: Reference, _: &PlaceCall) -> Delivery {
        self.0.notify_one();
        std::future::pending().await
    }

    async fn find_call(&self, _: &PlaceCall, _: Timestamp, _: &[Sid]) -> Found {
        Found::None
    }

    async fn redirect_leg(&self, _: CallId, _: LegId, _: &Sid) -> Delivery {
        Delivery::Refused { code: None }
    }

    async fn end_leg(&self, _: &Sid) -> Delivery {
        Delivery::Refused { code: None }
    }
}

/// The server that asked for a ring dies, and the next has its file at once: the request may still be on its way, so
/// the ring is only looked for until it cannot come any more.
#[tokio::test]
async fn a_ring_that_a_dead_server_asked_for_is_not_placed_beside_it() {
    for (comes_after, rings, within) in [
        (Some(Duration::ZERO), 1, 0),
        (Some(5 * SECOND), 1, 8),
        (Some(24 * SECOND), 1, 28),
        (None, 2, 28),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(RedbStore::open(&folder.path().join("calls.redb")).unwrap());
        let accounts = office::account(ACCOUNT, "2024-01-01");
        let office = Office::with(store.clone(), DESK, &accounts);
        let asked = Arc::new(LastAsked::default());
        let dies = Outbox::new(office.exchange.clone(), asked.clone(), None);
        let mut line = office.ring_to_menu("CA1").await;
        line.key("2").await;
        tokio::select! {
            _ = dies.drain() => unreachable!("it waits for the provider"),
            () = asked.0.notified() => {}
        }
        let begun = office.now();
        let first = comes_after.map(|after| begun + after);
        let late = Arc::new(Late {
            clock: office.clock.clone(),
            silences: Vec::new(),
            list_takes: Mutex::default(),
            rings: Mutex::new(vec![first]),
        });
        store.take_over(office.now()).await.unwrap();
        let outbox = Outbox::new(office.exchange.clone(), late.clone(), None);
        let placed = placed_at_last(&outbox, &office, line.call).await;
        assert_eq!(placed, Some(Late::name(rings - 1)), "{comes_after:?}");
        assert_eq!(late.rings.lock().unwrap().len(), rings, "{comes_after:?}");
        let took = office.now().duration_since(begun).as_secs();
        assert!(took <= within, "{comes_after:?}: {took}");
    }
}

/// A provider that keeps everybody waiting without end.
#[derive(Debug)]
struct Endless;

#[async_trait]
impl Carrier for Endless {
    async fn send_sms(&self, _: Reference, _: &Sms) -> Delivery {
        std::future::pending().await
    }

    async fn place_call(&self, _: Reference, _: &PlaceCall) -> Delivery {
        std::future::pending().await
    }

    async fn find_call(&self, _: &PlaceCall, _: Timestamp, _: &[Sid]) -> Found {
        std::future::pending().await
    }

    async fn redirect_leg(&self, _: CallId, _: LegId, _: &Sid) -> Delivery {
        std::future::pending().await
    }

    async fn end_leg(&self, _: &Sid) -> Delivery {
        std::future::pending().await
    }
}

/// Nobody is still at something when its lease ends and the next begins it.
#[tokio::test(start_paused = true)]
async fn what_takes_too_long_is_let_go_before_its_lease_ends() {
    let store = Arc::new(MemoryStore::default());
    let clock = Arc::new(VirtualClock::at(START.parse().unwrap()));
    let exchange = exchange(store, vault(), clock.clone());
    let outbox = Outbox::new(exchange.clone(), Arc::new(Endless), None);
    leave_message(&exchange, LINE, MOBILE, 0).await;
    let begun = Instant::now();
    assert_eq!(outbox.drain().await.unwrap(), 1);
    let took = begun.elapsed();
    clock.advance(took);
    assert_eq!(outbox.drain().await.unwrap(), 0, "its lease lasts still, after {took:?}");
    clock.advance(MINUTE);
    assert_eq!(outbox.drain().await.unwrap(), 1, "and then it is to be done");
}
