//! Every way that two servers can take through commit, lease and reconcile, with a death anywhere.
//!
//! The real exchange and the real outbox run over the memory store. Each question to the store and each
//! answer of the provider is a point where a server stands until it is its turn; all orders of turns are
//! tried, depth first, within the bounds of the scene: so many changes from one server to the other while
//! both could go on, so many deaths, so many times that the leases end under whoever stands still, so many
//! requests whose answer does not come, so many older copies. Ways that come to a state that was seen are
//! given up, for from there everything is the same.

mod door;
mod scene;
mod ways;

use super::planted::Plant;
use scene::{Scene, answers, messages, rings};
use ways::{Explored, explore};

/// Explores a scene, and says what it found wrong.
fn explored(scene: impl FnOnce() -> Scene, plant: Option<Plant>) -> Result<Explored, String> {
    // Whoever waits with a deadline wants a clock, and this one stands still.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let scene = scene();
    let explored = explore(&scene, plant)?;
    let Explored { ways, states } = explored;
    println!("{}: {ways} ways, {states} states, within {:?}", scene.name, scene.bounds);
    Ok(explored)
}

const WRONG: [&str; 2] = ["111222", "333444"];

#[test]
fn two_servers_answer_one_request_once_however_they_interleave() {
    explored(|| answers("sent twice", [WRONG[0]; 2]), None).unwrap();
    explored(|| answers("with two entries", WRONG), None).unwrap();
}

#[test]
fn two_workers_ring_once_however_they_interleave() {
    explored(rings, None).unwrap();
}

/// As a store does after a fail-over that has lost what was written last.
#[test]
fn two_workers_ring_once_though_the_store_forgets_that_one_has_tried() {
    explored(rings, Some(Plant::CountsNoTries)).unwrap();
}

#[test]
fn two_workers_lose_no_message_however_they_interleave() {
    explored(messages, None).unwrap();
}

#[test]
fn the_exploration_finds_planted_faults() {
    type Make = fn() -> Scene;
    let two: Make = || answers("with two entries", WRONG);
    let faults: [(Plant, Make, &str); 3] = [
        (Plant::CommitsOverAnything, two, "turns"),
        (Plant::RingsWithoutAsking, rings, "rung"),
        (Plant::SettlesWhenClaimed, messages, "sent"),
    ];
    for (plant, scene, word) in faults {
        let Err(found) = explored(scene, Some(plant)) else { panic!("{plant:?} was not found") };
        println!("{plant:?}: {found}");
        assert!(found.contains(word), "{plant:?} was found, but as something else: {found}");
    }
}
