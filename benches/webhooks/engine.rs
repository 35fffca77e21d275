//! The machine alone, and where a webhook's nanoseconds go: each part of the way by itself, on one core.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use callgate::carrier::form;
use callgate::carrier::signature::{Bases, Keys, sign};
use callgate::engine::account::Account;
use callgate::engine::call::Call;
use callgate::engine::event::Event;
use callgate::engine::id::{LegId, Sid, TurnId};
use callgate::engine::policy::Policy;
use callgate::engine::question::{Answer, Question};
use callgate::engine::turn::{Moment, Step, Turn};
use callgate::engine::{Setting, step};
use callgate::secret::Secret;
use callgate::store::envelope::Kind;
use callgate::twiml::{self, links::Links};

use super::call::{Call as Requests, PUBLIC_URL, Script, TOKEN};
use super::house::{Caller, flows, ring, vault};
use super::machine::core_ns;
use super::report::{Bound, Goal, Section, number};
use super::versus::median;

const ROUNDS: usize = 9;
const TIMES: u32 = 2_000;
const EDITION: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// A run of the machine: what it was given.
struct Run {
    call: Option<Call>,
    event: Event,
    answers: Vec<Answer>,
}

pub(crate) fn section() -> Section {
    let (flows, policy) = (flows(), Policy::default());
    let setting = Setting {
        flows: &flows,
        edition: EDITION,
        policy: &policy,
        fallback_number: None,
        unenforced: None,
    };
    let moment = Moment {
        now: "2026-11-22T12:00:00Z".parse().expect("it is a time"),
        turn: TurnId(uuid::Uuid::from_u128(7)),
        seed: [7; 32],
    };
    let (runs, turns) = play(setting, &moment);
    let steps_ns = per_run(|| {
        for run in &runs {
            black_box(step(setting, run.call.as_ref(), &run.event, &moment, &run.answers));
        }
    }) / runs.len() as f64;
    let steps_s = 1e9 / steps_ns;
    let mut text = format!(
        "A call of the benchmark is {} turns and {} runs of the machine, which runs once more for each answer to a\n\
         question: {} runs per second and core.\n\nThe processor time of the parts of a turn, each measured by itself:\n\n\
         | part | ns |\n|---|---|\n",
        turns.len(),
        runs.len(),
        number(steps_s)
    );
    let turn = &turns[1];
    let mut rows = vec![(
        "the machine, all runs of a turn",
        steps_ns * runs.len() as f64 / turns.len() as f64,
    )];
    rows.extend(around(turn));
    for (part, ns) in rows {
        let _ = writeln!(text, "| {part} | {} |", number(ns.round()));
    }
    let goals = vec![Goal::new(
        "runs of the machine per second and core",
        steps_s,
        Bound::AtLeast(300_000.0),
    )];
    Section { title: "The machine alone", text, goals }
}

/// What is done around the machine for a turn.
fn around(turn: &Turn) -> Vec<(&'static str, f64)> {
    let mut request = Vec::new();
    Requests::new(Script::Balance, 1, 1).write(&mut request);
    let head = request.windows(4).position(|four| four == b"\r\n\r\n").expect("it has a head");
    let body = &request[head + 4..];
    let fields = form::parse(body).expect("it is a form");
    let keys = Keys::new(&[TOKEN.into()]).expect("it is a key");
    let bases = Bases::of(PUBLIC_URL);
    let signature = sign(&TOKEN.into(), &format!("{PUBLIC_URL}/twilio/voice"), &fields);
    let (vault, links) = (vault(), Links::new(PUBLIC_URL));
    let id = turn.call.id.to_string();
    let sealed = vault.seal(Kind::Call, &id, &turn.call, [7; 12]);
    vec![
        ("the form, parsed", per_run(|| drop(black_box(form::fields(body))))),
        (
            "the signature, checked",
            per_run(|| {
                black_box(keys.verify(&bases, "/twilio/voice", &fields, &signature));
            }),
        ),
        (
            "the state, spelled and sealed",
            per_run(|| drop(black_box(vault.seal(Kind::Call, &id, &turn.call, [7; 12])))),
        ),
        (
            "the journal's entry, spelled and sealed",
            per_run(|| drop(black_box(vault.seal(Kind::Entry, &id, &turn.entry, [7; 12])))),
        ),
        ("a keyed hash", per_run(|| drop(black_box(vault.keyed_hex("heard", &[b"1"]))))),
        (
            "the answer, as TwiML",
            per_run(|| {
                drop(black_box(twiml::render(&turn.reply, &links, turn.call.id)));
            }),
        ),
        (
            "(the state, opened and read: not needed while the copy is fresh)",
            per_run(|| {
                let opened = vault.open(Kind::Call, &id, &sealed).expect("it was sealed here");
                drop(black_box(opened.read::<Call>()));
            }),
        ),
    ]
}

/// A whole call: every run, and the turns that came of them.
fn play(setting: Setting<'_>, moment: &Moment) -> (Vec<Run>, Vec<Turn>) {
    let sid = Sid("CA00000000000000000000000000000001".into());
    let mut event = Event::Ring(ring(&sid, 1, 1));
    let (mut call, mut runs, mut turns) = (None, Vec::new(), Vec::new());
    loop {
        let mut answers = Vec::new();
        let turn = loop {
            let done = step(setting, call.as_ref(), &event, moment, &answers);
            runs.push(Run { call: call.clone(), event: event.clone(), answers: answers.clone() });
            match done.expect("the event means something") {
                Step::Turn(turn) => break *turn,
                Step::Ask(question) => answers.push(answer(&question)),
            }
        };
        call = Some(turn.call.clone());
        let leg = turn.call.leg(LegId::INBOUND).expect("the caller rang in");
        event = Event::Heard {
            leg: LegId::INBOUND,
            nonce: leg.expected,
            sid: sid.clone(),
            heard: Box::new(Caller::heard(1, turns.len() + 1)),
        };
        let over = turn.call.end.is_some();
        turns.push(turn);
        if over {
            return (runs, turns);
        }
    }
}

fn answer(question: &Question) -> Answer {
    match question {
        Question::FindById(id) => Answer::Account(Some(Arc::new(Account {
            id: Secret::new(id.expose()),
            locale: None,
            phones: Vec::new(),
            email: None,
            fields: std::collections::BTreeMap::new(),
        }))),
        Question::Reach { .. } => Answer::Spent(true),
        other => panic!("the flow asks nothing of the kind: {other:?}"),
    }
}

/// Nanoseconds of processor time that it takes once: the median of some rounds.
fn per_run(mut what: impl FnMut()) -> f64 {
    let rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begun = core_ns();
            for _ in 0..TIMES {
                what();
            }
            (core_ns() - begun) as f64 / f64::from(TIMES)
        })
        .collect();
    median(&rounds)
}
