//! Every call through a flow, those left out that are like one that was looked at.

use std::collections::{BTreeSet, HashSet, VecDeque};

use callgate::engine::account::Claim;
use callgate::engine::audit::Proving;
use callgate::engine::call::Frame;
use callgate::flow::level::{Fact, Proof};
use callgate::phone::PhoneNumber;

use super::world::{Came, MOBILE, MOODS, Mood, Move, Scene, World};

/// How calls are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grain {
    /// Entry by entry.
    Fine,
    /// State by state: what is wrong is given until the state ends, and how often a code was sent is
    /// not told apart.
    Coarse,
}

/// More entries than any state takes.
const ENTRIES_MAX: usize = 12;

/// Looks at every call, until `look` has seen enough; `false`: there are more than the budget.
pub(super) fn explore(
    world: &World,
    grain: Grain,
    budget: usize,
    look: &mut dyn FnMut(&Came) -> bool,
) -> bool {
    let (mut seen, mut wanted) = (HashSet::new(), VecDeque::new());
    let (mut enough, fresh_s) = (false, world.fresh_s());
    let mut take = |came: Came, wanted: &mut VecDeque<Scene>| {
        enough |= look(&came);
        if came.scene.call.end.is_none() && seen.insert(alike(&came.scene, grain, &fresh_s)) {
            wanted.push_back(came.scene);
        }
        enough || seen.len() > budget
    };
    for rings in world.rings() {
        for mood in MOODS {
            take(world.ring(&rings, mood), &mut wanted);
        }
    }
    while let Some(scene) = wanted.pop_front() {
        let mut moves = world.moves(&scene);
        moves.extend(fresh_s.first().map(|fresh_s| Move::Wait(fresh_s + 1)));
        for made in moves {
            for mood in MOODS {
                let Some(came) = go(world, &scene, &made, mood, grain) else { break };
                let moody = came.moody;
                if take(came, &mut wanted) {
                    return enough;
                }
                if !moody {
                    break;
                }
            }
        }
    }
    true
}

fn go(world: &World, scene: &Scene, made: &Move, mood: Mood, grain: Grain) -> Option<Came> {
    let mut came = world.go(scene, made, mood)?;
    let again =
        matches!(made, Move::Keys(_) | Move::Silence | Move::Says(_) | Move::CallbackKeys(_));
    if grain == Grain::Coarse && again {
        for _ in 0..ENTRIES_MAX {
            let stays = came.scene.call.at == scene.call.at && came.entry.hops.is_empty();
            if !stays || came.scene.call.end.is_some() {
                break;
            }
            let Some(next) = world.go(&came.scene, made, mood) else { break };
            let moody = came.moody || next.moody;
            came = Came { moody, ..next };
        }
    }
    Some(came)
}

/// What two calls must share for the same to be able to follow.
fn alike(scene: &Scene, grain: Grain, fresh_s: &BTreeSet<i64>) -> String {
    let call = &scene.call;
    let aged = |(fact, proof): (&Fact, &Proof)| {
        let age_s = scene.now.duration_since(proof.at).as_secs();
        let old = fresh_s.iter().filter(|fresh_s| age_s > **fresh_s).count();
        (*fact, old, proof.counts, proof.contact.clone())
    };
    let facts: Vec<_> = call.facts.0.iter().map(aged).collect();
    let on_trial: Vec<_> = call.on_trial.iter().map(aged).collect();
    let trial = (on_trial, call.doubt);
    let code = call.code.as_ref();
    let code = code.map(|c| (c.undelivered, c.effect.is_some(), scene.now > c.expires, &c.sender));
    let ringing = call.ringing.as_ref().map(|ringing| {
        let late = scene.now >= ringing.ring_until;
        (&ringing.phase, ringing.to.is_some(), ringing.leg.is_some(), ringing.tries_left, late)
    });
    let frames: Vec<_> = call
        .frames
        .iter()
        .map(|frame| match frame {
            Frame::StepUp(at) => ("proves", at, None),
            Frame::Agent(at) => ("asked", at, None),
            Frame::Call(at, own) => ("called", at, (grain == Grain::Fine).then_some(own)),
        })
        .collect();
    let claim = match call.claim {
        Claim::None => 0,
        Claim::Account(_) => 1,
        Claim::Decoy(_) => 2,
    };
    let live: Vec<_> = call.legs.iter().filter(|leg| leg.is_live()).map(|leg| leg.role).collect();
    // Whether it is a number on file: a stranger's and none at all lead on alike.
    let number = call.caller.number.as_ref().map(PhoneNumber::as_e164) == Some(MOBILE);
    let caller = (call.caller.attestation, number, call.risk(), call.speaking == call.legs[0].id);
    let asked = call.agent_step_up.as_ref().filter(|asked| asked.result == Proving::Pending);
    let asked = asked.map(|asked| asked.level.as_str());
    let fine = match grain {
        Grain::Fine => {
            format!("{:?}{:?}{:?}{}", call.visit, call.variables, call.asked, call.sends.min(5))
        }
        Grain::Coarse => String::new(),
    };
    format!(
        "{:?}{facts:?}{trial:?}{code:?}{ringing:?}{frames:?}{claim}{caller:?}{live:?}{asked:?}{fine}",
        call.at
    )
}
