//! What checks clean is never refused while it runs, over many random flows and very many turns; and
//! for small flows every call there is comes to the same verdict as the checker, hole by hole.

use std::collections::BTreeSet;

use callgate::check::{Example, arrivals, check_sources, examples};
use callgate::diagnostic::Sources;
use callgate::engine::call::End;
use callgate::engine::event::DialStatus;
use callgate::engine::id::LegId;
use callgate::engine::risk::Signal;
use callgate::flow::FlowSet;
use callgate::flow::condition::Attestation;
use callgate::flow::level::Fact;
use callgate::flow::states::TYPES;
use callgate::limits;

use super::explore::{Grain, explore};
use super::random::{self, Dice};
use super::vocabulary::{self, Words};
use super::world::{Came, MOBILE, MOODS, Mood, Move, Rings, STRANGERS, World};

/// Turns that are walked at random.
const TURNS: usize = 1_000_000;
/// Turns of one flow.
const TURNS_PER_FLOW: usize = 2_000;
/// Turns of one call at most.
const TURNS_PER_CALL: usize = 40;
/// What may be counted about a call: nothing, a little, much.
const SIGNALS: [&[Signal]; 3] = [&[], &[Signal::ManyCalls], &[Signal::SimSwapped]];
/// Small flows of which every call is looked at.
const SMALL_FLOWS: usize = 300;
/// Calls that are told apart in one of them.
const CALLS_MAX: usize = 20_000;

fn text(sources: &Sources) -> String {
    sources.iter().map(|(_, text)| text.to_string()).collect::<Vec<_>>().join("\n")
}

/// What came of walks.
#[derive(Default)]
struct Walked {
    proved: BTreeSet<Fact>,
    /// What the flows are made of.
    words: Words,
    /// How states of each type have ended: `menu.no_input`; and `menu.`, where one was entered.
    ended: Words,
}

impl Walked {
    fn see(&mut self, flows: &FlowSet, came: &Came) {
        self.proved.extend(came.scene.call.facts.0.keys().copied());
        for hop in &came.entry.hops {
            let state = flows.get(hop.at.flow.as_str()).unwrap().state(&hop.at.state).unwrap();
            let of = state.type_name();
            self.ended.insert(format!("{of}."));
            self.ended
                .extend(hop.outcome.iter().map(|outcome| format!("{of}.{}", outcome.as_str())));
        }
        let asked = came.scene.call.agent_step_up.as_ref();
        self.ended.extend(asked.map(|asked| format!("agent_step_up.{:?}", asked.result)));
    }
}

/// Walks calls at random until so many turns are done.
fn walk(dice: &mut Dice, sources: &Sources, flows: &FlowSet, turns: usize, seen: &mut Walked) {
    let world = World::new(flows, "main");
    let mut done = 0;
    while done < turns {
        let rings = Rings {
            from: *dice.one(&[Some(STRANGERS), Some(MOBILE), None]),
            attestation: *dice.one(&[Attestation::A, Attestation::B, Attestation::None]),
            signals: SIGNALS[dice.below(SIGNALS.len())],
        };
        let mut came = world.ring(&rings, *dice.one(&MOODS));
        // The ring is a turn, and in some flows the only one.
        done += 1;
        for _ in 0..TURNS_PER_CALL {
            let (refused, faults) = world.refusals(&came);
            assert!(
                refused.is_empty() && faults.is_empty(),
                "{refused:?} {faults:?} of a flow that checks clean\n{}",
                text(sources)
            );
            seen.see(flows, &came);
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
}

#[test]
fn a_flow_that_checks_clean_is_never_refused_and_never_faults() {
    let workers = 2;
    let walked = std::thread::scope(|scope| {
        let walks: Vec<_> = (0..workers)
            .map(|worker| {
                scope.spawn(move || {
                    let mut dice = Dice(worker as u64 + 1);
                    let mut walked = Walked::default();
                    for _ in 0..TURNS / TURNS_PER_FLOW / workers {
                        let (sources, flows) = random::clean(&mut dice, 12);
                        vocabulary::of_flows(&sources, &mut walked.words);
                        walk(&mut dice, &sources, &flows, TURNS_PER_FLOW, &mut walked);
                    }
                    walked
                })
            })
            .collect();
        walks.into_iter().map(|walk| walk.join().unwrap()).collect::<Vec<_>>()
    });
    let proved: BTreeSet<_> = walked.iter().flat_map(|it| it.proved.iter().copied()).collect();
    assert_eq!(proved, BTreeSet::from(Fact::ALL), "every proof is given by somebody");
    let words: Words = walked.iter().flat_map(|it| it.words.iter().cloned()).collect();
    let unsaid: Vec<_> = vocabulary::of_language().difference(&words).cloned().collect();
    assert_eq!(unsaid, [""; 0], "the language has it, and no random flow");
    let ended: Words = walked.iter().flat_map(|it| it.ended.iter().cloned()).collect();
    let agents = ["agent_step_up.Passed", "agent_step_up.Failed"].map(str::to_owned);
    let ways = TYPES.iter().flat_map(|of| {
        let outcomes =
            of.outcomes.iter().map(|outcome| format!("{}.{}", of.name, outcome.as_str()));
        outcomes.chain([format!("{}.", of.name)])
    });
    let untaken: Vec<_> = ways.chain(agents).filter(|way| !ended.contains(way)).collect();
    assert_eq!(untaken, [""; 0], "no call has ended a state so");
}

/// A call that tries to hand over again and again, as its flow says, is never cut short for it.
#[test]
fn a_specialist_is_rung_as_often_as_the_flow_says() {
    let flow = "name = \"main\"\nstart = \"ring\"\n[states.ring]\ntype = \"transfer\"\n\
        to = { number = \"+15005550020\" }\nwhisper = \"A customer.\"\n\
        on = { completed = \"bye\", busy = \"ring\", no_answer = \"ring\", failed = \"ring\", declined = \"ring\" }\n\
        [states.bye]\ntype = \"hangup\"\n";
    let mut sources = Sources::default();
    sources.add("main.toml", flow);
    let (flows, findings) = check_sources(&sources);
    assert!(findings.is_empty(), "{findings:?}");
    let world = World::new(&flows, "main");
    let mut came = world.ring(&world.rings()[0], Mood::Well);
    for _ in 0..2 * limits::LEGS_MAX {
        came = world.go(&came.scene, &Move::Dial(DialStatus::Busy), Mood::Well).unwrap();
        assert_eq!(came.entry.remarks, []);
        let legs = &came.scene.call.legs;
        assert!(legs.len() <= limits::LEGS_MAX && legs[0].id == LegId::INBOUND);
    }
    // The one who is rung now is still heard.
    came = world.go(&came.scene, &Move::Whisper("1"), Mood::Well).unwrap();
    came = world.go(&came.scene, &Move::Dial(DialStatus::Completed), Mood::Well).unwrap();
    assert_eq!(came.scene.call.end, Some(End::Hangup));
}

/// The states that the engine refuses in any call, by their flow and name; `None`: there are too many
/// calls.
fn refused(sources: &Sources, flows: &FlowSet) -> Option<BTreeSet<(String, String)>> {
    let world = World::new(flows, "main");
    let mut refused = BTreeSet::new();
    let all = explore(&world, Grain::Fine, CALLS_MAX, &mut |came| {
        let (no, faults) = world.refusals(came);
        assert!(faults.is_empty(), "{faults:?}\n{}", text(sources));
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
        let Some(refused) = refused(&sources, &flows) else { continue };
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
