//! Twins: two houses that differ in what a stranger must not hear, and the same callers in both.
//!
//! What runs is the real exchange with its ledgers and budgets, the real outbox and a provider that refuses, forgets and
//! reports messages late and twice. In one house the account claimed is somebody's, who has a past of their own: calls,
//! codes that were keyed in or not, neighbours in the same block of numbers. In the other it is nobody's. Or it is
//! locked in one of them, or the first of two proofs is right. Whatever flow has no finding of it, all answers are the same.

use std::sync::Arc;
use std::time::Duration;

use callgate::chance::SeededChance;
use callgate::check::check_sources;
use callgate::clock::VirtualClock;
use callgate::diagnostic::{Problems, Severity, Sources};
use callgate::directory::Directory;
use callgate::directory::accounts::{Accounts, Secrets};
use callgate::engine::event::{Event, Heard, Ring};
use callgate::engine::id::{CallId, Sid};
use callgate::engine::policy::Policy;
use callgate::engine::question::Verdict;
use callgate::engine::reply::Verb;
use callgate::exchange::{Exchange, Parts, Wants};
use callgate::flow::FlowSet;
use callgate::flow::condition::Attestation;
use callgate::flow::state::{Kind, State};
use callgate::outbox::Outbox;
use callgate::phone::PhoneNumber;
use callgate::replay::world::{Outgoing, Refusal, World};
use callgate::secret::Secret;
use callgate::store::envelope::Vault;
use callgate::store::memory::MemoryStore;

use super::random::{self, Dice};
use super::strangers::told_apart;
use crate::threats::office::{Line, Office, PIN, START, longest_number};

/// Flows of every run of the tests.
const FLOWS: usize = 60;
/// Pairs of houses a flow.
const PAIRS: usize = 8;
/// What a caller does in one call at most.
const MOVES: usize = 14;

/// Who is claimed.
const CLAIMED: &str = "73195528";
/// Their number.
const OWNERS: &str = "+15005550010";
/// A customer whose number is of the same block.
const NEIGHBOUR: &str = "73195529";
const STRANGERS: &str = "+15005550777";

/// What is told to nobody who has proved nothing.
const FOUND: [&str; 2] = ["enumeration", "first-proof-told"];

/// How the owner and the neighbour call, and who guesses at a PIN.
const OWNER: &str = "name = \"owner\"\nstart = \"who\"\n[levels]\nl = { any = [\"sms_otp\"] }\n\
    [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
    on = { found = \"way\", unknown = \"way\" }\n\
    [states.way]\ntype = \"menu\"\nprompt = \"1 or 2?\"\nkeys = { 1 = \"send\", 2 = \"pin\" }\n\
    on = { no_input = \"bye\", no_match = \"bye\" }\n\
    [states.pin]\ntype = \"gather_pin\"\ndigits = 6\ntries = 1\nprompt = \"PIN?\"\n\
    on = { ok = \"bye\", failed = \"bye\", locked = \"bye\" }\n\
    [states.send]\ntype = \"send_sms_otp\"\non = { sent = \"code\", unavailable = \"code\", limited = \"bye\" }\n\
    [states.code]\ntype = \"gather_otp\"\nprompt = \"Code?\"\n\
    on = { ok = \"bye\", failed = \"bye\", expired = \"bye\", undelivered = \"bye\" }\n\
    [states.bye]\ntype = \"hangup\"\n";

/// What the two houses differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Apart {
    /// There is such an account, and there is none.
    Exists,
    /// It is locked and the PIN is right, or it is not locked and the PIN is wrong.
    Locked,
    /// The first of two proofs is right, and it is not.
    FirstRight,
}

const APART: [Apart; 4] = [Apart::Exists, Apart::Exists, Apart::Locked, Apart::FirstRight];

/// What is the same in both houses.
struct Pair<'f> {
    flows: &'f FlowSet,
    apart: Apart,
    policy: Policy,
    account: String,
}

impl Pair<'_> {
    fn house(&self, first: bool) -> Office {
        let neighbour = format!(
            "[[accounts]]\nid = \"{NEIGHBOUR}\"\npin = \"{PIN}\"\n\
             phones = [{{ number = \"+15005550011\", line = \"mobile\", since = \"2024-01-01\" }}]\n"
        );
        let there = first || self.apart != Apart::Exists;
        let accounts = if there { format!("{neighbour}{}", self.account) } else { neighbour };
        let problems = Problems::default();
        let accounts = Accounts::read(&"accounts".into(), &accounts, Secrets::Plain, &problems);
        assert_eq!(problems.into_findings(), []);
        let clock = Arc::new(VirtualClock::at(START.parse().unwrap()));
        let world = Arc::new(World::with_codes_of(6));
        let exchange = Exchange::new(Parts {
            store: Arc::new(MemoryStore::default()),
            vault: Vault::new(&[7; 32]),
            directory: Arc::new(Directory::new(accounts)),
            clock: clock.clone(),
            chance: Arc::new(SeededChance::new(1)),
            policy: self.policy.clone(),
            flows: self.flows.clone(),
        });
        let exchange = exchange.verifying_in_place().verifying_with(world.clone());
        let exchange = Arc::new(exchange.looking_up(world.clone(), false));
        let outbox = Outbox::new(exchange.clone(), world.clone(), Some(world.clone()));
        Office { exchange, clock, outbox, world }
    }
}

/// An account that has some of what accounts have.
fn account(dice: &mut Dice) -> String {
    let mut text = format!("[[accounts]]\nid = \"{CLAIMED}\"\nlocale = \"es-MX\"\n");
    if !dice.once_in(5) {
        text += &format!("pin = \"{PIN}\"\n");
    }
    if dice.once_in(3) {
        text += "passcode = \"blue giraffe\"\n";
    }
    if !dice.once_in(4) {
        text += "email = { address = \"ada@example.com\", since = \"2024-01-01\" }\n";
    }
    let other = "{ number = \"+15005560010\", line = \"mobile\", since = \"2024-01-01\" }";
    let phones = [
        "{ line = \"mobile\", since = \"2024-01-01\", number = ",
        "{ line = \"mobile\", since = \"2026-02-20\", number = ",
        "{ line = \"landline\", since = \"2024-01-01\", number = ",
    ];
    let own =
        format!("{}\"{OWNERS}\" }}", if dice.once_in(3) { *dice.one(&phones) } else { phones[0] });
    let phones = match dice.below(6) {
        0 => String::new(),
        1 => format!("{own}, {other}"),
        _ => own,
    };
    text + &format!(
        "phones = [{phones}]\n[accounts.fields]\nfirst_name = \"Ada\"\nbalance = 12.5\n"
    )
}

fn policy(dice: &mut Dice) -> Policy {
    let mut policy = Policy::default();
    // That somebody's account has had its codes is told: whoever waits for another has to know.
    (policy.otp.sends_per_10min, policy.otp.sends_per_day) = (100, 1_000);
    policy.otp.resend_backoff_s = vec![0];
    policy.otp.by_provider = dice.once_in(3);
    policy.sends.per_prefix_h = *dice.one(&[1, 2, 20]);
    policy.pin.soft_limit = *dice.one(&[2, 5]);
    policy.pin.hard_cap = *dice.one(&[3, 10]);
    policy.look_ups.asked = dice.once_in(4);
    policy
}

/// Strings that look random in what is heard.
fn plain(text: &str) -> String {
    let kept = |part: &str| {
        let random = part.len() == 36 && part.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        if random { "…".to_owned() } else { part.to_owned() }
    };
    let name = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '*');
    text.split(name).filter(|part| !part.is_empty()).map(kept).collect::<Vec<_>>().join(" ")
}

/// A call in one of the houses.
struct There {
    line: Line,
    /// Everything that the caller has noticed since the last look.
    noticed: String,
}

impl There {
    /// What was heard, what the outbox made of the leg, and where that led.
    async fn look(&mut self, office: &Office) {
        self.noticed = plain(&format!("{:?}", self.line.reply.verbs));
        office.outbox.drain().await.unwrap();
        let sid = self.line.sid.clone();
        for one in office.world.take_outgoing() {
            match one {
                Outgoing::RedirectLeg(leg, of) if of == sid => {
                    self.line.tell(Wants::Resume(leg), Heard::default()).await;
                    self.noticed += &plain(&format!(" led to {:?}", self.line.reply.verbs));
                }
                Outgoing::EndLeg(of) if of == sid => self.noticed += " ended",
                _ => {}
            }
        }
    }
}

async fn ring(office: &Office, flow: &str, sid: &str, from: Option<&str>) -> Line {
    let sid = Sid(sid.into());
    let ring = Ring {
        signals: std::collections::BTreeSet::new(),
        call: CallId::of("AC1", &sid),
        sid: sid.clone(),
        flow: flow.into(),
        line: "+15005550006".into(),
        from: from.and_then(PhoneNumber::parse),
        attestation: Attestation::None,
        forwarded: false,
    };
    office.begin(ring).await
}

/// What becomes of the code that somebody had sent.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Right,
    HangsUp,
    /// They are at it still.
    Waits,
}

/// Somebody calls who has a code sent.
async fn calls(office: &Office, sid: &str, id: &str, then: Then) {
    let mut line = ring(office, "owner", sid, Some(OWNERS)).await;
    line.key(id).await;
    line.key("1").await;
    office.outbox.drain().await.unwrap();
    let message = office.world.messages(line.call).pop().filter(|_| then == Then::Right);
    if let Some(message) = message {
        line.key(&longest_number(message.body.expose())).await;
    } else if asks(&line) && then != Then::Waits {
        line.tell(line.next(), Heard { over: true, ..Heard::default() }).await;
    }
    office.outbox.drain().await.unwrap();
    office.world.take_outgoing();
}

/// Somebody calls who guesses at the PIN.
async fn guesses(office: &Office, sid: &str) {
    let mut line = ring(office, "owner", sid, Some(STRANGERS)).await;
    for keys in [CLAIMED, "2", "000002"] {
        line.key(keys).await;
    }
}

fn asks(line: &Line) -> bool {
    line.reply.verbs.iter().any(|it| matches!(it, Verb::Gather(_) | Verb::Redirect(_)))
}

impl Pair<'_> {
    /// What has happened before.
    async fn past(&self, dice: &mut Dice, houses: &[Office; 2]) {
        for number in 0..dice.below(6) {
            let wait_s = *dice.one(&[1, 1, 1, 60, 700, 3_700, 90_000]);
            let what = dice.below(4);
            // Where somebody is at the account still, nobody else can lock it.
            let then = [Then::Right, Then::HangsUp, Then::Waits];
            let then = *dice.one(if self.apart == Apart::Locked { &then[..2] } else { &then });
            for (house, office) in houses.iter().enumerate() {
                let sid = format!("CAbefore{number}");
                match what {
                    // The owner, who may be there in one house alone.
                    0 | 1 if self.apart != Apart::Exists || house == 0 => {
                        calls(office, &sid, CLAIMED, then).await;
                    }
                    2 => calls(office, &sid, NEIGHBOUR, then).await,
                    3 => guesses(office, &sid).await,
                    _ => {}
                }
                office.clock.advance(Duration::from_secs(wait_s));
            }
        }
        for number in 0..self.policy.pin.soft_limit {
            if self.apart == Apart::Locked {
                guesses(&houses[0], &format!("CAlock{number}")).await;
            }
        }
    }

    /// What the caller keys in or says in each house.
    fn entries(&self, dice: &mut Dice, state: &State) -> [Heard; 2] {
        let keys = |keys: &str| Heard { digits: Secret::new(keys), ..Heard::default() };
        let says = |words: &str| Heard { speech: Secret::new(words), ..Heard::default() };
        let both = |heard: Heard| [heard.clone(), heard];
        if dice.once_in(9) {
            let entry = *dice.one(&["*", "", "1", "0000000"]);
            return both(keys(entry));
        }
        match &state.kind {
            Kind::Identify(_) => both(keys(if dice.once_in(8) { "99999999" } else { CLAIMED })),
            Kind::GatherPin(_) if self.apart == Apart::Locked => [keys(PIN), keys("000000")],
            Kind::GatherPin(pin) if self.apart == Apart::FirstRight && pin.combined => {
                [keys(PIN), keys("000000")]
            }
            Kind::Menu(_) => {
                let key = *dice.one(&["1", "2", "3"]);
                both(keys(key))
            }
            Kind::Gather(_) if dice.once_in(2) => both(says(&"a".repeat(700))),
            Kind::Gather(_) => both(says("something")),
            Kind::GatherPasscode(_) => both(says("red giraffe")),
            _ => both(keys("000000")),
        }
    }
}

/// What the provider does and says besides.
async fn provider(dice: &mut Dice, houses: &[Office; 2], there: &[There; 2]) {
    let (what, verdict) =
        (dice.below(14), *dice.one(&[Verdict::Expired, Verdict::Exhausted, Verdict::Unanswered]));
    for (office, there) in houses.iter().zip(there) {
        let call = office.exchange.load(there.line.call).await.unwrap().unwrap().call;
        let effect = call.code.as_ref().and_then(|code| code.effect);
        match (what, effect) {
            (0..=2, Some(effect)) => {
                for _ in 0..=what {
                    let came_back = |_: &_| Some(Event::Undelivered { effect });
                    office.exchange.tell(there.line.call, None, came_back).await.unwrap();
                }
            }
            (3, Some(effect)) => {
                let arrived = |_: &_| Some(Event::Delivered { effect });
                office.exchange.tell(there.line.call, None, arrived).await.unwrap();
            }
            (4, _) => office.world.refuse(Some(Refusal::SendSms)),
            (5, _) => office.world.refuse(Some(Refusal::SendEmail)),
            (6, _) => office.world.refuse(None),
            (7..=11, _) => office.world.say(Some(verdict)),
            _ => {}
        }
    }
}

/// A caller in both houses; what was noticed where it differs.
async fn call(
    pair: &Pair<'_>,
    dice: &mut Dice,
    houses: &[Office; 2],
    sid: &str,
) -> Option<[String; 2]> {
    let from = *dice.one(&[Some(STRANGERS), Some(STRANGERS), Some(OWNERS), None]);
    let mut there = Vec::new();
    for office in houses {
        let line = ring(office, "main", sid, from).await;
        there.push(There { line, noticed: String::new() });
    }
    let mut there: [There; 2] = there.try_into().ok().unwrap();
    for _ in 0..MOVES {
        for (office, there) in houses.iter().zip(&mut there) {
            there.look(office).await;
        }
        provider(dice, houses, &there).await;
        for (office, there) in houses.iter().zip(&mut there) {
            let before = std::mem::take(&mut there.noticed);
            there.look(office).await;
            there.noticed = format!("{before} / {}", there.noticed);
        }
        if there[0].noticed != there[1].noticed {
            return Some(there.map(|there| there.noticed));
        }
        let call = houses[0].exchange.load(there[0].line.call).await.unwrap().unwrap().call;
        let proved = !call.facts.0.is_empty();
        if !asks(&there[0].line) || call.end.is_some() || proved {
            break;
        }
        let flow = pair.flows.get(call.at.flow.as_str()).unwrap();
        let entries = pair.entries(dice, flow.state(&call.at.state).unwrap());
        let wait_s = *dice.one(&[1, 1, 5, 40, 400, 601]);
        for ((office, there), heard) in houses.iter().zip(&mut there).zip(entries) {
            office.clock.advance(Duration::from_secs(wait_s));
            office.outbox.drain().await.unwrap();
            there.line.tell(there.line.next(), heard).await;
        }
    }
    for there in there.iter_mut().filter(|there| asks(&there.line)) {
        let hung_up = Heard { over: true, ..Heard::default() };
        there.line.tell(there.line.next(), hung_up).await;
    }
    None
}

/// Callers in a pair of houses; what was noticed where it differs.
async fn pair(dice: &mut Dice, flows: &FlowSet, apart: Apart) -> Option<[String; 2]> {
    let (mut policy, account) = (policy(dice), account(dice));
    if apart == Apart::Locked {
        // It does not end while somebody listens.
        (policy.pin.soft_lock_s, policy.pin.soft_lock_max_s) = (864_000, 864_000);
    }
    let pair = Pair { flows, apart, policy, account };
    let houses = [pair.house(true), pair.house(false)];
    pair.past(dice, &houses).await;
    for number in 0..=dice.below(3) {
        let told = call(&pair, dice, &houses, &format!("CA{number}")).await;
        if told.is_some() {
            return told;
        }
    }
    None
}

/// What a state is to be.
#[derive(Clone, Copy, PartialEq)]
enum Of {
    /// The first of two proofs with one verdict.
    Combined,
    /// One that sends a code.
    Send,
    /// One that asks for it.
    Code,
    Any,
}

/// A state of a flow for strangers: what happens to customers alone leads on alike.
fn state(dice: &mut Dice, number: usize, count: usize, of: Of) -> String {
    let way = |dice: &mut Dice| {
        let to = number + 1 + dice.below(count - number);
        let to = if dice.once_in(6) { dice.below(count) } else { to };
        if to >= count { (*dice.one(&["bye", "more"])).to_owned() } else { format!("s{to}") }
    };
    let (a, b, c) = (way(dice), way(dice), way(dice));
    let next = if number + 1 < count { format!("s{}", number + 1) } else { a.clone() };
    let head = format!("[states.s{number}]\n");
    let listens = format!("prompt = \"What at s{number}?\"\ntries = {}\n", 1 + dice.below(3));
    let message = *dice.one(&[
        "",
        "message = \"{{ note }}: {{ code }}\"\n",
        "message = \"Code: {{ code }}\"\n",
    ]);
    let secret = |kind: &str, more: &str| {
        format!(
            "{head}type = \"{kind}\"\n{listens}{more}on = {{ ok = \"{a}\", failed = \"{b}\", locked = \"{b}\" }}\n"
        )
    };
    let sends = |kind: &str, message: &str| {
        format!(
            "{head}type = \"{kind}\"\n{message}on = {{ sent = \"{next}\", unavailable = \"{next}\", limited = \"{c}\" }}\n"
        )
    };
    let drawn = match of {
        Of::Code => 99,
        Of::Send => dice.below(6),
        Of::Combined => 7,
        Of::Any => dice.below(12),
    };
    match drawn {
        99 => format!(
            "{head}type = \"gather_otp\"\n{listens}on = {{ ok = \"{a}\", failed = \"{b}\", expired = \"{c}\", undelivered = \"{b}\" }}\n"
        ),
        0..=3 => sends("send_sms_otp", message),
        4 | 5 => sends("send_email_otp", message),
        6 => sends("send_link", "message = \"{{ note }}\"\n"),
        7 if of == Of::Combined || dice.once_in(2) => format!(
            "{head}type = \"gather_pin\"\ndigits = 6\nverdict = \"combined\"\n{listens}\
             on = {{ ok = \"{next}\", failed = \"{b}\", locked = \"{b}\" }}\n"
        ),
        7 => secret("gather_pin", "digits = 6\n"),
        8 => secret("gather_passcode", ""),
        9 => secret("gather_service_code", ""),
        10 => format!(
            "{head}type = \"gather\"\nvar = \"note\"\nkind = \"speech\"\n{listens}\
             on = {{ ok = \"{a}\", no_input = \"{b}\", invalid = \"{b}\" }}\n"
        ),
        _ => format!(
            "{head}type = \"menu\"\n{listens}keys = {{ 1 = \"{a}\", 2 = \"{b}\" }}\non = {{ no_input = \"{c}\", no_match = \"{c}\" }}\n"
        ),
    }
}

/// A flow in which strangers have much to do.
fn desk(dice: &mut Dice) -> String {
    let count = 3 + dice.below(6);
    let mut states = String::new();
    // Two proofs with one verdict, or anything at all.
    let combined = dice.once_in(3);
    let mut sent = false;
    for number in 0..count {
        let of = match number {
            0 if combined => Of::Combined,
            1 if combined => Of::Send,
            _ if sent && (combined && number == 2 || !dice.once_in(8)) => Of::Code,
            _ => Of::Any,
        };
        let state = state(dice, number, count, of);
        sent = state.contains("_otp\"\n") && state.contains("sent = ");
        states += &state;
    }
    let first = *dice.one(&["s0", "why", "why"]);
    format!(
        "name = \"main\"\nstart = \"begin\"\n[levels]\nl = {{ any = [\"pin\", \"sms_otp\", \"email_otp\"] }}\n\
         [states.begin]\ntype = \"set\"\nvalues = {{ note = \"x\" }}\nnext = \"who\"\n\
         [states.who]\ntype = \"identify\"\nby = [\"digits\"]\ndigits = 8\nprompt = \"Who?\"\n\
         on = {{ found = \"{first}\", unknown = \"{first}\" }}\n{states}\
         [states.why]\ntype = \"gather\"\nvar = \"note\"\nkind = \"speech\"\nprompt = \"Why?\"\n\
         on = {{ ok = \"s0\", no_input = \"s0\", invalid = \"s0\" }}\n\
         [states.more]\ntype = \"menu\"\nprompt = \"More?\"\nkeys = {{ 1 = \"s0\", 2 = \"who\" }}\n\
         on = {{ no_input = \"bye\", no_match = \"bye\" }}\n\
         [states.bye]\ntype = \"hangup\"\nprompt = \"Bye.\"\n"
    )
}

/// A flow that has no finding of what is told, with the owner's beside it.
fn silent(dice: &mut Dice) -> (Sources, FlowSet) {
    loop {
        let mut sources = Sources::default();
        if dice.once_in(4) {
            for (name, text) in random::even(dice, 9).0.iter() {
                sources.add(name, told_apart(text));
            }
        } else {
            sources.add("main.toml", desk(dice));
        }
        let (_, findings) = check_sources(&sources);
        let error =
            |code: &str, severity| severity == Severity::Error && code != "unreachable-state";
        if findings.iter().any(|it| error(it.code, it.severity) || FOUND.contains(&it.code)) {
            continue;
        }
        let mut all = sources.clone();
        all.add("owner.toml", OWNER);
        let (flows, _) = callgate::flow::read(&all);
        return (sources, flows);
    }
}

#[expect(clippy::disallowed_methods, reason = "how long to look is said to the test alone")]
fn flows() -> usize {
    std::env::var("CALLGATE_TWINS").ok().and_then(|text| text.parse().ok()).unwrap_or(FLOWS)
}

#[test]
fn nobody_who_has_proved_nothing_hears_which_of_two_houses_they_are_in() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let mut dice = Dice(16);
    for _ in 0..flows() {
        let (sources, flows) = silent(&mut dice);
        for number in 0..PAIRS {
            let apart = APART[number % APART.len()];
            let told = runtime.block_on(pair(&mut dice, &flows, apart));
            if let Some([one, another]) = told {
                let text: String = sources.iter().map(|(_, text)| text.to_string()).collect();
                panic!("{apart:?} is told:\n{one}\n{another}\n{text}");
            }
        }
    }
}
