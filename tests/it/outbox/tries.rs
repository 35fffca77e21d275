//! How often an effect is tried, how long it waits between two tries, and what is made of it after the last.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use callgate::carrier::{Carrier, Delivery, Found, Reference};
use callgate::clock::{Clock as _, VirtualClock};
use callgate::engine::effect::{Effect, PlaceCall, Sms};
use callgate::engine::event::{Event, LegStatus};
use callgate::engine::id::{CallId, EffectId, LegId, Sid};
use callgate::exchange::Exchange;
use callgate::exchange::dead::DeadLetter;
use callgate::exchange::tally::Why;
use callgate::outbox::Outbox;
use callgate::store::memory::MemoryStore;
use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{carrier, exchange, leave, leave_message};
use crate::support::eventually::eventually_async;
use crate::support::house::{LINE, MOBILE, vault};
use crate::support::provider::{Answer, Provider};
use crate::threats::office::{self, ACCOUNT, DESK, Office, START};

const MOMENT: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// A provider that has one answer to everything, and has or has not what it was asked for before.
#[derive(Debug)]
struct Always {
    answer: Delivery,
    has: bool,
    asked: AtomicUsize,
    /// From when on rings were looked for.
    looked_from: Mutex<Vec<Timestamp>>,
}

impl Always {
    fn having(has: bool, answer: Delivery) -> Arc<Self> {
        Arc::new(Self { answer, has, asked: AtomicUsize::new(0), looked_from: Mutex::default() })
    }

    fn ask(&self) -> Delivery {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.answer.clone()
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// One that has nothing of what it was asked for, and an outbox that asks it.
fn answering(exchange: &Arc<Exchange>, answer: Delivery) -> (Arc<Always>, Arc<Outbox>) {
    let provider = Always::having(false, answer);
    (provider.clone(), Outbox::new(exchange.clone(), provider, None))
}

#[async_trait]
impl Carrier for Always {
    async fn send_sms(&self, _: Reference, _: &Sms) -> Delivery {
        self.ask()
    }

    async fn has_sms(&self, _: &Sms) -> bool {
        self.has
    }

    async fn place_call(&self, _: Reference, _: &PlaceCall) -> Delivery {
        self.ask()
    }

    async fn find_call(&self, _: &PlaceCall, since: Timestamp, _: &[Sid]) -> Found {
        self.looked_from.lock().unwrap().push(since);
        if self.has { Found::Call(Sid("CA9".into())) } else { Found::None }
    }

    async fn redirect_leg(&self, _: CallId, _: LegId, _: &Sid) -> Delivery {
        self.ask()
    }

    async fn end_leg(&self, _: &Sid) -> Delivery {
        self.ask()
    }
}

/// Tries what is due again and again: after each of these seconds and not a moment sooner, and then no more.
async fn tried_after(outbox: &Outbox, office: (&VirtualClock, &Always), seconds: &[u64]) {
    let (clock, provider) = office;
    tried_each(outbox, office, seconds).await;
    clock.advance(60 * MINUTE);
    outbox.drain().await.unwrap();
    assert_eq!(provider.asked(), seconds.len() + 1, "it is given up on");
}

/// The same, without a look at what comes then.
async fn tried_each(outbox: &Outbox, office: (&VirtualClock, &Always), seconds: &[u64]) {
    let (clock, provider) = office;
    outbox.drain().await.unwrap();
    for (tries, wait_s) in (1..).zip(seconds) {
        clock.advance(Duration::from_secs(*wait_s).saturating_sub(MOMENT));
        outbox.drain().await.unwrap();
        assert_eq!(provider.asked(), tries, "before {wait_s} s");
        clock.advance(MOMENT);
        outbox.drain().await.unwrap();
        assert_eq!(provider.asked(), tries + 1, "after {wait_s} s");
    }
}

fn not_done(retry_after: Option<Duration>) -> Delivery {
    Delivery::NotDone { retry_after }
}

#[tokio::test]
async fn a_leg_is_ended_in_six_tries_or_never() {
    let end = Effect::EndLeg { leg: LegId(1), sid: Sid("CA7".into()) };
    for (answer, why) in [(not_done(None), Why::NotDone), (Delivery::Unknown, Why::Unknown)] {
        let clock = Arc::new(VirtualClock::at(START.parse().unwrap()));
        let exchange = exchange(Arc::new(MemoryStore::default()), vault(), clock.clone());
        let (provider, outbox) = answering(&exchange, answer);
        leave(&exchange, LINE, &end, 0).await;
        tried_after(&outbox, (&clock, &provider), &[1, 2, 4, 8, 15]).await;
        let letters = exchange.dead_letters().await.unwrap();
        let [letter] = &letters[..] else { panic!("{letters:?}") };
        assert_eq!((letter.why, letter.attempts, letter.what.as_str()), (why, 6, "end_leg"));
        assert!(letter.again.is_some(), "it may be ended still");
    }
}

/// A mail server that takes no mail of strangers at first, or is down for as long as it takes somebody to see that. One
/// of which nobody knows whether it went out is not sent a dozen times.
#[tokio::test]
async fn a_message_that_is_as_good_later_is_tried_for_most_of_an_hour() {
    let waits = [1, 2, 4, 8, 15, 30, 60, 120, 300, 900, 1_800];
    for (answer, why, waits) in [
        (not_done(None), Why::NotDone, &waits[..]),
        (Delivery::Unknown, Why::Unknown, waits.get(..5).unwrap()),
    ] {
        let clock = Arc::new(VirtualClock::at(START.parse().unwrap()));
        let exchange = exchange(Arc::new(MemoryStore::default()), vault(), clock.clone());
        let (provider, outbox) = answering(&exchange, answer);
        leave_message(&exchange, LINE, MOBILE, 0).await;
        tried_each(&outbox, (&clock, &provider), waits).await;
        // It is not put off any more; that its call has no state here is another matter.
        let letters = exchange.dead_letters().await.unwrap();
        let [letter] = &letters[..] else { panic!("{letters:?}") };
        assert_eq!((letter.why, letter.attempts as usize), (why, waits.len() + 1));
        assert!(letter.again.is_some());
    }
}

/// A call that waits for the code that it was sent.
async fn waits_for_code(office: &Office) -> CallId {
    let mut line = office.ring_to_menu("CA1").await;
    line.key("1").await;
    line.call
}

fn desk() -> Office {
    Office::fresh(DESK, &office::account(ACCOUNT, "2024-01-01"))
}

/// A desk where a code that does not arrive leads back to the menu.
fn desk_of_messages() -> Office {
    let flow = DESK.replace("undelivered = \"ring_back\"", "undelivered = \"menu\"");
    Office::fresh(&flow, &office::account(ACCOUNT, "2024-01-01"))
}

#[tokio::test]
async fn a_message_is_sent_in_six_tries_or_never() {
    let office = desk_of_messages();
    let (provider, outbox) = answering(&office.exchange, not_done(None));
    waits_for_code(&office).await;
    // Then the caller is to be led elsewhere, which is tried as often.
    let of_redirect = 6;
    outbox.drain().await.unwrap();
    for (tries, wait_s) in (2..=6).zip([1, 2, 4, 8, 15]) {
        office.clock.advance(Duration::from_secs(wait_s));
        outbox.drain().await.unwrap();
        let first_redirect = usize::from(tries == 6);
        assert_eq!(provider.asked(), tries + first_redirect);
    }
    for _ in 0..of_redirect + 4 {
        office.clock.advance(SECOND);
        outbox.drain().await.unwrap();
    }
    assert_eq!(provider.asked(), 6 + of_redirect);
    let letters = office.exchange.dead_letters().await.unwrap();
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!((letter.why, letter.attempts, letter.what.as_str()), (Why::NotDone, 6, "send_sms"));
}

#[tokio::test]
async fn a_leg_is_taken_elsewhere_no_sooner_than_the_provider_wants() {
    let office = desk_of_messages();
    let (provider, outbox) = answering(&office.exchange, not_done(Some(7 * SECOND)));
    let call = waits_for_code(&office).await;
    office.outbox.drain().await.unwrap();
    let loaded = office.exchange.load(call).await.unwrap().unwrap();
    let undelivered = Event::Undelivered { effect: loaded.call.code.unwrap().effect.unwrap() };
    office.exchange.tell(call, None, |_| Some(undelivered.clone())).await.unwrap();
    tried_after(&outbox, (&office.clock, &provider), &[7; 5]).await;
}

#[tokio::test]
async fn a_code_that_the_provider_has_is_not_sent_again() {
    for (has, sent) in [(true, 1), (false, 2)] {
        let office = desk();
        let provider = Always::having(has, Delivery::Unknown);
        let outbox = Outbox::new(office.exchange.clone(), provider.clone(), None);
        waits_for_code(&office).await;
        outbox.drain().await.unwrap();
        office.clock.advance(2 * SECOND);
        outbox.drain().await.unwrap();
        assert_eq!(provider.asked(), sent, "{has}");
    }
}

/// A ring that nobody knows of is tried as long as somebody waits for it, and less and less often.
#[tokio::test]
async fn a_ring_is_tried_less_and_less_often() {
    let flow = DESK.replace("type = \"callback\"", "type = \"callback\"\nring = \"1m\"");
    let office = Office::fresh(&flow, &office::account(ACCOUNT, "2024-01-01"));
    let (provider, outbox) = answering(&office.exchange, Delivery::Unknown);
    office.ring_to_menu("CA1").await.key("2").await;
    let mut tried_at = Vec::new();
    for second in 0..120 {
        let before = provider.asked();
        outbox.drain().await.unwrap();
        tried_at.extend(vec![second; provider.asked() - before]);
        office.clock.advance(SECOND);
    }
    assert_eq!(tried_at, [0, 1, 3, 7, 15, 30, 60]);
}

/// The store may have forgotten that it was tried, and the provider's clock may be behind.
#[tokio::test]
async fn a_ring_that_is_not_new_is_looked_for_before_anybody_is_rung() {
    for (after, rung) in [(500 * MOMENT, 1), (501 * MOMENT, 0)] {
        let office = desk();
        let provider = Always::having(true, Delivery::Unknown);
        let outbox = Outbox::new(office.exchange.clone(), provider.clone(), None);
        let asked_at = office.now();
        office.ring_to_menu("CA1").await.key("2").await;
        office.clock.advance(after);
        outbox.drain().await.unwrap();
        assert_eq!(provider.asked(), rung, "{after:?}");
        let minute_before = asked_at - SignedDuration::from_mins(1);
        let looked_from = vec![minute_before; 1 - rung];
        assert_eq!(*provider.looked_from.lock().unwrap(), looked_from, "{after:?}");
    }
}

/// What was surely not placed is nothing that the next ring to the number could be taken for.
#[tokio::test]
async fn a_ring_that_was_not_placed_keeps_no_other_waiting() {
    for answer in [not_done(None), Delivery::Refused { code: None }] {
        let office = desk();
        let (provider, outbox) = answering(&office.exchange, answer);
        for (sid, asked) in [("CA1", 1), ("CA2", 2)] {
            office.ring_to_menu(sid).await.key("2").await;
            outbox.drain().await.unwrap();
            assert_eq!(provider.asked(), asked);
        }
    }
}

/// A ring that waited for another is as new as one that did not.
#[tokio::test]
async fn to_wait_for_others_is_no_try() {
    let office = desk();
    let (provider, outbox) = answering(&office.exchange, Delivery::Unknown);
    let mut first = office.ring_to_menu("CA1").await;
    first.key("2").await;
    outbox.drain().await.unwrap();
    office.ring_to_menu("CA2").await.key("2").await;
    let (mut tried_at, mut told) = (Vec::new(), false);
    for second in 0..44 {
        let before = provider.asked();
        outbox.drain().await.unwrap();
        tried_at.extend(vec![second; provider.asked() - before]);
        if second == 20 {
            told = true;
            office.exchange.tell(first.call, None, |_| Some(rings("CA9"))).await.unwrap();
        }
        office.clock.advance(SECOND);
    }
    assert!(told && tried_at.starts_with(&[1, 3, 7, 15]), "{tried_at:?}");
    let of_second: Vec<_> = tried_at[4..].windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(of_second, [1, 2, 4], "{tried_at:?}");
}

/// The leg that was placed first rings, under this name.
fn rings(sid: &str) -> Event {
    Event::LegStatus { leg: LegId(1), sid: Sid(sid.into()), status: LegStatus::Ringing }
}

/// Where it is known what became of a ring before it is looked at again, the next to the number need not wait.
#[tokio::test]
async fn a_ring_that_has_told_of_itself_keeps_no_other_waiting() {
    let office = desk();
    let (provider, outbox) = answering(&office.exchange, Delivery::Unknown);
    let mut line = office.ring_to_menu("CA1").await;
    line.key("2").await;
    outbox.drain().await.unwrap();
    assert_eq!(provider.asked(), 1);
    office.exchange.tell(line.call, None, |_| Some(rings("CA9"))).await.unwrap();
    office.clock.advance(SECOND);
    outbox.drain().await.unwrap();
    assert_eq!(provider.asked(), 1, "it rings");
    office.ring_to_menu("CA2").await.key("2").await;
    outbox.drain().await.unwrap();
    assert_eq!(provider.asked(), 2, "the next rings at once");
}

/// A clock that is set forward ends leases: what is under way is not begun again for it, and is done when it is done.
#[tokio::test]
async fn what_is_under_way_when_the_clock_is_set_forward_is_done_once() {
    let (store, provider) = (Arc::new(MemoryStore::default()), Provider::start());
    let clock = Arc::new(VirtualClock::at(START.parse().unwrap()));
    let exchange = exchange(store, vault(), clock.clone());
    let outbox = Outbox::new(exchange.clone(), carrier(&provider), None);
    leave_message(&exchange, LINE, MOBILE, 0).await;
    let go_on = CancellationToken::new();
    provider.next_message(Answer::Held(go_on.clone()));
    let working = tokio::spawn({
        let outbox = outbox.clone();
        async move { outbox.drain().await.unwrap() }
    });
    eventually_async("the message to be on its way", async || {
        (provider.messages().len() == 1).then_some(())
    })
    .await;
    clock.advance(MINUTE);
    assert_eq!(outbox.drain().await.unwrap(), 1, "its lease has ended");
    go_on.cancel();
    working.await.unwrap();
    clock.advance(60 * MINUTE);
    assert_eq!(outbox.drain().await.unwrap(), 0, "it is done");
    assert_eq!(provider.messages().len(), 1);
}

/// For how long a code is good is told by the latest time that its call has seen.
#[tokio::test]
async fn a_clock_set_back_makes_no_message_valid_for_longer() {
    let (office, provider) = (desk(), Provider::start());
    let outbox = Outbox::new(office.exchange.clone(), carrier(&provider), None);
    let begun = office.now();
    let mut line = office.ring_to_menu("CA1").await;
    line.key("1").await;
    office.clock.advance(9 * MINUTE);
    line.key("").await;
    office.clock.set(begun + SignedDuration::from_secs(1));
    outbox.drain().await.unwrap();
    let messages = provider.messages();
    let [message] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!(message.field("ValidityPeriod"), Some("60"), "what is left of ten minutes");
}

/// Nor does a message wait for the clock to be where its call saw it last.
#[tokio::test]
async fn a_clock_set_back_keeps_no_message_waiting() {
    let office = desk();
    let mut line = office.ring_to_menu("CA1").await;
    office.clock.set(office.now() - SignedDuration::from_hours(1));
    line.key("1").await;
    office.outbox.drain().await.unwrap();
    assert_eq!(office.world.messages(line.call).len(), 1);
}

/// What keeps a caller waiting is not found by looking now and then.
#[tokio::test]
async fn whoever_does_effects_is_told_of_one_at_once() {
    let office = desk();
    let woken = office.exchange.outbox();
    let mut line = office.ring_to_menu("CA1").await;
    while woken.notified().now_or_never().is_some() {}
    line.key("x").await;
    assert!(woken.notified().now_or_never().is_none(), "there is none");
    let mut line = office.ring_to_menu("CA2").await;
    while woken.notified().now_or_never().is_some() {}
    line.key("1").await;
    assert!(woken.notified().now_or_never().is_some());
}

/// Where the provider has two names for a leg neither is believed, and both are ended.
#[tokio::test]
async fn both_names_of_a_leg_are_ended() {
    let office = desk();
    let (provider, outbox) = answering(&office.exchange, Delivery::Accepted(Sid("CA8".into())));
    let mut line = office.ring_to_menu("CA1").await;
    line.key("2").await;
    office.exchange.tell(line.call, None, |_| Some(rings("CA9"))).await.unwrap();
    let effect = office.exchange.load(line.call).await.unwrap().unwrap().call.legs[1].effect;
    let placed = Event::Placed { effect: effect.unwrap(), leg: LegId(1), sid: Sid("CA8".into()) };
    office.exchange.tell(line.call, None, |_| Some(placed.clone())).await.unwrap();
    outbox.drain().await.unwrap();
    assert_eq!(provider.asked(), 2, "nobody is rung, and two are ended");
}

/// A leg that nobody picks up is taken down when its time is over, whether the caller's asks for it or not.
#[tokio::test]
async fn a_ring_that_nobody_answers_is_taken_down() {
    let office = desk();
    let (provider, outbox) = answering(&office.exchange, Delivery::Accepted(Sid("CA8".into())));
    office.ring_to_menu("CA1").await.key("2").await;
    for (after_s, asked) in [(0, 1), (30, 1), (30, 2)] {
        office.clock.advance(Duration::from_secs(after_s));
        outbox.drain().await.unwrap();
        assert_eq!(provider.asked(), asked);
    }
}

fn letter(effect: u128, at: Timestamp) -> DeadLetter {
    DeadLetter {
        call: CallId(Uuid::from_u128(1)),
        effect: EffectId(Uuid::from_u128(effect)),
        what: "end_leg".into(),
        why: Why::Unknown,
        at,
        attempts: 6,
        again: None,
        tried_until: None,
    }
}

#[tokio::test]
async fn a_letter_is_kept_for_a_week_and_no_more_than_a_hundred_are() {
    let begun: Timestamp = START.parse().unwrap();
    let clock = Arc::new(VirtualClock::at(begun));
    let exchange = exchange(Arc::new(MemoryStore::default()), vault(), clock.clone());
    let kept = async || {
        let letters = exchange.dead_letters().await.unwrap();
        letters.iter().map(|letter| letter.effect.0.as_u128()).collect::<Vec<_>>()
    };
    let day = SignedDuration::from_hours(24);
    for (effect, at) in [(1, begun), (2, begun + day), (2, begun + day)] {
        clock.set(at);
        exchange.bury(letter(effect, at)).await.unwrap();
    }
    clock.set(begun + day * 7 - SignedDuration::from_secs(1));
    assert_eq!(kept().await, [2, 1]);
    clock.set(begun + day * 7);
    assert_eq!(kept().await, [2]);
    for effect in 3..=102 {
        exchange.bury(letter(effect, clock.now())).await.unwrap();
    }
    assert_eq!(kept().await, (3..=102).rev().collect::<Vec<_>>(), "the oldest gives way");
}
