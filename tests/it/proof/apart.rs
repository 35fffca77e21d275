//! Two houses that differ in one thing that is kept under a level, and the same caller in both, who keys in right and
//! wrong, is silent, hangs up, waits until proofs are old, claims somebody else: in whatever flow checks clean, all that
//! is said, sent, shown to a specialist, asked of a back end and written into an audit is the same, until
//! that level is met by what the caller has proved. So nothing of it comes out by what it decides, either.
//!
//! What is proved is counted here, entry by entry, and whether it meets a level is decided here.

use std::collections::BTreeMap;

use callgate::diagnostic::Sources;
use callgate::engine::account::Claim;
use callgate::engine::call::{Call, Frame, Phase, Ringing, Role};
use callgate::engine::event::{AnsweredBy, DialStatus, LegStatus, QueueResult};
use callgate::engine::risk::Signal;
use callgate::engine::turn::Remark;
use callgate::flow::FlowSet;
use callgate::flow::condition::Attestation;
use callgate::flow::level::{Facts, Level};
use callgate::flow::name::LevelName;
use callgate::flow::outcome::Outcome;
use callgate::flow::state::Kind;
use callgate::flow::states::TYPES;
use callgate::flow::states::lookup::Lookup;
use jiff::SignedDuration;
use toml_edit::{DocumentMut, Item};

use super::proved::{Proved, meets};
use super::random::Dice;
use super::vocabulary::{self, Words};
use super::watch::{Change, Kept};
use super::wide;
use super::world::{Came, MOBILE, MOODS, Mood, Move, Rings, STRANGERS, Scene, World};

/// Flows of every run of the tests.
const FLOWS: usize = 60;
/// Pairs of calls through one of them.
const PAIRS: usize = 30;
/// Turns of one call at most.
const TURNS_PER_CALL: usize = 40;
/// The first customer.
const CUSTOMER: &str = "12345678";

/// What was run through in clean flows: how often, and what of the language was there.
#[derive(Default)]
struct Seen {
    /// By word: how many states with it somebody was let into.
    words: BTreeMap<String, usize>,
    turns: usize,
    /// Pairs in which the level was met and something differed then.
    told: usize,
    /// Pairs of which the ways parted and met again.
    met_again: usize,
}

/// The words of each state.
type WordsOf = BTreeMap<(String, String), Words>;

fn words_of(sources: &Sources) -> WordsOf {
    let mut all = WordsOf::new();
    for (file, text) in sources.iter() {
        let document: DocumentMut = text.parse().unwrap();
        let states = document.get("states").and_then(Item::as_table_like).unwrap();
        for (name, state) in states.iter() {
            let mut words = Words::new();
            vocabulary::of_state(state.as_table_like().unwrap(), &mut words);
            all.insert((file.trim_end_matches(".toml").to_owned(), name.to_owned()), words);
        }
    }
    all
}

impl Seen {
    fn see(&mut self, came: &Came, words: &WordsOf) {
        for hop in &came.entry.hops {
            if hop.outcome == Some(Outcome::Denied) {
                continue;
            }
            let of = &words[&(hop.at.flow.to_string(), hop.at.state.to_string())];
            for word in of {
                *self.words.entry(word.clone()).or_default() += 1;
            }
        }
    }
}

/// The levels under which something is kept; `None`: nobody may know.
fn levels<'f>(flows: &'f FlowSet, kept: &Kept) -> Option<Vec<&'f Level>> {
    let start = flows.get("main").unwrap();
    match kept {
        Kept::Field(field) => {
            let name = start.disclose.get(field.as_str())?;
            Some(vec![start.levels.get(name)?])
        }
        Kept::Answer(path, variable) => {
            let given = lookups(flows).find(|it| it.path == *path)?.give.iter();
            let given = given.clone().find(|given| given.name.as_str() == variable)?;
            let of = |name: &LevelName| -> Vec<&Level> {
                let all = flows.iter().filter_map(|flow| flow.levels.get(name));
                start.levels.get(name).map_or_else(|| all.collect(), |own| vec![own])
            };
            Some(given.label.iter().flat_map(|(name, _)| of(name)).collect())
        }
    }
}

fn lookups(flows: &FlowSet) -> impl Iterator<Item = &Lookup> {
    let states = flows.iter().flat_map(|flow| flow.states.values());
    states.filter_map(|state| match &state.kind {
        Kind::Lookup(lookup) => Some(lookup),
        _ => None,
    })
}

/// Everything that the flows keep under a level and use.
fn kept(sources: &Sources, flows: &FlowSet) -> Vec<Kept> {
    let used = |field: &&str| {
        let ways =
            [format!("account.{field}"), format!("field = \"{field}\""), format!("\"{field}\"")];
        sources.iter().any(|(_, text)| ways.iter().any(|way| text.contains(way.as_str())))
    };
    let fields = super::words::FIELDS.into_iter().filter(used);
    let fields = fields.map(|field| Kept::Field(field.to_owned()));
    let answers = lookups(flows).flat_map(|lookup| {
        let given = lookup.give.iter().filter(|given| given.label.is_some());
        given.map(|given| Kept::Answer(lookup.path.clone(), given.name.to_string()))
    });
    fields.chain(answers).collect()
}

/// What must be the same in both calls for the same to follow in both: all but what is made of what is kept.
fn stands(scene: &Scene) -> String {
    let call = &scene.call;
    let mut bare = call.clone();
    bare.variables.clear();
    for frame in &mut bare.frames {
        if let Frame::Call(_, variables) = frame {
            variables.clear();
        }
    }
    for leg in &mut bare.legs {
        (leg.present, leg.answered, leg.heard) = Default::default();
    }
    serde_json::to_string(&bare).unwrap()
}

/// Whether the variables that are anybody's are the same.
fn agree(one: &Call, other: &Call) -> bool {
    let plain = |call: &Call| -> Vec<_> {
        let own = std::iter::once(&call.variables);
        let theirs = call.frames.iter().filter_map(|frame| match frame {
            Frame::Call(_, variables) => Some(variables),
            _ => None,
        });
        own.chain(theirs).cloned().collect()
    };
    let (one, other) = (plain(one), plain(other));
    one.len() == other.len()
        && one.iter().zip(&other).all(|(one, other)| {
            one.iter().all(|(name, variable)| match other.get(name) {
                // With the claim the one goes and the other stays, as whoever met the level knows.
                Some(other) if variable.label.is_empty() || other.label.is_empty() => {
                    variable == other
                }
                Some(_) => true,
                None => !variable.label.is_empty(),
            }) && other.iter().all(|(name, it)| one.contains_key(name) || !it.label.is_empty())
        })
}

/// Two houses and the caller in both.
struct Pair<'f> {
    flows: &'f FlowSet,
    houses: [World; 2],
    levels: Option<Vec<&'f Level>>,
    of_customer: bool,
    proved: Proved,
}

/// How two turns compare.
#[derive(PartialEq)]
enum Apart {
    /// They are the same.
    Not,
    /// Words differ that the caller may hear.
    Told,
    /// The ways have parted.
    Gone,
}

impl Pair<'_> {
    /// Whether the level was met at any moment of a turn, by who may know it.
    fn met(&self, came: &Came) -> bool {
        let Some(levels) = &self.levels else { return false };
        let claims = |call: &Call| {
            !self.of_customer
                || matches!(&call.claim, Claim::Account(id) if id.expose() == CUSTOMER)
        };
        let call = &came.scene.call;
        let met = |facts: &Facts| {
            let proofs = self.proved.of(facts);
            levels.iter().all(|level| meets(level, &proofs, came.entry.moment.now, call.risk()))
        };
        let now = claims(call) && met(&call.facts);
        let before = came.before.as_ref().is_some_and(|before| {
            let hops = came.entry.hops.len();
            claims(before)
                && (met(&before.facts) || (0..hops).any(|it| met(&came.facts_at(it, self.flows))))
        });
        now || before
    }

    /// Compares what came of the same move in both houses.
    fn compare(&self, [one, other]: [&Came; 2]) -> Result<Apart, String> {
        let same_way = one.entry.hops == other.entry.hops
            && one.entry.end == other.entry.end
            && one.scene.call.at == other.scene.call.at;
        if same_way && one.out == other.out {
            return Ok(Apart::Not);
        }
        if !self.met(one) && !self.met(other) {
            let ways = [one, other].map(|it| format!("{:?}\n{:#?}", it.entry.hops, it.out));
            let call = &one.scene.call;
            let facts = format!("{:?} {:?} {:?}", call.facts, call.claim, self.proved.counted);
            return Err(format!(
                "it is told to who may not know, {facts}:\n{}\n{}",
                ways[0], ways[1]
            ));
        }
        Ok(if same_way { Apart::Told } else { Apart::Gone })
    }
}

/// What nobody is ever told: numbers and addresses on file, who is claimed, and codes, but that of a callback.
fn never_told(came: &Came, flows: &FlowSet) -> Result<(), String> {
    let [reply, effects, asked] = &came.out;
    let call = &came.scene.call;
    let at = flows.get(call.at.flow.as_str()).and_then(|flow| flow.state(&call.at.state));
    let calls_back = at.is_some_and(|state| matches!(state.kind, Kind::Callback(_)));
    let of_file = [MOBILE, "+15005550011", "ada@example.com", CUSTOMER, "34567890"];
    let reply = reply.replace("WW0123456789abcdef0123456789abcdef", "");
    for what in of_file.into_iter().chain((!calls_back).then_some("777777")) {
        if reply.contains(what) {
            return Err(format!("{what} is in {reply}"));
        }
    }
    let sent = effects.matches("777777").count();
    let messages = effects.matches("send_sms").count() + effects.matches("send_email").count();
    if sent > messages || asked.contains("777777") {
        return Err(format!("the code is in {effects} {asked}"));
    }
    // What is printed shows nothing of a customer.
    let printed = format!("{:?}", came.entry);
    let secret = [MOBILE, "ada@example.com", CUSTOMER, "Ada", "777777"];
    match secret.into_iter().find(|what| printed.contains(what)) {
        Some(what) => Err(format!("{what} is in {printed}")),
        None => Ok(()),
    }
}

/// Makes one pair of calls at random.
fn pair(
    dice: &mut Dice,
    flows: &FlowSet,
    (kept, change): (&Kept, Change),
    mut clean: Option<(&WordsOf, &mut Seen)>,
) -> Result<(), String> {
    let by_provider = dice.once_in(4);
    let house = |other: bool| {
        let world = World::new(flows, "main");
        let world = if by_provider { world.by_provider() } else { world };
        world.watched(other.then(|| (kept.clone(), change)))
    };
    let of_customer = matches!(kept, Kept::Field(_));
    let (houses, levels) = ([house(false), house(true)], levels(flows, kept));
    let mut pair = Pair { flows, houses, levels, of_customer, proved: Proved::default() };
    let rings = Rings {
        from: *dice.one(&[Some(STRANGERS), Some(MOBILE), None]),
        attestation: *dice.one(&[Attestation::A, Attestation::B, Attestation::None]),
        signals: dice.one::<&[Signal]>(&[&[], &[Signal::ManyCalls], &[Signal::SimSwapped]]),
    };
    let mood = if dice.once_in(3) { *dice.one(&MOODS) } else { Mood::Well };
    let caller = Caller::any(dice);
    let mut came = pair.houses.each_ref().map(|house| house.ring(&rings, mood));
    for _ in 0..TURNS_PER_CALL {
        let [one, other] = &came;
        pair.proved.count(one, flows)?;
        for it in [one, other] {
            never_told(it, flows)?;
            let (refused, mut faults) = pair.houses[0].refusals(it);
            // A text that calculates with what is no number.
            faults.retain(|fault| *fault != Remark::Unspeakable);
            if clean.is_none() {
                continue;
            }
            if !refused.is_empty() || !faults.is_empty() {
                return Err(format!("{refused:?} {faults:?} of a flow that checks clean"));
            }
        }
        let apart = pair.compare([one, other])?;
        if let Some((words, seen)) = &mut clean {
            seen.see(one, words);
            seen.turns += 1;
            seen.told += usize::from(apart != Apart::Not);
        }
        if apart == Apart::Gone {
            let again = stands(&one.scene) == stands(&other.scene)
                && agree(&one.scene.call, &other.scene.call);
            if !again {
                break;
            }
            if let Some((_, seen)) = &mut clean {
                seen.met_again += 1;
            }
        }
        let mut moves = pair.houses[0].moves(&one.scene);
        // Whoever waits for a callback is asked about every few seconds.
        let over = |of: &Ringing| matches!(of.phase, Phase::Over(_));
        let polled = one.scene.call.ringing.as_ref().is_some_and(over);
        moves.retain(|made| !(polled && matches!(made, Move::Wait(_))));
        if moves.is_empty() {
            break;
        }
        let mood = if dice.once_in(2 * caller.stumbles) { *dice.one(&MOODS) } else { Mood::Well };
        let call = &one.scene.call;
        let at = flows.get(call.at.flow.as_str()).and_then(|flow| flow.state(&call.at.state));
        let lacks = at.is_some_and(|at| caller.lacks.contains(&at.type_name()));
        let does = |made: &&Move| match (lacks, entered(made)) {
            (true, Some(entry)) => entry.starts_with('0'),
            _ => goes_well(made, call),
        };
        let well: Vec<_> = moves.iter().filter(does).collect();
        let made = if well.is_empty() || dice.once_in(caller.stumbles) {
            dice.one(&moves).clone()
        } else {
            (*dice.one(&well)).clone()
        };
        let later_s = *dice.one(caller.waits_s);
        let later_s = if polled || matches!(made, Move::Wait(_)) { 0 } else { later_s };
        let next = [0, 1].map(|house| {
            let mut scene = came[house].scene.clone();
            scene.now += SignedDuration::from_secs(later_s);
            pair.houses[house].go(&scene, &made, mood)
        });
        match next {
            [Some(one), Some(other)] => came = [one, other],
            [None, None] => {}
            _ => return Err(format!("{made:?} is something in one house alone")),
        }
    }
    Ok(())
}

/// What callers may prove with: by the type of a state.
const LACKS: [&[&str]; 8] = [
    &[],
    &[],
    &["gather_pin"],
    &["gather_passcode"],
    &["gather_otp"],
    &["gather_service_code"],
    &["callback"],
    &["gather_pin", "gather_passcode", "gather_otp", "gather_service_code", "callback"],
];

/// What a caller is like.
struct Caller {
    /// Does anything, once in so many turns; most get on with everything.
    stumbles: usize,
    /// What they cannot prove: the types of states.
    lacks: &'static [&'static str],
    /// How long they may take for each turn.
    waits_s: &'static [i64],
}

impl Caller {
    fn any(dice: &mut Dice) -> Self {
        Self {
            stumbles: *dice.one(&[3, 8, 30]),
            lacks: dice.one::<&[&str]>(&LACKS),
            waits_s: dice.one::<&[i64]>(&[&[0], &[0, 0, 2, 4, 11, 31], &[0, 0, 31, 61, 601]]),
        }
    }
}

fn entered(made: &Move) -> Option<&str> {
    match made {
        Move::Keys(keys) => Some(keys),
        Move::CallbackKeys(keys) => Some(keys),
        _ => None,
    }
}

/// Whether it is what a customer does who gets on.
fn goes_well(made: &Move, call: &Call) -> bool {
    if let Some(ringing) = &call.ringing {
        let hangs_up = Move::Status(Role::Inbound, LegStatus::Completed);
        return match (&ringing.phase, made) {
            (Phase::HangUpFirst, made) => *made == hangs_up,
            (Phase::Ringing, Move::Answered(by)) => *by == AnsweredBy::Human,
            (Phase::Ringing, Move::Wait(_)) => ringing.leg.is_none(),
            (Phase::Answered, Move::CallbackKeys(keys)) => keys.starts_with('7'),
            (phase, Move::Poll) => matches!(phase, Phase::Over(_)) || ringing.leg.is_none(),
            _ => false,
        };
    }
    match made {
        Move::Keys(keys) => {
            keys.starts_with(['7', '8']) || keys.len() < 6 || keys.starts_with("11111111")
        }
        Move::Dial(status) => *status == DialStatus::Completed,
        Move::Queue(result) => *result == QueueResult::Bridged,
        Move::Recorded(recorded) => *recorded,
        Move::Poll | Move::Whisper("") => true,
        _ => false,
    }
}

#[expect(clippy::disallowed_methods, reason = "how long to look is said to the test alone")]
pub(super) fn setting(name: &str) -> Option<usize> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Looks at so many flows from a seed on; what is wrong with the first that is wrong.
fn look(seed: u64, count: usize, seen: &mut Seen) -> Result<(), String> {
    for number in 0..count as u64 {
        let seed = seed + number;
        let mut dice = Dice(seed.wrapping_mul(0x5851_f42d_4c95_7f2d));
        // The engine holds what the checker alarms of, too.
        let clean = seed % 2 == 1;
        let (sources, flows) = match (seed % 12 < 2, clean) {
            (true, true) => wide::clean(&mut dice, 10),
            (true, false) => wide::holed(&mut dice, 10),
            (false, _) => wide::straight(&mut dice, clean),
        };
        let words = words_of(&sources);
        let all = kept(&sources, &flows);
        if all.is_empty() {
            continue;
        }
        for _ in 0..PAIRS {
            let kept = dice.one(&all);
            let change = *dice.one(&[Change::Other, Change::Other, Change::Absent]);
            let looked_at = clean.then_some((&words, &mut *seen));
            pair(&mut dice, &flows, (kept, change), looked_at).map_err(|why| {
                let text: String = sources.iter().map(|(_, text)| text.to_string()).collect();
                format!("CALLGATE_APART_SEED={seed}: {kept:?} {change:?}: {why}\n{text}")
            })?;
        }
    }
    Ok(())
}

/// Types and common keys of states that nobody was let into: each is drawn, and runs in a clean flow.
fn unseen(seen: &Seen) -> Vec<String> {
    let of_states = |word: &String| word.starts_with("type.") || word.starts_with("state.");
    let all = vocabulary::of_language().into_iter().filter(of_states);
    all.filter(|word| !seen.words.contains_key(word)).collect()
}

#[test]
fn what_is_kept_under_a_level_comes_out_to_nobody_who_lacks_it() {
    let count = setting("CALLGATE_APART").unwrap_or(FLOWS);
    let seed = setting("CALLGATE_APART_SEED");
    let (first, count) = seed.map_or((1, count), |seed| (seed as u64, 1));
    let workers = 2;
    let walked: Vec<Result<Seen, String>> = std::thread::scope(|scope| {
        let walks: Vec<_> = (0..workers.min(count))
            .map(|worker| {
                let each = count.div_ceil(workers);
                scope.spawn(move || {
                    let mut seen = Seen::default();
                    look(first + (worker * each) as u64, each, &mut seen).map(|()| seen)
                })
            })
            .collect();
        walks.into_iter().map(|walk| walk.join().unwrap()).collect()
    });
    let mut all = Seen::default();
    for seen in walked {
        let seen = seen.unwrap_or_else(|why| panic!("{why}"));
        for (word, count) in seen.words {
            *all.words.entry(word).or_default() += count;
        }
        all.turns += seen.turns;
        all.told += seen.told;
        all.met_again += seen.met_again;
    }
    let types = TYPES.iter().map(|of| {
        let word = format!("type.{}", of.name);
        format!("{} {}", of.name, all.words.get(&word).copied().unwrap_or_default())
    });
    println!(
        "{} turns, {} told, {} met again; {}",
        all.turns,
        all.told,
        all.met_again,
        types.collect::<Vec<_>>().join(", ")
    );
    if setting("CALLGATE_COVERAGE").is_some() {
        for word in vocabulary::of_language() {
            println!("{:>9} {word}", all.words.get(&word).copied().unwrap_or_default());
        }
    }
    let unseen = if seed.is_some() { Vec::new() } else { unseen(&all) };
    assert_eq!(unseen, [""; 0], "the language has it, and nobody came through it in a clean flow");
    assert!(seed.is_some() || all.told > 5, "callers who may know are told: {}", all.told);
}
