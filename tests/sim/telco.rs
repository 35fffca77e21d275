//! The provider's REST side, and what it does of it: messages that arrive late, twice or never,
//! telephones that ring, requests that are carried out and not answered.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use callgate::carrier::{Carrier, Delivery, Found, Reference};
use callgate::engine::effect::{PlaceCall, Sms};
use callgate::engine::id::{CallId, EffectId, LegId, Nonce, Sid};
use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use super::planted::Plant;
use super::wire::Wire;
use super::world::{LINKS, World, path_of};

/// What a leg is told while it is up.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// To fetch this path instead of what it does.
    Fetch(String),
    /// To end.
    End,
}

/// What the provider does by itself.
#[derive(Debug)]
pub(crate) enum Job {
    /// Rings somebody.
    Ring { sid: Sid, call: CallId, effect: EffectId, nonce: Nonce, to: String },
    /// Reports what became of a message.
    Report { call: CallId, effect: EffectId, sid: String, status: &'static str, after: Duration },
}

/// A message as the provider took it.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) call: CallId,
    pub(crate) to: String,
    pub(crate) code: String,
    pub(crate) body: String,
    /// When it is read; `None`: it never arrives.
    pub(crate) arrives: Option<Instant>,
    pub(crate) taken: Instant,
    pub(crate) times: u32,
}

/// A call that was placed.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) sid: Sid,
    pub(crate) call: CallId,
    pub(crate) leg: LegId,
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) created: Timestamp,
}

/// Of any code of these runs.
const CODE_DIGITS: usize = 6;

#[derive(Debug, Default)]
struct Books {
    sids: u32,
    messages: BTreeMap<EffectId, Message>,
    refused: Vec<EffectId>,
    looked_for: u64,
    /// By number: how often it was asked for a message, and did not say whether it has it.
    unsaid: HashMap<String, u32>,
    placed: Vec<Placed>,
    /// How often the provider was told to take a leg somewhere, and to end it.
    redirected: HashMap<Sid, u32>,
    ended: HashMap<Sid, u32>,
    legs: HashMap<Sid, UnboundedSender<Command>>,
}

/// The provider.
#[derive(Debug)]
pub(crate) struct Telco {
    books: Mutex<Books>,
    jobs: UnboundedSender<Job>,
}

impl Telco {
    pub(crate) fn new() -> (Self, UnboundedReceiver<Job>) {
        let (jobs, to_do) = unbounded_channel();
        (Self { books: Mutex::default(), jobs }, to_do)
    }

    /// A name for a leg, and what it will be told.
    pub(crate) fn leg(&self) -> (Sid, UnboundedReceiver<Command>) {
        let sid = self.next_sid();
        let heard = self.connect(&sid);
        (sid, heard)
    }

    fn next_sid(&self) -> Sid {
        let mut books = self.books.lock().unwrap();
        books.sids += 1;
        Sid(format!("CA{:032x}", books.sids))
    }

    /// A leg is up from now on.
    pub(crate) fn connect(&self, sid: &Sid) -> UnboundedReceiver<Command> {
        let (tell, heard) = unbounded_channel();
        self.books.lock().unwrap().legs.insert(sid.clone(), tell);
        heard
    }

    /// A leg is over.
    pub(crate) fn disconnect(&self, sid: &Sid) {
        self.books.lock().unwrap().legs.remove(sid);
    }

    /// The newest code that has arrived at a mobile, of those sent since then; what has none is no matter.
    pub(crate) fn newest_code(&self, mobile: &str, since: Instant) -> Option<String> {
        let books = self.books.lock().unwrap();
        let now = Instant::now();
        let here = |message: &&Message| {
            let arrived = message.arrives.is_some_and(|arrives| arrives <= now);
            let has_code = message.code.len() == CODE_DIGITS;
            message.to == mobile && arrived && has_code && message.taken >= since
        };
        books.messages.values().filter(here).max_by_key(|it| it.taken).map(|it| it.code.clone())
    }

    /// The messages that were taken.
    pub(crate) fn messages(&self) -> BTreeMap<EffectId, Message> {
        self.books.lock().unwrap().messages.clone()
    }

    /// Whether the provider has had its say on a message.
    pub(crate) fn knows_message(&self, effect: EffectId) -> bool {
        let books = self.books.lock().unwrap();
        books.messages.contains_key(&effect) || books.refused.contains(&effect)
    }

    /// The calls that were placed for this leg.
    pub(crate) fn placed(&self, call: CallId, leg: LegId) -> Vec<Placed> {
        let books = self.books.lock().unwrap();
        books.placed.iter().filter(|it| (it.call, it.leg) == (call, leg)).cloned().collect()
    }

    pub(crate) fn all_placed(&self) -> Vec<Placed> {
        self.books.lock().unwrap().placed.clone()
    }

    pub(crate) fn was_redirected(&self, sid: &Sid) -> bool {
        self.books.lock().unwrap().redirected.contains_key(sid)
    }

    pub(crate) fn was_ended(&self, sid: &Sid) -> bool {
        self.books.lock().unwrap().ended.contains_key(sid)
    }

    /// How often it was asked for a message.
    pub(crate) fn looked_for(&self) -> u64 {
        self.books.lock().unwrap().looked_for
    }

    /// How often it did not say whether it has the messages to this number.
    pub(crate) fn unsaid(&self, to: &str) -> u32 {
        self.books.lock().unwrap().unsaid.get(to).copied().unwrap_or_default()
    }

    /// It will not send this, or do what else it was to do.
    pub(crate) fn refuse(&self, effect: EffectId) {
        self.books.lock().unwrap().refused.push(effect);
    }

    /// Takes a message with this text.
    pub(crate) fn take_message(
        &self,
        world: &World,
        reference: Reference,
        to: &str,
        body: String,
        by: Author,
    ) {
        let dice = &world.dice;
        let arrives = (!world.fails(150)).then(|| Instant::now() + dice.ms(800, 9_000));
        let code = body.chars().filter(char::is_ascii_digit).collect();
        let mut books = self.books.lock().unwrap();
        let known = books.messages.get_mut(&reference.effect);
        if let Some(known) = known {
            known.times += 1;
            if known.to != to || (by == Author::Callgate && known.body != body) {
                world.oracle.violated("a message was sent twice and says something else".into());
            } else if known.body != body {
                // The code before has been keyed in by another caller of that number, or is old.
                (known.body, known.code) = (body, code);
                (known.arrives, known.taken) = (arrives, Instant::now());
            }
            return;
        }
        let (call, taken, to) = (reference.call, Instant::now(), to.to_owned());
        let message = Message { call, to, code, body, arrives, taken, times: 1 };
        books.messages.insert(reference.effect, message);
        books.sids += 1;
        let (sid, effect) = (format!("SM{:032x}", books.sids), reference.effect);
        drop(books);
        let end = if arrives.is_some() { "delivered" } else { "undelivered" };
        let mut reports = vec!["queued", "sent", end];
        if world.fails(300) {
            reports.reverse();
        }
        if world.fails(200) {
            reports.push(end);
        }
        for status in reports {
            if !world.fails(200) {
                let after = dice.ms(300, 12_000);
                let job = Job::Report { call, effect, sid: sid.clone(), status, after };
                self.jobs.send(job).unwrap();
            }
        }
    }

    fn take_call(&self, world: &World, reference: Reference, place: &PlaceCall) -> Sid {
        let sid = self.next_sid();
        let to = place.to.as_e164().to_owned();
        let placed = Placed {
            sid: sid.clone(),
            call: reference.call,
            leg: place.leg,
            to: to.clone(),
            from: place.from.clone(),
            created: world.now(),
        };
        self.books.lock().unwrap().placed.push(placed);
        let Reference { call, effect } = reference;
        let job = Job::Ring { sid: sid.clone(), call, effect, nonce: place.nonce, to };
        self.jobs.send(job).unwrap();
        sid
    }

    /// Tells a leg something; `false`: there is no such leg any more.
    fn tell(&self, sid: &Sid, command: Command) -> bool {
        let books = self.books.lock().unwrap();
        books.legs.get(sid).is_some_and(|leg| leg.send(command).is_ok())
    }
}

/// Whose words a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Author {
    Callgate,
    /// It makes codes of its own, and a new one for who has none that is good.
    Provider,
}

/// One server's way to the provider.
#[derive(Clone, Debug)]
pub(crate) struct Line(pub(crate) Wire);

/// What becomes of a request to the provider.
pub(crate) enum Fate {
    Done,
    /// It is carried out, and the answer does not come.
    DoneUnheard,
    /// It does not arrive, and nobody knows.
    NotDoneUnheard,
    Busy,
    Refused,
}

impl Line {
    pub(crate) fn world(&self) -> &Arc<World> {
        &self.0.world
    }

    fn telco(&self) -> &Telco {
        &self.0.world.telco
    }

    pub(crate) fn fate(&self) -> Fate {
        if !self.world().gusts() {
            return Fate::Done;
        }
        match self.world().dice.below(1_000) {
            0..150 => Fate::DoneUnheard,
            150..200 => Fate::NotDoneUnheard,
            200..260 => Fate::Busy,
            260..290 => Fate::Refused,
            _ => Fate::Done,
        }
    }

    pub(crate) async fn ask(
        &self,
        done: impl FnOnce() -> Option<Sid>,
        refused: impl FnOnce(),
    ) -> Delivery {
        let dice = &self.world().dice;
        let fate = self.fate();
        self.0.pass(dice.ms(20, 200)).await;
        match fate {
            Fate::Done => {
                let sid = done();
                self.0.pass(dice.ms(20, 300)).await;
                match sid {
                    Some(sid) => Delivery::Accepted(sid),
                    None => Delivery::Refused { code: Some(21_220) },
                }
            }
            Fate::DoneUnheard => {
                done();
                self.0.pass(Duration::from_secs(10)).await;
                Delivery::Unknown
            }
            Fate::NotDoneUnheard => {
                self.0.pass(Duration::from_secs(10)).await;
                Delivery::Unknown
            }
            Fate::Busy => {
                let retry_after = dice.falls(500).then(|| dice.ms(1_000, 4_000));
                Delivery::NotDone { retry_after }
            }
            Fate::Refused => {
                refused();
                Delivery::Refused { code: Some(21_610) }
            }
        }
    }
}

#[async_trait]
impl Carrier for Line {
    async fn send_sms(&self, reference: Reference, sms: &Sms) -> Delivery {
        let (world, telco) = (self.world(), self.telco());
        let take = || {
            let (to, body) = (sms.to.as_e164(), sms.body.expose());
            telco.take_message(world, reference, to, body.to_owned(), Author::Callgate);
            Some(Sid("SM1".into()))
        };
        self.ask(take, || telco.refuse(reference.effect)).await
    }

    async fn has_sms(&self, sms: &Sms) -> bool {
        if self.0.has(Plant::SendsWithoutAsking) {
            return false;
        }
        self.telco().books.lock().unwrap().looked_for += 1;
        self.0.pass(self.world().dice.ms(20, 200)).await;
        let to = sms.to.as_e164();
        if self.world().fails(300) {
            *self.telco().books.lock().unwrap().unsaid.entry(to.to_owned()).or_default() += 1;
            self.0.pass(Duration::from_secs(5)).await;
            return false;
        }
        let is_it = |message: &Message| message.to == to && message.body == *sms.body.expose();
        self.telco().messages().values().any(is_it)
    }

    async fn place_call(&self, reference: Reference, place: &PlaceCall) -> Delivery {
        let (world, telco) = (self.world(), self.telco());
        self.ask(|| Some(telco.take_call(world, reference, place)), || {}).await
    }

    async fn find_call(&self, place: &PlaceCall, since: Timestamp, others: &[Sid]) -> Found {
        if self.0.has(Plant::RingsWithoutAsking) {
            return Found::None;
        }
        self.0.pass(self.world().dice.ms(20, 200)).await;
        if self.world().fails(150) {
            self.0.pass(Duration::from_secs(5)).await;
            return Found::Unknown;
        }
        let since_s = since.as_second();
        let placed = self.telco().all_placed().into_iter().filter(|it| {
            it.to == place.to.as_e164()
                && it.from == place.from
                && it.created.as_second() >= since_s
                && !others.contains(&it.sid)
        });
        let mut found: Vec<_> = placed.map(|it| it.sid).collect();
        self.0.pass(self.world().dice.ms(10, 100)).await;
        match (found.pop(), found.is_empty()) {
            (None, _) => Found::None,
            (Some(sid), true) => Found::Call(sid),
            (Some(_), false) => Found::Unknown,
        }
    }

    async fn redirect_leg(&self, call: CallId, leg: LegId, sid: &Sid) -> Delivery {
        let telco = self.telco();
        *telco.books.lock().unwrap().redirected.entry(sid.clone()).or_default() += 1;
        let path = path_of(&LINKS.resume(call, leg));
        let done = || telco.tell(sid, Command::Fetch(path)).then(|| sid.clone());
        self.ask(done, || {}).await
    }

    async fn end_leg(&self, sid: &Sid) -> Delivery {
        let telco = self.telco();
        *telco.books.lock().unwrap().ended.entry(sid.clone()).or_default() += 1;
        self.ask(|| telco.tell(sid, Command::End).then(|| sid.clone()), || {}).await
    }
}
