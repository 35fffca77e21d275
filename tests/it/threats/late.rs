//! What is told of a leg late, out of order, or of another one: it moves nobody, and keeps nothing spoken alive.

use std::time::Duration;

use callgate::engine::call::Call;
use callgate::engine::event::{AnsweredBy, Event, LegStatus};
use callgate::engine::id::{EffectId, LegId, Nonce, Sid};
use callgate::exchange::{ExchangeError, Served, Settles, Wants};
use callgate::flow::level::Fact;
use callgate::replay::world::{Outgoing, Refusal};
use callgate::store::{Claim, Lease};
use uuid::Uuid;

use super::office::{ACCOUNT, DESK, Line, MOBILE, Office, PIN, account, other_than};

/// An office, and a caller who waits there for the ring to the number on file.
async fn waiting() -> (Office, Line, String) {
    // Whoever is not let in goes on.
    let flow = DESK.replace("{ denied = \"sorry\", completed", "{ denied = \"menu\", completed");
    let office = Office::fresh(&flow, &account(ACCOUNT, "2024-01-01"));
    let mut line = office.ring_to_menu("CA1").await;
    line.key("2").await;
    let code = line.spoken_code();
    (office, line, code)
}

async fn call(office: &Office, line: &Line) -> Call {
    office.exchange.load(line.call).await.unwrap().unwrap().call.clone()
}

async fn tell(office: &Office, line: &Line, event: Event) -> bool {
    office.exchange.tell(line.call, None, |_| Some(event.clone())).await.unwrap().is_some()
}

async fn status(office: &Office, line: &Line, leg: LegId, sid: &Sid, status: LegStatus) -> bool {
    tell(office, line, Event::LegStatus { leg, sid: sid.clone(), status }).await
}

fn ended(office: &Office) -> Vec<Sid> {
    let outgoing = office.world.take_outgoing().into_iter();
    let ended = outgoing.filter_map(|one| match one {
        Outgoing::EndLeg(sid) => Some(sid),
        _ => None,
    });
    ended.collect()
}

/// The provider's statuses come in no order.
#[tokio::test]
async fn t12_a_late_status_of_a_leg_changes_nothing() {
    let (office, line, _) = waiting().await;
    let leg = office.answer(line.call, AnsweredBy::Human).await;
    let id = call(&office, &line).await.leg_of(&leg.sid).unwrap().id;
    assert!(!status(&office, &line, id, &leg.sid, LegStatus::Ringing).await);
    assert_eq!(call(&office, &line).await.leg(id).unwrap().status, LegStatus::InProgress);
    assert!(!status(&office, &line, id, &Sid("CA99".into()), LegStatus::Completed).await);
}

/// A caller who has hung up waits no longer, whatever comes late: the flow goes on where the code was keyed in.
#[tokio::test]
async fn a_leg_that_is_over_stays_over() {
    for late in [LegStatus::InProgress, LegStatus::Ringing] {
        let (office, line, code) = waiting().await;
        let mut leg = office.answer(line.call, AnsweredBy::Human).await;
        assert!(status(&office, &line, LegId::INBOUND, &line.sid, LegStatus::Completed).await);
        assert!(!status(&office, &line, LegId::INBOUND, &line.sid, late).await, "{late:?}");
        leg.key(&code).await;
        assert!(leg.spoken().starts_with("We are connecting you"), "{late:?}: {}", leg.spoken());
    }
}

/// A ring is placed by one effect, and no other one says what the provider calls it.
#[tokio::test]
async fn t24_what_was_placed_for_another_effect_names_no_leg() {
    let (office, line, _) = waiting().await;
    let before = call(&office, &line).await;
    let leg = before.legs.iter().find(|leg| leg.effect.is_some()).unwrap();
    let placed = |effect| Event::Placed { effect, leg: leg.id, sid: Sid("CA99".into()) };
    assert!(!tell(&office, &line, placed(EffectId(Uuid::from_u128(9)))).await);
    assert_eq!(call(&office, &line).await.leg(leg.id).unwrap().sid, None);
    assert!(tell(&office, &line, placed(leg.effect.unwrap())).await);
}

/// The provider tells us the name of a ring when nobody waits for it any more: it is ended, and rings no longer.
#[tokio::test]
async fn a_ring_that_is_named_when_it_was_given_up_is_ended() {
    let (office, mut line, _) = waiting().await;
    let before = call(&office, &line).await;
    let leg = before.legs.iter().find(|leg| leg.effect.is_some()).unwrap();
    office.clock.advance(Duration::from_mins(2));
    line.key("").await;
    assert!(call(&office, &line).await.ringing.is_none());
    office.outbox.drain().await.unwrap();
    assert_eq!(ended(&office), []);
    let sid = Sid("CA99".into());
    let placed = Event::Placed { effect: leg.effect.unwrap(), leg: leg.id, sid: sid.clone() };
    assert!(tell(&office, &line, placed).await);
    office.outbox.drain().await.unwrap();
    assert_eq!(ended(&office), [sid]);
}

/// A code that was spoken is spoken once more to whoever did not hear it; but not when the call is over.
#[tokio::test]
async fn a_spoken_code_ends_with_the_call() {
    let office = Office::fresh(DESK, &account(ACCOUNT, "2024-01-01"));
    let mut caller = office.ring_to_menu("CA1").await;
    let spent = caller.next();
    caller.key("2").await;
    let spoken = caller.spoken_code();
    caller.ask(spent.clone(), "2").await;
    assert_eq!(caller.spoken_code(), spoken, "it may have been lost on the way");
    let mut leg = office.answer(caller.call, AnsweredBy::Human).await;
    assert!(status(&office, &caller, LegId::INBOUND, &caller.sid, LegStatus::Completed).await);
    for _ in 0..3 {
        leg.key(&other_than(&spoken)).await;
    }
    assert!(call(&office, &caller).await.end.is_some());
    caller.ask(spent, "2").await;
    assert!(!caller.reply.speaks_code(), "{:?}", caller.reply);
    assert_eq!(office.facts(caller.call).await, [Fact::Pin]);
}

/// A telephone that was picked up is waited for as long as the provider listens whether that is a person, however
/// short the ringing was to be.
#[tokio::test]
async fn who_has_picked_up_is_waited_for_until_it_is_told_who_it_is() {
    for (tells_after_s, is_asked) in [(44, true), (46, false)] {
        let flow = DESK.replace("type = \"callback\"", "type = \"callback\"\nring = \"15s\"");
        let office = Office::fresh(&flow, &account(ACCOUNT, "2024-01-01"));
        let mut line = office.ring_to_menu("CA1").await;
        line.key("2").await;
        office.outbox.drain().await.unwrap();
        let placed = office.world.last_placed(line.call).unwrap();
        office.clock.advance(Duration::from_secs(10));
        let picked_up = LegStatus::InProgress;
        assert!(status(&office, &line, placed.place.leg, &placed.sid, picked_up).await);
        office.clock.advance(Duration::from_secs(tells_after_s));
        line.key("").await;
        let leg = office.answer(line.call, AnsweredBy::Human).await;
        let asks = leg.spoken().contains("Acme Bank");
        assert_eq!(asks, is_asked, "after {tells_after_s} s: {:?}", leg.reply);
    }
}

/// A caller who has heard the code and hung up is rung; the code is spoken on their first leg no more.
#[tokio::test]
async fn a_spoken_code_ends_with_the_leg_that_was_to_hang_up() {
    let office = Office::fresh(DESK, &account(ACCOUNT, "2024-01-01"));
    let mut caller = office.ring_from("CA1", Some(MOBILE)).await;
    caller.key(ACCOUNT).await;
    caller.key(PIN).await;
    let spent = caller.next();
    caller.key("2").await;
    let spoken = caller.spoken_code();
    assert!(status(&office, &caller, LegId::INBOUND, &caller.sid, LegStatus::Completed).await);
    for wants in [spent, Wants::Resume(LegId::INBOUND)] {
        caller.ask(wants.clone(), "2").await;
        assert!(!caller.reply.speaks_code(), "{wants:?}: {:?}", caller.reply);
    }
    let mut leg = office.answer(caller.call, AnsweredBy::Human).await;
    leg.key(&spoken).await;
    assert_eq!(office.facts(caller.call).await, [Fact::Pin, Fact::Callback]);
}

/// The caller is led on when nobody answers, and the telephone rings no longer.
#[tokio::test]
async fn a_ring_that_nobody_answers_is_ended_when_its_caller_is_led_on() {
    let (office, mut line, _) = waiting().await;
    office.outbox.drain().await.unwrap();
    let placed = office.world.last_placed(line.call).unwrap();
    office.clock.advance(Duration::from_mins(2));
    line.key("").await;
    office.outbox.drain().await.unwrap();
    assert_eq!(ended(&office), [placed.sid]);
}

/// Nobody is rung for a claim that is no account: whoever hangs up meanwhile has left.
#[tokio::test]
async fn nobody_is_waited_for_where_nobody_is_rung() {
    let flow = DESK.replace(
        "{ found = \"pin\", unknown = \"pin\" }",
        "{ found = \"menu\", unknown = \"menu\" }",
    );
    for (id, is_over) in [(ACCOUNT, false), ("99999999", true)] {
        let office = Office::fresh(&flow, &account(ACCOUNT, "2024-01-01"));
        let mut line = office.ring("CA1").await;
        line.key(id).await;
        line.key("2").await;
        assert!(line.reply.speaks_code());
        assert!(status(&office, &line, LegId::INBOUND, &line.sid, LegStatus::Completed).await);
        assert_eq!(call(&office, &line).await.end.is_some(), is_over, "{id}");
    }
}

/// A ring that nobody has placed before its time was up is not placed.
#[tokio::test]
async fn a_ring_that_was_given_up_is_not_placed() {
    for (waits_s, rings) in [(30, 1), (50, 0)] {
        let (office, line, _) = waiting().await;
        office.clock.advance(Duration::from_secs(waits_s));
        tell(&office, &line, Event::Deadline).await;
        office.outbox.drain().await.unwrap();
        let outgoing = office.world.take_outgoing();
        let placed = outgoing.iter().filter(|one| matches!(one, Outgoing::PlaceCall { .. }));
        assert_eq!(placed.count(), rings, "after {waits_s} s");
    }
}

/// When a call is over and what it left to do is done, nothing of it is due, ever.
#[tokio::test]
async fn nothing_is_due_of_a_call_that_is_over() {
    let office = Office::fresh(DESK, &account(ACCOUNT, "2024-01-01"));
    let mut line = office.ring_to_menu("CA1").await;
    line.key("9").await;
    assert!(call(&office, &line).await.end.is_some());
    office.outbox.drain().await.unwrap();
    let later = office.now().checked_add(jiff::SignedDuration::from_hours(24)).unwrap();
    assert_eq!(office.exchange.store().backlog(later).await.unwrap().count, 0);
}

/// A message that is refused means nothing to a call that waits for none, and is done with all the same.
#[tokio::test]
async fn what_means_nothing_to_its_call_is_settled() {
    let link = "type = \"send_link\"\nmessage = \"https://acme.example\"";
    let flow = DESK.replace("type = \"send_sms_otp\"", link);
    let flow = flow.replace("sent = \"code\"", "sent = \"done\"");
    let office = Office::fresh(&flow, &account(ACCOUNT, "2024-01-01"));
    let mut line = office.ring_to_menu("CA1").await;
    office.world.refuse(Some(Refusal::SendSms));
    line.key("1").await;
    for sent in [1, 0] {
        office.outbox.drain().await.unwrap();
        let outgoing = office.world.take_outgoing();
        let messages = outgoing.iter().filter(|one| matches!(one, Outgoing::SendSms { .. }));
        assert_eq!(messages.count(), sent);
        office.clock.advance(Duration::from_mins(5));
    }
}

/// What was learnt of an effect is told to no copy of its call that is older than the effect.
#[tokio::test]
async fn an_older_copy_of_a_call_settles_nothing() {
    let (office, line, _) = waiting().await;
    let now = call(&office, &line).await;
    let leg = now.legs.iter().find(|leg| leg.effect.is_some()).unwrap();
    let effect = leg.effect.unwrap();
    let event = Event::NotPlaced { effect, leg: leg.id };
    let told = async |turn| {
        let settles = Some(Settles { effect, turn });
        office.exchange.tell(line.call, settles, |_| Some(event.clone())).await
    };
    assert!(matches!(told(now.turns + 1).await, Err(ExchangeError::Stale)));
    assert!(told(now.turns).await.unwrap().is_some());
}

/// What one leg hears is for that leg alone, and what it heard last for the nonce that bought it.
#[tokio::test]
async fn no_leg_hears_what_another_hears() {
    let (office, mut line, code) = waiting().await;
    let leg = office.answer(line.call, AnsweredBy::Human).await;
    let id = call(&office, &line).await.leg_of(&leg.sid).unwrap().id;
    let mut others = [line.copy_at(&office), leg];
    for (other, of) in others.iter_mut().zip([id, LegId::INBOUND]) {
        let served = other.ask(Wants::Resume(of), "").await;
        assert_eq!((served, other.spoken()), (Served::Stranger, String::new()));
    }
    let [_, leg] = &mut others;
    assert_eq!(leg.ask(Wants::Fallback(None), "").await, Served::OutOfStep);
    assert!(!leg.spoken().contains(&code) && leg.spoken().contains("Acme Bank"));
    assert_eq!(line.ask(Wants::Fallback(None), "").await, Served::OutOfStep);
}

/// The provider could not use an answer: it is given again for its own nonce, and for any other there is the present
/// prompt.
#[tokio::test]
async fn an_answer_of_no_use_is_given_again_for_its_own_nonce() {
    let office = Office::fresh(DESK, &account(ACCOUNT, "2024-01-01"));
    let mut line = office.ring_to_menu("CA1").await;
    let Wants::Turn(spent) = line.next() else { panic!("{:?}", line.reply) };
    line.key("1").await;
    let before = line.spoken();
    office.outbox.drain().await.unwrap();
    let effect = call(&office, &line).await.code.unwrap().effect.unwrap();
    assert!(tell(&office, &line, Event::Undelivered { effect }).await);
    for (nonce, served, is_before) in [
        (Some(spent), Served::Replayed, true),
        (Some(Nonce(Uuid::from_u128(9))), Served::OutOfStep, false),
        (None, Served::OutOfStep, false),
    ] {
        assert_eq!(line.ask(Wants::Fallback(nonce), "").await, served);
        assert_eq!(line.spoken() == before, is_before, "{nonce:?}: {}", line.spoken());
    }
}

/// A server that died may have taken a leg elsewhere: by now the leg may be somewhere from which nobody tears it away.
#[tokio::test]
async fn a_leg_that_may_have_been_taken_elsewhere_is_not_taken_again() {
    for (dies, redirects) in [(false, 1), (true, 0)] {
        let office = Office::fresh(DESK, &account(ACCOUNT, "2024-01-01"));
        let mut line = office.ring_to_menu("CA1").await;
        line.key("1").await;
        office.outbox.drain().await.unwrap();
        let effect = call(&office, &line).await.code.unwrap().effect.unwrap();
        assert!(tell(&office, &line, Event::Undelivered { effect }).await);
        if dies {
            let (now, lease) = (office.now(), Lease(Uuid::from_u128(9)));
            let until = now.checked_add(jiff::SignedDuration::from_secs(30)).unwrap();
            let claim = Claim { now, lease, until, count_max: 9 };
            assert!(!office.exchange.store().claim(claim).await.unwrap().is_empty());
            office.clock.advance(Duration::from_secs(31));
        }
        office.outbox.drain().await.unwrap();
        let outgoing = office.world.take_outgoing();
        let redirected = outgoing.iter().filter(|one| matches!(one, Outgoing::RedirectLeg(..)));
        assert_eq!(redirected.count(), redirects, "a server dies: {dies}");
    }
}
