//! What guesses are worth, in numbers: where a number is wrong, somebody takes a flow for harder to open than it is.

use callgate::check::odds::{Chances, Odds, Siege, Terms, best, odds};
use callgate::diagnostic::Sources;
use callgate::engine::policy::Policy;
use callgate::flow::FlowSet;
use callgate::flow::budget::Pins;
use callgate::flow::level::Fact;

/// A flow with these levels and proofs, one after the other, and a state for each level.
fn flows(levels: &[(&str, &str)], proofs: &[&str]) -> FlowSet {
    let names = proofs.iter().enumerate();
    let proofs = names.map(|(at, proof)| {
        let next =
            if at + 1 == proofs.len() { "ask0".to_owned() } else { format!("proof{}", at + 1) };
        format!("[states.proof{at}]\n{}\n", proof.replace("NEXT", &next))
    });
    let asks = levels.iter().enumerate().map(|(at, (level, _))| {
        let next = if at + 1 == levels.len() { "bye".to_owned() } else { format!("ask{}", at + 1) };
        format!(
            "[states.ask{at}]\ntype = \"say\"\nrequires = \"{level}\"\nprompt = \"Yes.\"\n\
             on = {{ denied = \"{next}\" }}\nnext = \"{next}\"\n"
        )
    });
    let levels = levels.iter().map(|(name, facts)| format!("{name} = {{ any = [{facts}] }}\n"));
    let text = format!(
        "name = \"f\"\nstart = \"who\"\n[levels]\n{}[states.who]\ntype = \"identify\"\nby = [\"digits\"]\n\
         digits = 8\nprompt = \"Who?\"\non = {{ found = \"proof0\", unknown = \"proof0\" }}\n\
         [states.bye]\ntype = \"hangup\"\n{}{}",
        levels.collect::<String>(),
        proofs.collect::<String>(),
        asks.collect::<String>()
    );
    let mut sources = Sources::default();
    sources.add("f.toml", text);
    let (flows, findings) = callgate::flow::read(&sources);
    assert_eq!(findings, []);
    flows
}

fn proof(kind: &str, more: &str) -> String {
    let no_answer =
        if kind == "callback" { ", no_answer = \"NEXT\"" } else { ", locked = \"NEXT\"" };
    let limited =
        if kind == "callback" { ", unavailable = \"NEXT\", limited = \"NEXT\"" } else { "" };
    let prompt = if kind == "callback" { "" } else { "prompt = \"Now?\"\n" };
    format!(
        "type = \"{kind}\"\n{prompt}{more}on = {{ ok = \"NEXT\", failed = \"NEXT\"{no_answer}{limited} }}"
    )
}

fn told(levels: &[(&str, &str)], proofs: &[&str], terms: &Terms) -> Odds {
    odds(&flows(levels, proofs), "f", terms).unwrap()
}

/// The chances at a state, by how PINs are chosen.
fn chances(odds: &Odds, state: &str) -> Vec<Chances> {
    let state = odds.states.iter().find(|it| it.at.1.as_str() == state).unwrap();
    state.chances.iter().map(|(_, chances)| *chances).collect()
}

#[test]
fn two_ways_that_are_likely_are_no_more_than_certain() {
    let mut policy = Policy::default();
    (policy.service_code.digits, policy.callback.code_digits) = (1, 1);
    let terms = Terms { policy, ..Terms::default() };
    let (web, ring) = (proof("gather_service_code", ""), proof("callback", ""));
    let odds = told(&[("any", "\"service_code\", \"callback\"")], &[&web, &ring], &terms);
    let year = chances(&odds, "ask0")[0].year;
    assert!(year <= 1.0 && year > 0.99, "{year}");
}

/// Whoever has fewer calls in a year than there are accounts gets to no more of them than that.
#[test]
fn few_calls_reach_few_accounts() {
    let pin = proof("gather_pin", "digits = 6\n");
    let siege = Siege { accounts: 1_000_000, lines: 1, calls_per_day: 2, owner_calls: 52 };
    let terms = Terms { siege, ..Terms::default() };
    for chances in chances(&told(&[("known", "\"pin\"")], &[&pin], &terms), "ask0") {
        let reached = chances.opened / chances.call;
        assert!((reached - 730.0).abs() < 1e-6, "{reached}: {chances:?}");
    }
}

/// What is measured of a server is the best chance at any of its states, whichever comes first.
#[test]
fn the_best_chance_is_that_of_the_weakest_state() {
    let (pin, web) = (proof("gather_pin", "digits = 6\n"), proof("gather_service_code", ""));
    for levels in [
        [("hard", "\"service_code\""), ("soft", "\"pin\"")],
        [("soft", "\"pin\""), ("hard", "\"service_code\"")],
    ] {
        let flows = flows(&levels, &[&pin, &web]);
        let terms = Terms::default();
        let odds = odds(&flows, "f", &terms).unwrap();
        let all: Vec<_> = ["ask0", "ask1"].iter().flat_map(|at| chances(&odds, at)).collect();
        let most = |of: fn(&Chances) -> f64| all.iter().map(of).fold(0.0, f64::max);
        let best = best(&flows, "f", &terms).0.unwrap();
        let expected = [most(|it| it.call), most(|it| it.day), most(|it| it.year)];
        let told = [best.call, best.day, best.year].map(f64::to_bits);
        assert_eq!(told, expected.map(f64::to_bits), "{levels:?}: {best:?}");
    }
}

#[test]
fn a_passcode_is_chosen_as_badly_as_any_pin() {
    let terms = Terms::default();
    let odds = told(&[("said", "\"passcode\"")], &[&proof("gather_passcode", "")], &terms);
    let guesses = odds.guesses[&Fact::Passcode];
    let expected = Pins::Chosen.chance(guesses.year, 4);
    assert!((chances(&odds, "ask0")[0].year - expected).abs() < 1e-9);
}

#[test]
fn a_code_from_the_web_has_its_own_length() {
    let mut policy = Policy::default();
    (policy.otp.digits, policy.service_code.digits) = (4, 10);
    let terms = Terms { policy, ..Terms::default() };
    let odds = told(&[("web", "\"service_code\"")], &[&proof("gather_service_code", "")], &terms);
    let year = chances(&odds, "ask0")[0].year;
    assert!(year > 0.0 && year < 1e-7, "{year}");
}

/// A guesser rings back where most tries are left.
#[test]
fn the_most_tries_of_any_ring_count() {
    let of = |first: u32, second: u32| {
        let rings = [first, second].map(|tries| proof("callback", &format!("tries = {tries}\n")));
        let rings: Vec<_> = rings.iter().map(String::as_str).collect();
        let mut policy = Policy::default();
        policy.callback.per_account_h = 1;
        let terms = Terms { policy, ..Terms::default() };
        told(&[("rung", "\"callback\"")], &rings, &terms).guesses[&Fact::Callback].call
    };
    assert_eq!([of(1, 3), of(3, 1)], [of(3, 3), of(3, 3)]);
    assert!(of(1, 1) < of(3, 3));
}

#[test]
fn the_shortest_pin_is_guessed() {
    let pins = [6, 4].map(|digits| proof("gather_pin", &format!("digits = {digits}\n")));
    let pins: Vec<_> = pins.iter().map(String::as_str).collect();
    assert_eq!(told(&[("known", "\"pin\"")], &pins, &Terms::default()).pin_digits, 4);
}

/// Whichever bound comes first locks the customer out.
#[test]
fn a_customer_is_locked_out_by_the_lowest_bound() {
    let pin = proof("gather_pin", "digits = 6\n");
    for (soft, hard, year, locks) in
        [(5, 20, 10, (5, 10)), (5, 10, 20, (5, 10)), (30, 10, 20, (10, 10))]
    {
        let mut policy = Policy::default();
        (policy.pin.soft_limit, policy.pin.hard_cap, policy.pin.year_budget) = (soft, hard, year);
        let terms = Terms { policy, ..Terms::default() };
        let lockout = told(&[("known", "\"pin\"")], &[&pin], &terms).lockouts[0].lockout;
        assert_eq!((lockout.soft_entries, lockout.hard_entries), locks, "{soft} {hard} {year}");
    }
}
