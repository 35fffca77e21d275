//! What is explored: a call at a point, what two servers do there, and what must be true whatever they do.

use std::sync::{Arc, LazyLock};

use callgate::chance::SeededChance;
use callgate::clock::{Clock, VirtualClock};
use callgate::diagnostic::{Problems, Sources};
use callgate::directory::Directory;
use callgate::directory::accounts::{Accounts, Secrets};
use callgate::engine::call::Phase;
use callgate::engine::event::{Event, Heard, Ring};
use callgate::engine::id::{CallId, LegId, Nonce, Sid};
use callgate::engine::policy::Policy;
use callgate::engine::question::{Answer, Verdict};
use callgate::engine::reply::{Reply, Verb};
use callgate::exchange::unlock::By;
use callgate::exchange::{Exchange, Parts, Request, Wants};
use callgate::flow::FlowSet;
use callgate::flow::condition::Attestation;
use callgate::flow::level::Fact;
use callgate::outbox::Outbox;
use callgate::secret::Secret;
use callgate::store::envelope::Vault;
use callgate::store::{Claim, DueWhat, Lease, Store};
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::super::ground::{Ground, Write};
use super::door::{Common, Door, Line};
use super::ways::Bounds;

const ACCOUNT: &str = "73195528";
const FLOW: &str = r#"
name     = "desk"
start    = "who"
locale   = "en-US"
business = "Acme"

[states.who]
type   = "identify"
by     = ["digits"]
digits = 8
prompt = "Your account number."
on     = { found = "menu", unknown = "menu" }

[states.menu]
type   = "menu"
prompt = "1, 2 or 3."
keys   = { 1 = "pin", 2 = "ring", 3 = "send" }
on     = { no_input = "bye", no_match = "bye" }

[states.pin]
type   = "gather_pin"
prompt = "Your PIN."
digits = 6
on     = { ok = "bye", failed = "bye", locked = "bye" }

[states.ring]
type = "callback"
on   = { ok = "bye", failed = "bye", no_answer = "bye", unavailable = "bye", limited = "bye" }

[states.send]
type = "send_sms_otp"
on   = { sent = "code", unavailable = "bye", limited = "bye" }

[states.code]
type   = "gather_otp"
prompt = "The code."
on     = { ok = "bye", failed = "bye", expired = "bye", undelivered = "bye" }

[states.bye]
type = "hangup"
"#;

/// What the two servers do.
enum Work {
    /// Both are asked for the same answer, with these entries.
    Answer(Nonce, [&'static str; 2]),
    /// Both do what is due.
    Drain,
}

type Check = fn(&Scene, &Common) -> Result<(), String>;

/// A scene.
pub(crate) struct Scene {
    pub(crate) name: String,
    pub(crate) bounds: Bounds,
    /// All that was written until then.
    pub(crate) log: Vec<Write>,
    pub(crate) at: Timestamp,
    call: CallId,
    work: Work,
    check: Check,
}

/// One request, and its copy with perhaps another entry, at two servers.
pub(crate) fn answers(name: &str, entries: [&'static str; 2]) -> Scene {
    let bounds = Bounds { changes: 2, deaths: 1, lapses: 0, unheard: 0, older: 0 };
    let (log, nonce) = call_at("1");
    let nonce = nonce.unwrap();
    scene(&format!("one request, {name}"), bounds, log, Work::Answer(nonce, entries), answered_once)
}

/// A ring that is due, and two workers.
pub(crate) fn rings() -> Scene {
    let bounds = Bounds { changes: 1, deaths: 1, lapses: 1, unheard: 1, older: 0 };
    scene("a ring", bounds, call_at("2").0, Work::Drain, rung_once)
}

/// A message that is due, and two workers.
pub(crate) fn messages() -> Scene {
    let bounds = Bounds { changes: 1, deaths: 1, lapses: 0, unheard: 1, older: 1 };
    scene("a message", bounds, call_at("3").0, Work::Drain, sent)
}

fn scene(name: &str, bounds: Bounds, log: Vec<Write>, work: Work, check: Check) -> Scene {
    let call = CallId::of("AC1", &sid());
    Scene { name: name.to_owned(), bounds, log, at: begin(), call, work, check }
}

fn begin() -> Timestamp {
    Timestamp::from_second(1_795_600_800).unwrap()
}

fn sid() -> Sid {
    Sid("CA1".into())
}

static FLOWS: LazyLock<FlowSet> = LazyLock::new(|| {
    let mut sources = Sources::default();
    sources.add("desk.toml", FLOW);
    let (flows, findings) = callgate::flow::read(&sources);
    assert_eq!(findings, []);
    flows
});

static DIRECTORY: LazyLock<Arc<Directory>> = LazyLock::new(|| {
    let accounts = format!(
        "[[accounts]]\nid = \"{ACCOUNT}\"\npin = \"860317\"\n\
         phones = [{{ number = \"+15005550010\", line = \"mobile\", since = \"2024-01-01\" }}]\n"
    );
    let problems = Problems::default();
    let accounts = Accounts::read(&"accounts".into(), &accounts, Secrets::Plain, &problems);
    Arc::new(Directory::new(accounts))
});

fn exchange(store: Arc<dyn Store>, clock: Arc<dyn Clock>, seed: u64) -> Exchange {
    let parts = Parts {
        store,
        vault: Vault::new(&[7; 32]),
        directory: DIRECTORY.clone(),
        clock,
        chance: Arc::new(SeededChance::new(seed)),
        policy: Policy::default(),
        flows: FLOWS.clone(),
    };
    Exchange::new(parts).verifying_in_place()
}

fn request(wants: Wants, digits: &str) -> Request {
    let heard = Heard { digits: Secret::new(digits), ..Heard::default() };
    let call = CallId::of("AC1", &sid());
    Request { call, sid: sid(), wants, heard, fallback_number: None }
}

/// A call that has just been told what this key of the menu leads to, and the nonce it was given.
fn call_at(key: &str) -> (Vec<Write>, Option<Nonce>) {
    let ground = Arc::new(Ground::new(None));
    let clock = Arc::new(VirtualClock::at(begin()));
    let exchange = exchange(ground.clone(), clock, 1);
    let ring = Ring {
        call: CallId::of("AC1", &sid()),
        sid: sid(),
        flow: "desk".into(),
        line: "+15005550006".into(),
        from: None,
        attestation: Attestation::None,
        forwarded: false,
        signals: std::collections::BTreeSet::new(),
    };
    let serve = |wants, digits| {
        let served = exchange.serve(&request(wants, digits)).now_or_never();
        served.expect("nothing to wait for").unwrap().0
    };
    let reply = serve(Wants::Ring(Box::new(ring)), "");
    let reply = serve(Wants::Turn(next(&reply).unwrap()), ACCOUNT);
    let reply = serve(Wants::Turn(next(&reply).unwrap()), key);
    (ground.log(), next(&reply))
}

fn next(reply: &Reply) -> Option<Nonce> {
    reply.verbs.iter().find_map(|verb| match verb {
        Verb::Gather(gather) => Some(gather.action),
        _ => None,
    })
}

impl Scene {
    /// What a server does in this scene.
    pub(crate) fn work(&self, n: usize, door: Arc<Door>, seed: u64) -> LocalBoxFuture<'static, ()> {
        match &self.work {
            Work::Drain => {
                let outbox = Self::outbox(door.clone(), seed);
                async move {
                    // It looks at the clock when it is its turn.
                    door.through().await;
                    outbox.drain().await.unwrap();
                }
                .boxed_local()
            }
            Work::Answer(nonce, entries) => {
                let request = request(Wants::Turn(*nonce), entries[n]);
                let exchange = exchange(door.clone(), door.common.clock.clone(), seed);
                async move {
                    let (reply, _) = exchange.serve(&request).await.unwrap();
                    door.common.books.lock().unwrap().replies.push(reply);
                }
                .boxed_local()
            }
        }
    }

    /// A worker's outbox.
    pub(crate) fn outbox(door: Arc<Door>, seed: u64) -> Arc<Outbox> {
        let exchange = Arc::new(exchange(door.clone(), door.common.clock.clone(), seed));
        Outbox::new(exchange, Arc::new(Line(door)), None)
    }

    /// What is wrong in the end.
    pub(crate) fn check(&self, common: &Common) -> Result<(), String> {
        (self.check)(self, common)?;
        let claim = Claim {
            now: common.clock.now().checked_add(SignedDuration::from_mins(30)).unwrap(),
            lease: Lease(Uuid::max()),
            until: Timestamp::MAX,
            count_max: 10,
        };
        let due = common.ground.claim(claim).now_or_never().unwrap().unwrap();
        let left = due.iter().any(|due| matches!(due.what, DueWhat::Effect { .. }));
        if left { Err("an effect is due for ever".into()) } else { Ok(()) }
    }

    fn watcher(common: &Common) -> Exchange {
        exchange(common.ground.clone(), common.clock.clone(), 9)
    }
}

/// One turn, one attempt, one answer.
fn answered_once(scene: &Scene, common: &Common) -> Result<(), String> {
    let Work::Answer(nonce, _) = &scene.work else { return Err("no such scene".into()) };
    let watcher = Scene::watcher(common);
    let journal = watcher.journal(scene.call).now_or_never().unwrap().unwrap();
    let of_nonce = |event: &Event| matches!(event, Event::Heard { nonce: it, .. } if it == nonce);
    let turns: Vec<_> = journal.iter().filter(|entry| of_nonce(&entry.event)).collect();
    if turns.len() != 1 {
        return Err(format!("one nonce bought {} turns", turns.len()));
    }
    let wrong = |answer: &&Answer| answer.verdict() == Some(Verdict::Wrong);
    let verdicts = turns[0].answers.iter().filter(wrong).count();
    let account = Secret::new(ACCOUNT);
    let lifted = watcher.unlock(&account, Some(Fact::Pin), By::CommandLine);
    let lifted = lifted.now_or_never().unwrap().unwrap().unwrap();
    let counted = lifted[0].1.failures;
    if (verdicts, counted) != (1, 1) {
        return Err(format!("{verdicts} attempts were looked at, and {counted} counted"));
    }
    let call = watcher.load(scene.call).now_or_never().unwrap().unwrap().unwrap().call;
    let stands = &*call.leg(LegId::INBOUND).unwrap().present;
    let replies = &common.books.lock().unwrap().replies;
    // Who sees an older copy twice says again what was said before; nothing else differs.
    let others = replies.iter().filter(|reply| *reply != stands).count();
    let older = usize::from(scene.bounds.older - common.left.lock().unwrap().older);
    if replies.is_empty() || others > older {
        return Err(format!("{others} of {} answers are others", replies.len()));
    }
    Ok(())
}

/// Rung once, and known; a call that has given up waiting needs neither.
fn rung_once(scene: &Scene, common: &Common) -> Result<(), String> {
    let books = common.books.lock().unwrap();
    let loaded = Scene::watcher(common).load(scene.call).now_or_never().unwrap().unwrap().unwrap();
    let waits = loaded.call.ringing.as_ref().is_some_and(|it| it.phase == Phase::Ringing);
    let known = loaded.call.leg(LegId(1)).and_then(|leg| leg.sid.clone());
    match books.rung.as_slice() {
        [(_, sid, _)] if !waits || known.as_ref() == Some(sid) => Ok(()),
        [_] => Err("the call does not know the leg that was rung".into()),
        [] if !waits => Ok(()),
        more => Err(format!("the telephone was rung {} times", more.len())),
    }
}

fn sent(_: &Scene, common: &Common) -> Result<(), String> {
    let books = common.books.lock().unwrap();
    let Some(first) = books.sent.first() else { return Err("nothing was sent".into()) };
    let same = books.sent.iter().all(|sent| sent == first);
    if same { Ok(()) } else { Err("two messages were sent, and differ".into()) }
}
