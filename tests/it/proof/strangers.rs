//! What a stranger hears is the same whether an account exists or not, whether it is locked or not, and
//! whether the first of two proofs with one verdict was right, in every flow that has no finding of it.
//!
//! Two calls are made side by side, in which the caller does the same; what is said and asked is compared.

use callgate::check::check_sources;
use callgate::diagnostic::Sources;
use callgate::engine::account::Claim;
use callgate::engine::risk::Signal;
use callgate::flow::FlowSet;
use callgate::flow::condition::Attestation;
use callgate::flow::state::{Kind, State};

use super::random::{self, Dice};
use super::world::{Came, MOBILE, MOODS, Mood, Move, Rings, STRANGERS, Scene, World};

/// Flows that are drawn.
const FLOWS: usize = 300;
/// Pairs of calls through one of them.
const PAIRS: usize = 20;
/// Turns of one call at most.
const TURNS_PER_CALL: usize = 30;

/// What the two calls differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Apart {
    /// There is such an account, and there is none.
    Exists,
    /// It is locked, and it is not.
    Locked,
    /// The first of two proofs is right, and it is not.
    FirstRight,
}

const APART: [Apart; 3] = [Apart::Exists, Apart::Locked, Apart::FirstRight];

/// What the caller hears and is asked for, without what is random in it.
fn heard(scene: &Scene) -> String {
    let call = &scene.call;
    let present = call.leg(call.speaking).map(|leg| format!("{:?}", leg.present.verbs));
    let kept = |part: &str| {
        let random = part.len() == 36 && part.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        if random { "…".to_owned() } else { part.to_owned() }
    };
    let name = |c: char| !(c.is_ascii_alphanumeric() || c == '-');
    let present: Vec<_> = present.unwrap_or_default().split(name).map(kept).collect();
    format!("{} {:?}", present.join(" "), call.end)
}

fn state<'f>(flows: &'f FlowSet, scene: &Scene) -> &'f State {
    let at = &scene.call.at;
    flows.get(at.flow.as_str()).unwrap().state(&at.state).unwrap()
}

/// What the caller does, or what happens, in each of the two calls.
fn both(made: &Move, kind: &Kind, apart: Apart, claimed: bool) -> [Move; 2] {
    let secret = matches!(
        kind,
        Kind::GatherPin(_)
            | Kind::GatherPasscode(_)
            | Kind::GatherOtp(_)
            | Kind::GatherServiceCode(_)
    );
    match made {
        // Nobody's code comes back.
        Move::Undelivered if apart == Apart::Locked => [made.clone(), made.clone()],
        Move::Undelivered => [made.clone(), Move::Wait(0)],
        Move::Keys(entry) if secret => {
            let entries = match apart {
                Apart::Exists if entry.starts_with('9') => ["9", "9"],
                // Of a code of its own the provider says more than that it is wrong, if it is somebody's.
                Apart::Exists if entry.starts_with('4') => ["4", "4"],
                Apart::Exists if entry.starts_with('3') => ["3", "3"],
                // Where nobody is claimed nobody is locked.
                Apart::Locked if claimed => ["9", "0"],
                Apart::FirstRight if kind.is_combined() => ["7", "0"],
                Apart::Exists | Apart::Locked | Apart::FirstRight => ["0", "0"],
            };
            entries.map(|first| Move::Keys(first.repeat(entry.len())))
        }
        made => [made.clone(), made.clone()],
    }
}

/// Makes a move; a code that was sent to nobody does not come back.
fn go(world: &World, scene: &Scene, made: &Move, mood: Mood) -> Option<Came> {
    let came = world.go(scene, made, mood);
    if came.is_none() && *made == Move::Undelivered {
        return world.go(scene, &Move::Wait(0), mood);
    }
    came
}

/// Makes a pair of calls at random; what was heard where they differ.
fn pair(dice: &mut Dice, flows: &FlowSet, apart: Apart, turns: &mut usize) -> Option<[String; 2]> {
    let there = World::new(flows, "main");
    let other = World::new(flows, "main");
    let other = if apart == Apart::Exists { other.empty() } else { other };
    let by_provider = dice.once_in(3);
    let [there, other] =
        [there, other].map(|world| if by_provider { world.by_provider() } else { world });
    let rings = Rings {
        from: *dice.one(&[Some(STRANGERS), Some(MOBILE), None]),
        attestation: *dice.one(&[Attestation::A, Attestation::None]),
        signals: dice.one::<&[Signal]>(&[&[], &[Signal::ManyCalls]]),
    };
    let mood = *dice.one(&MOODS);
    let mut scenes = [there.ring(&rings, mood).scene, other.ring(&rings, mood).scene];
    for _ in 0..TURNS_PER_CALL {
        *turns += 1;
        let [one, another] = scenes.each_ref().map(heard);
        if one != another {
            return Some([one, another]);
        }
        let moves = there.moves(&scenes[0]);
        if moves.is_empty() {
            break;
        }
        let mood = if dice.once_in(3) { *dice.one(&MOODS) } else { Mood::Well };
        let kind = &state(flows, &scenes[0]).kind;
        let claimed = matches!(scenes[0].call.claim, Claim::Account(_));
        let [first, second] = both(dice.one(&moves), kind, apart, claimed);
        let first = go(&there, &scenes[0], &first, mood);
        let second = go(&other, &scenes[1], &second, mood);
        scenes = match (first, second) {
            (Some(first), Some(second)) => [first.scene, second.scene],
            (None, None) => scenes,
            (first, second) => {
                return Some([first, second].map(|came| format!("{}", came.is_some())));
            }
        };
        if !scenes[0].call.facts.0.is_empty() {
            break;
        }
    }
    None
}

/// The same flow, with words in each state that no other has.
pub(super) fn told_apart(text: &str) -> String {
    let states = text.split("[states.").enumerate().map(|(number, state)| {
        if number == 0 {
            return state.to_owned();
        }
        let name = state.split(']').next().unwrap();
        let state = state.replace("\"What?\"", &format!("\"What at {name}?\""));
        let state = state.replace("\"So.\"", &format!("\"So at {name}.\""));
        format!("[states.{state}")
    });
    states.collect()
}

#[test]
fn whoever_proves_nothing_hears_the_same_of_every_account() {
    let mut dice = Dice(13);
    let (mut silent, mut turns) = ([0; 3], 0);
    let mut told = [0; 3];
    for _ in 0..FLOWS {
        let (sources, _) = random::even(&mut dice, 9);
        // What a designer has accepted is told, and is a finding.
        let mut plain = Sources::default();
        for (name, text) in sources.iter() {
            plain.add(name, told_apart(&text.replace("accept = [\"enumeration\"]\n", "")));
        }
        let (flows, findings) = check_sources(&plain);
        let found = findings.iter().any(|finding| finding.code == "enumeration");
        for (index, apart) in APART.into_iter().enumerate() {
            let mut heard = None;
            for _ in 0..PAIRS {
                heard = pair(&mut dice, &flows, apart, &mut turns);
                if heard.is_some() {
                    break;
                }
            }
            match (heard, found) {
                (Some(_), true) => told[index] += 1,
                (Some([one, another]), false) => {
                    let text: String = plain.iter().map(|(_, text)| text.to_string()).collect();
                    panic!("{apart:?} is told:\n{one}\n{another}\n{text}");
                }
                (None, _) => silent[index] += usize::from(!found),
            }
        }
    }
    println!("{turns} turns; {silent:?} flows tell nothing, {told:?} do and have a finding");
    assert!(silent.iter().all(|flows| *flows > 80), "{silent:?}");
    assert!(told[0] > 5 && told[2] > 5, "{told:?}");
}

/// What is told is noticed here: a flow for each.
#[test]
fn what_a_stranger_is_told_is_noticed() {
    let flow = |first: &str| {
        format!(
            "name = \"main\"\nstart = \"who\"\n[levels]\nl = {{ any = [\"pin\", \"callback\"] }}\n\
             [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
             on = {{ found = \"first\", unknown = \"first\" }}\n[states.first]\n{first}\n\
             [states.a]\ntype = \"hangup\"\nprompt = \"A.\"\n[states.b]\ntype = \"hangup\"\nprompt = \"B.\"\n"
        )
    };
    let pin = "type = \"gather_pin\"\ndigits = 6\ntries = 1\nprompt = \"PIN?\"\n";
    let rung = "[states.ring]\ntype = \"callback\"\ntries = 1\n\
        on = { ok = \"a\", failed = \"b\", no_answer = \"a\", unavailable = \"a\", limited = \"a\" }";
    let on = "on = { ok = \"ring\", failed = \"a\", locked = \"a\" }";
    for (apart, first) in [
        (
            Apart::Exists,
            "type = \"send_email_otp\"\non = { sent = \"a\", unavailable = \"b\", limited = \"a\" }".to_owned(),
        ),
        (Apart::Locked, format!("{pin}on = {{ ok = \"a\", failed = \"a\", locked = \"b\" }}")),
        (Apart::FirstRight, format!("{pin}verdict = \"combined\"\n{on}\n{rung}")),
    ] {
        let mut sources = Sources::default();
        sources.add("main.toml", flow(&first));
        let (flows, findings) = check_sources(&sources);
        assert!(findings.iter().any(|finding| finding.code == "enumeration"), "{findings:?}");
        let (mut dice, mut turns) = (Dice(1), 0);
        let told = (0..500).any(|_| pair(&mut dice, &flows, apart, &mut turns).is_some());
        assert!(told, "{apart:?}\n{first}");
    }
}

/// A block of numbers that has had its messages, a message that comes back, and a provider that has forgotten its code
/// or was asked about it too often are of customers alone.
#[test]
fn what_happens_to_customers_alone_is_heard_by_no_stranger() {
    let flow = "name = \"main\"\nstart = \"who\"\n[levels]\nl = { any = [\"sms_otp\"] }\n\
        [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
        on = { found = \"send\", unknown = \"send\" }\n\
        [states.send]\ntype = \"send_sms_otp\"\n\
        on = { sent = \"code\", unavailable = \"code\", limited = \"a\" }\n\
        [states.code]\ntype = \"gather_otp\"\nprompt = \"Code?\"\n\
        on = { ok = \"in\", failed = \"b\", expired = \"a\", undelivered = \"b\" }\n\
        [states.in]\ntype = \"hangup\"\nrequires = \"l\"\nprompt = \"In.\"\non = { denied = \"a\" }\n\
        [states.a]\ntype = \"hangup\"\nprompt = \"A.\"\n[states.b]\ntype = \"hangup\"\nprompt = \"B.\"\n";
    let mut sources = Sources::default();
    sources.add("main.toml", flow);
    let (flows, findings) = check_sources(&sources);
    assert_eq!(findings, []);
    let (mut dice, mut turns) = (Dice(1), 0);
    for _ in 0..1_000 {
        assert_eq!(pair(&mut dice, &flows, Apart::Exists, &mut turns), None);
    }
    assert!(turns > 4_000, "{turns}");
}
