//! What checks clean is never refused while it runs, over many random flows and very many turns; and
//! for small flows every call there is comes to the same verdict as the checker, hole by hole.

use std::collections::BTreeSet;

use callgate::check::{Example, arrivals, check_sources, examples};
use callgate::diagnostic::{Severity, Sources};
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
    let world = if dice.once_in(3) { world.by_provider() } else { world };
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

/// Flows that are rung, without an error in them where that is asked for.
fn rung(texts: &[&str], sound: bool) -> FlowSet {
    let mut sources = Sources::default();
    for (number, text) in texts.iter().enumerate() {
        sources.add(&format!("{number}.toml"), *text);
    }
    let (flows, findings) = check_sources(&sources);
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    assert_eq!(errors == 0, sound, "{findings:?}");
    flows
}

/// Makes these moves one after the other, and says what is heard last.
fn last_heard(flows: &FlowSet, moves: &[Move]) -> String {
    let world = World::new(flows, "main");
    let mut came = world.ring(&world.rings()[0], Mood::Well);
    for made in moves {
        came = world.go(&came.scene, made, Mood::Well).unwrap();
    }
    let call = &came.scene.call;
    format!("{:?}", call.leg(call.speaking).unwrap().present.verbs)
}

const WHO: &str = "[states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
    on = { found = \"pin\", unknown = \"pin\" }\n[states.bye]\ntype = \"hangup\"\n";

/// Who comes back from what a specialist asked for, and is not let in there any more, hears where they are
/// led instead.
#[test]
fn whoever_is_not_let_back_to_a_specialist_hears_whom_they_are_led_to() {
    let flow = format!(
        "name = \"main\"\nstart = \"who\"\n{WHO}[levels]\nfresh = {{ any = [\"pin\"], within = \"30s\" }}\n\
         said = {{ any = [\"passcode\"] }}\n\
         [states.pin]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"PIN?\"\n\
         on = {{ ok = \"desk\", failed = \"bye\", locked = \"bye\" }}\n\
         [states.desk]\ntype = \"transfer\"\nto = {{ conference = \"desk\" }}\nagent_step_up = \"prove\"\n\
         requires = \"fresh\"\nstep_up = \"again\"\n\
         on = {{ denied = \"queue\", completed = \"bye\", busy = \"bye\", no_answer = \"bye\", failed = \"bye\", declined = \"bye\" }}\n\
         [states.prove]\ntype = \"gather_passcode\"\nprompt = \"Passcode?\"\ntries = 1\n\
         on = {{ ok = \"back\", failed = \"back\", locked = \"back\" }}\n\
         [states.again]\ntype = \"return\"\n[states.back]\ntype = \"return\"\n\
         [states.queue]\ntype = \"transfer\"\nto = {{ queue = \"all\" }}\nprompt = \"One moment.\"\n\
         on = {{ completed = \"bye\", busy = \"bye\", no_answer = \"bye\", failed = \"bye\", declined = \"bye\" }}\n"
    );
    let flows = rung(&[&flow], true);
    let keys = |key: &str, times| Move::Keys(key.repeat(times));
    let moves = [
        keys("1", 8),
        keys("7", 6),
        Move::Wait(40),
        Move::StepUp("said".into()),
        Move::Says("wrong".into()),
    ];
    let heard = last_heard(&flows, &moves);
    assert!(heard.contains("One moment.") && heard.contains("\"all\""), "{heard}");
}

/// What one flow keeps under a level of its own is not told by another that has a weaker one of that name.
#[test]
fn a_label_means_the_level_of_the_flow_that_gave_it() {
    let main = format!(
        "name = \"main\"\nstart = \"who\"\n{WHO}\
         [states.pin]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"PIN?\"\n\
         on = {{ ok = \"ask\", failed = \"bye\", locked = \"bye\" }}\n\
         [states.ask]\ntype = \"call\"\nflow = \"ask\"\ngive = {{ v = \"v\" }}\non = {{ ok = \"tell\", failed = \"bye\" }}\n\
         [states.tell]\ntype = \"call\"\nflow = \"tell\"\nwith = {{ v = \"v\" }}\non = {{ ok = \"bye\" }}\n"
    );
    let ask = "name = \"ask\"\nstart = \"ask\"\n[levels]\ndeep = { all = [\"pin\", \"sms_otp\"] }\n\
        [states.ask]\ntype = \"lookup\"\nbackend = \"b\"\ngive = { v = { type = \"text\", label = \"deep\" } }\n\
        on = { ok = \"yes\", failed = \"no\" }\n[states.yes]\ntype = \"return\"\noutcome = \"ok\"\n\
        [states.no]\ntype = \"return\"\noutcome = \"failed\"\n";
    let tell = |level: &str| {
        format!(
            "name = \"tell\"\nstart = \"say\"\n[levels]\ndeep = {{ {level} }}\n[states.say]\ntype = \"say\"\n\
             prompt = \"It is {{{{ v }}}}.\"\nnext = \"yes\"\n[states.yes]\ntype = \"return\"\noutcome = \"ok\"\n"
        )
    };
    let flows = rung(&[&main, ask, &tell("any = [\"pin\"]")], false);
    let heard = last_heard(&flows, &["1".repeat(8), "7".repeat(6)].map(Move::Keys));
    assert!(!heard.contains("It is x"), "{heard}");
    // Where both ask for as little, it is told.
    let flows = rung(
        &[
            &main,
            &ask.replace("all = [\"pin\", \"sms_otp\"]", "any = [\"pin\"]"),
            &tell("any = [\"pin\"]"),
        ],
        true,
    );
    let heard = last_heard(&flows, &["1".repeat(8), "7".repeat(6)].map(Move::Keys));
    assert!(heard.contains("It is x"), "{heard}");
}

/// What was on trial while the same was proved anew is the older of two proofs, and does not take the place of the
/// newer when both count.
#[test]
fn what_was_on_trial_does_not_make_a_newer_proof_older() {
    let flow = format!(
        "name = \"main\"\nstart = \"who\"\n{WHO}[levels]\nfresh = {{ any = [\"pin\"], within = \"30s\" }}\n\
         [states.pin]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"PIN?\"\nverdict = \"combined\"\n\
         on = {{ ok = \"again\", failed = \"bye\", locked = \"bye\" }}\n\
         [states.again]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"Again?\"\nverdict = \"own\"\n\
         on = {{ ok = \"tell\", failed = \"bye\", locked = \"bye\" }}\n\
         [states.tell]\ntype = \"hangup\"\nrequires = \"fresh\"\nprompt = \"So.\"\non = {{ denied = \"bye\" }}\n"
    );
    let flows = rung(&[&flow], true);
    let keys = |key: &str, times| Move::Keys(key.repeat(times));
    let heard = last_heard(&flows, &[keys("1", 8), keys("7", 6), Move::Wait(40), keys("7", 6)]);
    assert!(heard.contains("So."), "{heard}");
}

/// A back end that fails takes back what it gave before: what is said then tells of nothing.
#[test]
fn what_a_failed_answer_leaves_behind_may_be_said() {
    let flow = format!(
        "name = \"main\"\nstart = \"who\"\n{WHO}[levels]\nl = {{ any = [\"pin\"] }}\n\
         [states.pin]\ntype = \"gather_pin\"\ndigits = 6\nprompt = \"PIN?\"\n\
         on = {{ ok = \"ask\", failed = \"bye\", locked = \"bye\" }}\n\
         [states.ask]\ntype = \"lookup\"\nbackend = \"b\"\nrequires = \"l\"\n\
         give = {{ v = {{ type = \"text\", label = \"l\" }} }}\n\
         on = {{ denied = \"bye\", ok = \"again\", failed = \"bye\" }}\n\
         [states.again]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who else?\"\n\
         on = {{ found = \"more\", unknown = \"more\" }}\n\
         [states.more]\ntype = \"lookup\"\nbackend = \"b\"\naccount = false\n\
         give = {{ v = {{ type = \"text\", label = \"l\" }} }}\n\
         on = {{ ok = \"last\", failed = \"say\" }}\n\
         [states.last]\ntype = \"lookup\"\nbackend = \"b\"\naccount = false\n\
         give = {{ v = {{ type = \"text\", label = \"anyone\" }} }}\n\
         on = {{ ok = \"say\", failed = \"say\" }}\n\
         [states.say]\ntype = \"hangup\"\nprompt = \"It is {{{{ v }}}}.\"\n"
    );
    let flows = rung(&[&flow], true);
    let keys = |key: &str, times| Move::Keys(key.repeat(times));
    let heard = last_heard(&flows, &[keys("1", 8), keys("7", 6), keys("1", 8)]);
    assert!(heard.contains("It is x."), "{heard}");
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
