//! The provider's part in a replay: it rings, keys, reports, fetches what it is told to fetch, and
//! moves the clock. Everything goes through the [`Exchange`], over a store, so that the call is
//! sealed, kept and loaded again between any two turns.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::telephone::Doing;
use super::telephone::Telephone;
use super::transcript::Transcript;
use super::world::{Contact, Message, Outgoing, World};
use crate::chance::SeededChance;
use crate::clock::{Clock, VirtualClock};
use crate::directory::Directory;
use crate::engine::Unenforced;
use crate::engine::account::Claim;
use crate::engine::call::{Call, Role};
use crate::engine::event::{AnsweredBy, Event, Heard, LegStatus, Ring};
use crate::engine::id::{CallId, LegId, Nonce, Sid};
use crate::engine::policy::Policy;
use crate::engine::reply::{Audible, Reply, Words};
use crate::engine::risk::Signal;
use crate::engine::step_up::Asking;
use crate::engine::turn::{Entry, Hop};
use crate::exchange::service_code::WebLevel;
use crate::exchange::{Exchange, ExchangeError, Parts, Request, Served, Wants};
use crate::flow::FlowSet;
use crate::flow::condition::Attestation;
use crate::outbox::Outbox;
use crate::phone::PhoneNumber;
use crate::secret::Secret;
use crate::store::envelope::Vault;
use crate::store::memory::MemoryStore;
use crate::twiml::{self, links::Links};

/// The provider's account of every replay.
const ACCOUNT: &str = "AC00000000000000000000000000000000";
/// Who asks callers to prove more, in every replay.
const SPECIALIST: &str = "specialist";
/// The public URL of every replay.
const PUBLIC_URL: &str = "https://ivr.example.com";
/// A replay has no secrets to keep: its state lasts as long as the replay does.
const STATE_KEY: [u8; 32] = [7; 32];
/// The clock is moved in steps of this length, so that deadlines come one by one, each at its time.
const STEP: Duration = Duration::from_secs(1);

/// What a replay is set up with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The flows.
    pub flows: FlowSet,
    /// The flow that the line leads to.
    pub flow: String,
    /// The number called.
    pub to: String,
    /// What the network says of the caller's number.
    pub attestation: Attestation,
    /// Whether calls are forwarded.
    pub forwarded: bool,
    /// What was counted or looked up about them.
    pub signals: BTreeSet<Signal>,
    /// The customers.
    pub directory: Arc<Directory>,
    /// Attempts, codes, lockouts.
    pub policy: Policy,
    /// When it begins.
    pub clock: Timestamp,
    /// The seed of its randomness.
    pub seed: u64,
    /// The one demand that is let pass unmet.
    pub unenforced: Option<Unenforced>,
}

impl Setup {
    /// The setup of a transcript, with these flows.
    pub fn of(transcript: &Transcript, flows: FlowSet) -> Self {
        Self {
            flows,
            flow: transcript.flow.clone(),
            to: transcript.to.clone(),
            attestation: transcript.attestation,
            forwarded: transcript.forwarded,
            signals: transcript.signals.clone(),
            directory: transcript.directory.clone(),
            policy: transcript.policy.clone(),
            clock: transcript.clock,
            seed: transcript.seed,
            unenforced: transcript.unenforced.clone(),
        }
    }
}

/// The provider.
#[derive(Debug)]
pub struct Provider {
    exchange: Arc<Exchange>,
    outbox: Arc<Outbox>,
    world: Arc<World>,
    clock: Arc<VirtualClock>,
    links: Links,
    flow: String,
    to: String,
    attestation: Attestation,
    forwarded: bool,
    signals: BTreeSet<Signal>,
    rings: u32,
    call: Option<CallId>,
    telephones: Vec<Telephone>,
    said: Option<Secret>,
    last: Option<(Request, Answered)>,
}

/// An answer that a telephone got.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Which.
    pub role: Role,
    /// What it was told.
    pub reply: Reply,
    /// What its request was to the call.
    pub served: Served,
    /// The document.
    pub document: String,
}

impl Answered {
    /// What is wrong with the document.
    pub fn problems(&self) -> Vec<String> {
        twiml::grammar::validate(&self.document).err().unwrap_or_default()
    }
}

/// Why the provider cannot do what it is told.
#[derive(Debug, thiserror::Error)]
pub enum Lapse {
    /// There is no call yet.
    #[error("nobody has rung yet: begin with `ring = true`")]
    NoCall,
    /// There is no such leg.
    #[error("there is no {0} leg")]
    NoLeg(&'static str),
    /// The leg does something else.
    #[error("the {0} leg {1}, so {2}")]
    Other(&'static str, &'static str, &'static str),
    /// No message was sent in this call.
    #[error("no such message was sent in this call")]
    NoMessage,
    /// No code was spoken in this call.
    #[error("no code was spoken in this call")]
    NoCode,
    /// A code from the web is for a customer.
    #[error("no customer is claimed, who could get a code on the web")]
    NoCustomer,
    /// Nothing was asked yet.
    #[error("there is no request to send again")]
    NoRequest,
    /// Nothing can be asked of the caller now.
    #[error("the caller cannot be asked to prove it now: {0}")]
    NotAsked(&'static str),
    /// The exchange failed.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
}

/// A role in words.
pub fn role_name(role: Role) -> &'static str {
    match role {
        Role::Inbound => "inbound",
        Role::Callback => "callback",
        Role::Whisper => "whisper",
    }
}

impl Provider {
    /// A provider with nothing to do yet.
    pub fn new(setup: Setup) -> Self {
        let Setup { flows, directory, policy, clock, seed, unenforced, .. } = setup;
        let clock = Arc::new(VirtualClock::at(clock));
        let digits = policy.otp.digits;
        let exchange = Exchange::new(Parts {
            store: Arc::new(MemoryStore::new()),
            vault: Vault::new(&STATE_KEY),
            directory,
            clock: clock.clone(),
            chance: Arc::new(SeededChance::new(seed)),
            policy,
            flows,
        });
        let world = Arc::new(World::with_codes_of(digits));
        let exchange = exchange.letting_pass(unenforced).asking(world.clone());
        let exchange =
            Arc::new(exchange.looking_up(world.clone(), false).verifying_with(world.clone()));
        Self {
            outbox: Outbox::new(exchange.clone(), world.clone(), Some(world.clone())),
            exchange,
            world,
            clock,
            links: Links::new(PUBLIC_URL),
            flow: setup.flow,
            to: setup.to,
            attestation: setup.attestation,
            forwarded: setup.forwarded,
            signals: setup.signals,
            rings: 0,
            call: None,
            telephones: Vec::new(),
            said: None,
            last: None,
        }
    }

    /// What is asked of the carrier.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The exchange behind it.
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// The addresses in the documents.
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The call as it is stored.
    pub async fn call(&self) -> Result<Option<Call>, Lapse> {
        let Some(call) = self.call else { return Ok(None) };
        Ok(self.exchange.load(call).await?.map(|loaded| loaded.call))
    }

    /// The states that the call has walked through.
    pub async fn hops(&self) -> Vec<Hop> {
        self.journal().await.into_iter().flat_map(|entry| entry.hops).collect()
    }

    /// The turns of the call.
    pub async fn journal(&self) -> Vec<Entry> {
        let Some(call) = self.call else { return Vec::new() };
        self.exchange.journal(call).await.unwrap_or_default()
    }

    /// The claimed customer gets a code on the web, with so many factors.
    pub async fn issue_service_code(&self, level: WebLevel) -> Result<Option<Secret>, Lapse> {
        let call = self.call().await?.ok_or(Lapse::NoCall)?;
        let Claim::Account(id) = &call.claim else { return Ok(None) };
        let ttl = Duration::from_secs(self.exchange.policy().service_code.ttl_s.into());
        let issued = self.exchange.issue_service_code(id, level, None, ttl).await?;
        Ok(issued.map(|issued| issued.code))
    }

    /// The call's name.
    pub fn call_id(&self) -> Result<CallId, Lapse> {
        self.call.ok_or(Lapse::NoCall)
    }

    /// The latest telephone of a role.
    pub fn telephone(&self, role: Role) -> Result<&Telephone, Lapse> {
        let of_role = self.telephones.iter().rfind(|telephone| telephone.role == role);
        of_role.ok_or(Lapse::NoLeg(role_name(role)))
    }

    /// The role of the leg on which the flow goes on.
    pub async fn speaking(&self) -> Result<Role, Lapse> {
        let call = self.call().await?.ok_or(Lapse::NoCall)?;
        Ok(call.leg(call.speaking).map_or(Role::Inbound, |leg| leg.role))
    }

    /// The code last spoken.
    pub fn said(&self) -> Result<&Secret, Lapse> {
        self.said.as_ref().ok_or(Lapse::NoCode)
    }

    /// Somebody rings: a new call.
    pub async fn ring(&mut self, from: Option<PhoneNumber>) -> Result<Answered, Lapse> {
        self.rings += 1;
        let sid = Sid(format!("CA{:08x}{:024x}", 0x00c0_ffee, self.rings));
        let call = CallId::of(ACCOUNT, &sid);
        self.call = Some(call);
        self.said = None;
        self.telephones = vec![Telephone {
            role: Role::Inbound,
            leg: Some(LegId::INBOUND),
            sid: sid.clone(),
            doing: Doing::Over,
            spent: Vec::new(),
        }];
        let ring = Ring {
            call,
            sid: sid.clone(),
            flow: self.flow.clone(),
            line: self.to.clone(),
            from,
            attestation: self.attestation,
            forwarded: self.forwarded,
            signals: self.signals.clone(),
        };
        let wants = Wants::Ring(Box::new(ring));
        self.request(Role::Inbound, sid, wants, Heard::default()).await
    }

    /// A telephone fetches its next answer, having heard this.
    pub async fn hear(&mut self, role: Role, heard: Heard) -> Result<Answered, Lapse> {
        let telephone = self.telephone(role)?;
        let nonce = telephone.doing.nonce().ok_or(Lapse::Other(
            role_name(role),
            telephone.doing.words(),
            "it asks for nothing",
        ))?;
        self.spend(role, nonce, heard).await
    }

    /// A telephone fetches what this nonce buys.
    pub async fn spend(
        &mut self,
        role: Role,
        nonce: Nonce,
        heard: Heard,
    ) -> Result<Answered, Lapse> {
        let sid = self.telephone(role)?.sid.clone();
        let answered = self.request(role, sid, Wants::Turn(nonce), heard).await?;
        if answered.served == Served::Turn
            && let Some(telephone) = self.telephone_mut(role)
        {
            telephone.spent.push(nonce);
        }
        Ok(answered)
    }

    /// The number that we ring is answered.
    pub async fn answer(&mut self, by: AnsweredBy) -> Result<Answered, Lapse> {
        let heard = Heard { answered_by: Some(by), ..Heard::default() };
        self.hear(Role::Callback, heard).await
    }

    /// The dialled party answers, and hears its whisper.
    pub async fn whisper(&mut self) -> Result<Answered, Lapse> {
        let inbound = self.telephone(self.speaking().await?)?;
        let nonce = inbound.doing.whisper().ok_or(Lapse::NoLeg("whisper"))?;
        let sid = Sid(format!("{}w{}", inbound.sid.0, self.telephones.len()));
        let call = self.call().await?.ok_or(Lapse::NoCall)?;
        let leg = call.legs.iter().find(|leg| leg.expected == nonce).map(|leg| leg.id);
        self.telephones.push(Telephone {
            role: Role::Whisper,
            leg,
            sid,
            doing: Doing::Rings(nonce),
            spent: Vec::new(),
        });
        self.hear(Role::Whisper, Heard::default()).await
    }

    /// A leg's status changes.
    pub async fn status(&mut self, role: Role, status: LegStatus) -> Result<(), Lapse> {
        let call = self.call_id()?;
        let telephone = self.telephone(role)?;
        let (leg, sid) = (telephone.leg, telephone.sid.clone());
        let leg = leg.ok_or(Lapse::NoLeg(role_name(role)))?;
        let event = |_: &Call| Some(Event::LegStatus { leg, sid: sid.clone(), status });
        self.exchange.tell(call, None, event).await?;
        if status.is_final()
            && let Some(telephone) = self.telephone_mut(role)
        {
            telephone.doing = Doing::Over;
        }
        Ok(())
    }

    /// The status of the message last sent.
    pub async fn message_status(&mut self, arrived: bool) -> Result<(), Lapse> {
        let call = self.call_id()?;
        // Nobody reports what becomes of a mail.
        let texts = |message: &Message| matches!(message.to, Contact::Mobile(_));
        let message = self.world.messages(call).into_iter().rfind(texts);
        let message = message.ok_or(Lapse::NoMessage)?;
        let effect = message.reference.effect;
        let event =
            if arrived { Event::Delivered { effect } } else { Event::Undelivered { effect } };
        self.exchange.tell(call, None, |_| Some(event.clone())).await?;
        Ok(())
    }

    /// The specialist asks that the caller prove a level.
    pub async fn step_up(&mut self, level: &str) -> Result<(), Lapse> {
        let call = self.call_id()?;
        let asked = self.exchange.ask_step_up(call, &level.into(), SPECIALIST).await?;
        match asked {
            None => Err(Lapse::NoCall),
            Some((Asking::New | Asking::Pending(_), _)) => Ok(()),
            Some((Asking::NoLevel, _)) => Err(Lapse::NotAsked("the flow has no such level")),
            Some((Asking::Busy, _)) => Err(Lapse::NotAsked("another one is being proved")),
            Some((Asking::NotThere, _)) => {
                Err(Lapse::NotAsked("they are in no conference with an `agent_step_up`"))
            }
        }
    }

    /// The last request, byte for byte.
    pub async fn again(&mut self) -> Result<Answered, Lapse> {
        let (request, first) = self.last.clone().ok_or(Lapse::NoRequest)?;
        let (reply, served) = self.exchange.serve(&request).await?;
        Ok(self.answered(first.role, request.call, reply, served))
    }

    /// What the last request was answered with.
    pub fn last_document(&self) -> Result<String, Lapse> {
        let (_, answered) = self.last.as_ref().ok_or(Lapse::NoRequest)?;
        Ok(answered.document.clone())
    }

    /// A leg's present prompt.
    pub async fn resume(&mut self, role: Role) -> Result<Answered, Lapse> {
        let telephone = self.telephone(role)?;
        let leg = telephone.leg.ok_or(Lapse::NoLeg(role_name(role)))?;
        let sid = telephone.sid.clone();
        self.request(role, sid, Wants::Resume(leg), Heard::default()).await
    }

    /// Time passes; what is due is done at its time.
    pub async fn wait(&mut self, duration: Duration) -> Result<Vec<Outgoing>, Lapse> {
        let mut outgoing = Vec::new();
        let mut left = duration;
        while !left.is_zero() {
            let step = left.min(STEP);
            left = left.saturating_sub(step);
            self.clock.advance(step);
            self.outbox.drain().await?;
            outgoing.extend(self.world.take_outgoing());
        }
        Ok(outgoing)
    }

    /// Does what is due, and returns what was asked of the carrier. Calls that were placed become ringing
    /// telephones.
    pub async fn settle(&mut self) -> Result<Vec<Outgoing>, Lapse> {
        self.outbox.drain().await?;
        Ok(self.world.take_outgoing())
    }

    /// Follows what was asked of the carrier: telephones ring or are hung up, and those that are redirected fetch
    /// their present prompt.
    pub async fn follow(&mut self, outgoing: &[Outgoing]) -> Result<Vec<Answered>, Lapse> {
        let call = self.call_id()?;
        let mut answers = Vec::new();
        for one in outgoing {
            match one {
                Outgoing::SendSms { .. }
                | Outgoing::SendEmail { .. }
                | Outgoing::LookUp { .. }
                | Outgoing::LookUpNumber { .. }
                | Outgoing::BeginVerification { .. }
                | Outgoing::CheckVerification { .. }
                | Outgoing::PlaceCall { refused: true, .. } => {}
                Outgoing::PlaceCall { .. } => {
                    let placed = self.world.last_placed(call);
                    self.telephones.extend(placed.map(|placed| Telephone {
                        role: Role::Callback,
                        leg: Some(placed.place.leg),
                        sid: placed.sid,
                        doing: Doing::Rings(placed.place.nonce),
                        spent: Vec::new(),
                    }));
                }
                Outgoing::RedirectLeg(_, sid) => {
                    if let Some(role) = self.role_of(sid) {
                        answers.push(self.resume(role).await?);
                    }
                }
                Outgoing::EndLeg(sid) => {
                    let ended = self.telephones.iter_mut().filter(|it| it.sid == *sid);
                    for telephone in ended {
                        telephone.doing = Doing::Over;
                    }
                }
            }
        }
        Ok(answers)
    }

    /// The role of the leg that has this name.
    pub fn role_of(&self, sid: &Sid) -> Option<Role> {
        let named = self.telephones.iter().find(|telephone| telephone.sid == *sid);
        named.map(|telephone| telephone.role)
    }

    fn telephone_mut(&mut self, role: Role) -> Option<&mut Telephone> {
        self.telephones.iter_mut().rfind(|telephone| telephone.role == role)
    }

    async fn request(
        &mut self,
        role: Role,
        sid: Sid,
        wants: Wants,
        heard: Heard,
    ) -> Result<Answered, Lapse> {
        let call = self.call_id()?;
        let request = Request { call, sid, wants, heard, fallback_number: None };
        let (reply, served) = self.exchange.serve(&request).await?;
        let answered = self.answered(role, call, reply, served);
        self.last = Some((request, answered.clone()));
        for audible in answered.reply.heard() {
            if let Audible::Say(speech) = audible {
                for words in &speech.words {
                    if let Words::Digits(code) = words {
                        self.said = Some(code.clone());
                    }
                }
            }
        }
        if let Some(telephone) = self.telephone_mut(role) {
            telephone.doing = Doing::after(&answered.reply, role);
        }
        Ok(answered)
    }

    fn answered(&self, role: Role, call: CallId, reply: Reply, served: Served) -> Answered {
        let document = twiml::render(&reply, &self.links, call);
        Answered { role, reply, served, document }
    }
}
