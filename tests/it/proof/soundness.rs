//! What checks clean is never refused while it runs, over many random flows and very many turns; and
//! for small flows every call there is comes to the same verdict as the checker, hole by hole.

use std::collections::BTreeSet;

use callgate::check::{Example, arrivals, examples};
use callgate::diagnostic::Sources;
use callgate::flow::FlowSet;
use callgate::flow::condition::Attestation;
use callgate::flow::level::Fact;

use super::explore::{Grain, explore};
use super::random::{self, Dice};
use super::world::{MOODS, Mood, Move, World};

/// Turns that are walked at random.
const TURNS: usize = 1_000_000;
/// Turns of one flow.
const TURNS_PER_FLOW: usize = 2_000;
/// Turns of one call at most.
const TURNS_PER_CALL: usize = 40;
/// Small flows of which every call is looked at.
const SMALL_FLOWS: u64 = 300;
/// Calls that are told apart in one of them.
const CALLS_MAX: usize = 20_000;

fn text(sources: &Sources) -> String {
    sources.iter().map(|(_, text)| text.to_string()).collect::<Vec<_>>().join("\n")
}

/// Walks calls at random until so many turns are done, and says how many facts were proved.
fn walk(dice: &mut Dice, sources: &Sources, flows: &FlowSet, turns: usize) -> BTreeSet<Fact> {
    let world = World::new(flows, "main");
    let mut proved = BTreeSet::new();
    let mut done = 0;
    while done < turns {
        let attestation = *dice.one(&[Attestation::A, Attestation::B, Attestation::None]);
        let mut came = world.ring(dice.once_in(2), attestation, *dice.one(&MOODS));
        // The ring is a turn, and in some flows the only one.
        done += 1;
        for _ in 0..TURNS_PER_CALL {
            let (refused, faults) = world.refusals(&came);
            assert!(
                refused.is_empty() && faults.is_empty(),
                "{refused:?} {faults:?} of a flow that checks clean\n{}",
                text(sources)
            );
            proved.extend(came.scene.call.facts.0.keys().copied());
            let moves = world.moves(&came.scene);
            if moves.is_empty() {
                break;
            }
            let mood = if dice.once_in(3) { *dice.one(&MOODS) } else { Mood::Well };
            let made = dice.one(&moves).clone();
            let mut scene = came.scene.clone();
            // A caller takes time, at most as much as the state gives.
            if dice.once_in(3) && !matches!(made, Move::Wait(_)) {
                scene.now += jiff::SignedDuration::from_secs(i64::try_from(dice.below(5)).unwrap());
            }
            if let Some(next) = world.go(&scene, &made, mood) {
                done += usize::from(next.entry.number > 0);
                came = next;
            }
        }
    }
    proved
}

#[test]
fn a_flow_that_checks_clean_is_never_refused_and_never_faults() {
    let workers = 2;
    let proved = std::thread::scope(|scope| {
        let walks: Vec<_> = (0..workers)
            .map(|worker| {
                scope.spawn(move || {
                    let mut dice = Dice(worker as u64 + 1);
                    let mut proved = BTreeSet::new();
                    for _ in 0..TURNS / TURNS_PER_FLOW / workers {
                        let (sources, flows) = random::clean(&mut dice, 12);
                        proved.extend(walk(&mut dice, &sources, &flows, TURNS_PER_FLOW));
                    }
                    proved
                })
            })
            .collect();
        walks.into_iter().flat_map(|walk| walk.join().unwrap()).collect::<BTreeSet<_>>()
    });
    let all = BTreeSet::from([Fact::Pin, Fact::SmsOtp, Fact::Callback, Fact::ServiceCode]);
    assert_eq!(proved, all, "every proof is given by somebody");
}

/// The states that the engine refuses in any call, by their flow and name; `None`: there are too many
/// calls.
fn refused(flows: &FlowSet) -> Option<BTreeSet<(String, String)>> {
    let world = World::new(flows, "main");
    let mut refused = BTreeSet::new();
    let all = explore(&world, Grain::Fine, CALLS_MAX, &mut |came| {
        let (no, faults) = world.refusals(came);
        assert!(faults.is_empty(), "{faults:?}");
        refused.extend(no.iter().map(|at| (at.flow.to_string(), at.state.to_string())));
        false
    });
    all.then_some(refused)
}

#[test]
fn every_call_through_a_small_flow_agrees_with_the_checker() {
    let mut dice = Dice(4);
    let (mut explored, mut holes, mut clean) = (0, 0, 0);
    for _ in 0..SMALL_FLOWS {
        let (sources, flows) = random::any(&mut dice, 5);
        let Some(refused) = refused(&flows) else { continue };
        let at = |example: &Example| (example.at.0.to_string(), example.at.1.to_string());
        let alarms: BTreeSet<_> =
            examples(&flows).iter().filter(|it| it.flow.as_str() == "main").map(at).collect();
        assert_eq!(alarms, refused, "alarms, and what the engine refuses\n{}", text(&sources));
        explored += 1;
        holes += alarms.len();
        clean += usize::from(alarms.is_empty());
        assert!(!arrivals(&flows, "main").is_empty());
    }
    assert!(explored > 250 && holes > 100 && clean > 20, "{explored} {holes} {clean}");
}
