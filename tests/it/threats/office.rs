//! The exchange without HTTP in front of it: calls that ring, key and are looked into.

use std::sync::Arc;

use callgate::chance::SystemChance;
use callgate::clock::{Clock, VirtualClock};
use callgate::diagnostic::{Problems, Sources};
use callgate::directory::Directory;
use callgate::directory::accounts::{Accounts, Secrets};
use callgate::engine::event::{AnsweredBy, Heard, Ring};
use callgate::engine::id::{CallId, Sid};
use callgate::engine::policy::Policy;
use callgate::engine::question::{Answer, Verdict};
use callgate::engine::reply::{Audible, Reply, Verb, Words};
use callgate::exchange::{Exchange, ExchangeError, Parts, Request, Served, Wants};
use callgate::flow::condition::Attestation;
use callgate::flow::level::Fact;
use callgate::outbox::Outbox;
use callgate::phone::PhoneNumber;
use callgate::replay::world::World;
use callgate::secret::Secret;
use callgate::store::Store;
use callgate::store::envelope::Vault;
use callgate::store::memory::MemoryStore;

/// The flow of the end-to-end tests.
pub(crate) const DESK: &str = include_str!("../e2e/desk.toml");
/// The account that the flow is rung with.
pub(crate) const ACCOUNT: &str = "73195528";
/// Its PIN.
pub(crate) const PIN: &str = "860317";
/// Its mobile.
pub(crate) const MOBILE: &str = "+15005550010";
/// Where the virtual clock begins.
pub(crate) const START: &str = "2026-03-01T12:00:00Z";

/// An exchange with its outbox, over any store.
pub(crate) struct Office {
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) outbox: Arc<Outbox>,
    /// Everything that was sent and rung.
    pub(crate) world: Arc<World>,
}

/// One account, with a mobile on file since then.
pub(crate) fn account(id: &str, since: &str) -> String {
    format!(
        "[[accounts]]\nid = \"{id}\"\npin = \"{PIN}\"\n\
         phones = [{{ number = \"{MOBILE}\", line = \"mobile\", since = \"{since}\" }}]\n\
         [accounts.fields]\nfirst_name = \"Ada\"\nbalance = 1234.56\n"
    )
}

impl Office {
    pub(crate) fn over(store: Arc<dyn Store>) -> Self {
        Self::with(store, DESK, &account(ACCOUNT, "2024-01-01"))
    }

    /// Of each limit there is a test: here calls do not keep each other from the account.
    pub(crate) fn with(store: Arc<dyn Store>, flow: &str, accounts: &str) -> Self {
        let mut policy = Policy::default();
        policy.shared.parallel_auth_sessions_per_account = u32::MAX;
        Self::under(policy, store, flow, accounts)
    }

    pub(crate) fn under(policy: Policy, store: Arc<dyn Store>, flow: &str, accounts: &str) -> Self {
        let mut sources = Sources::default();
        sources.add("desk.toml", flow);
        Self::of(policy, store, &sources, accounts)
    }

    /// An office of several flows, of which `desk` is rung.
    pub(crate) fn of(
        policy: Policy,
        store: Arc<dyn Store>,
        sources: &Sources,
        accounts: &str,
    ) -> Self {
        let (flows, findings) = callgate::flow::read(sources);
        assert_eq!(findings, []);
        let problems = Problems::default();
        let hashed = accounts.contains("pin_hash");
        let secrets = if hashed { Secrets::Hashed } else { Secrets::Plain };
        let accounts = Accounts::read(&"accounts".into(), accounts, secrets, &problems);
        assert_eq!(problems.into_findings(), []);
        let clock = Arc::new(VirtualClock::at(START.parse().unwrap()));
        let (by_provider, looks_up) = (policy.otp.by_provider, policy.look_ups.asked);
        let exchange = Exchange::new(Parts {
            store,
            vault: Vault::new(&[7; 32]),
            directory: Arc::new(Directory::new(accounts)),
            clock: clock.clone(),
            chance: Arc::new(SystemChance),
            policy,
            flows,
        });
        let (world, exchange) = if by_provider {
            let world = Arc::new(World::with_codes_of(6));
            (world.clone(), exchange.verifying_with(world))
        } else {
            (Arc::new(World::default()), exchange)
        };
        let exchange = if looks_up { exchange.looking_up(world.clone(), false) } else { exchange };
        let exchange = Arc::new(exchange);
        let outbox = Outbox::new(exchange.clone(), world.clone(), Some(world.clone()));
        Self { exchange, clock, outbox, world }
    }

    pub(crate) fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    /// An office of its own, over a store that forgets.
    pub(crate) fn fresh(flow: &str, accounts: &str) -> Self {
        Self::with(Arc::new(MemoryStore::default()), flow, accounts)
    }

    /// A call that has rung.
    pub(crate) async fn ring(&self, sid: &str) -> Line {
        self.ring_from(sid, Some("+15005550777")).await
    }

    /// A call that has rung, and shows this number.
    pub(crate) async fn ring_from(&self, sid: &str, from: Option<&str>) -> Line {
        self.ring_at("+15005550006", sid, from).await
    }

    /// The same, on this line.
    pub(crate) async fn ring_at(&self, line: &str, sid: &str, from: Option<&str>) -> Line {
        let sid = Sid(sid.into());
        self.begin(Ring {
            signals: std::collections::BTreeSet::new(),
            call: CallId::of("AC1", &sid),
            sid,
            flow: "desk".into(),
            line: line.into(),
            from: from.and_then(PhoneNumber::parse),
            attestation: Attestation::None,
            forwarded: false,
        })
        .await
    }

    /// A call that has rung in just this way.
    pub(crate) async fn begin(&self, ring: Ring) -> Line {
        let (exchange, reply) = (self.exchange.clone(), Reply::default());
        let mut line = Line { exchange, call: ring.call, sid: ring.sid.clone(), reply };
        line.ask(Wants::Ring(Box::new(ring)), "").await;
        line
    }

    /// A call that has claimed the account, and waits for its PIN.
    pub(crate) async fn ring_to_pin(&self, sid: &str) -> Line {
        let mut line = self.ring(sid).await;
        line.key(ACCOUNT).await;
        line
    }

    /// A call that has claimed the account and keyed its PIN in.
    pub(crate) async fn ring_to_menu(&self, sid: &str) -> Line {
        let mut line = self.ring_to_pin(sid).await;
        line.key(PIN).await;
        line
    }

    /// The leg placed last for a call, which has answered as `answered_by` says.
    pub(crate) async fn answer(&self, call: CallId, answered_by: AnsweredBy) -> Line {
        self.outbox.drain().await.unwrap();
        let placed = self.world.last_placed(call).unwrap();
        let (exchange, reply) = (self.exchange.clone(), Reply::default());
        let mut leg = Line { exchange, call, sid: placed.sid, reply };
        let heard = Heard { answered_by: Some(answered_by), ..Heard::default() };
        leg.tell(Wants::Turn(placed.place.nonce), heard).await;
        leg
    }

    /// The code in the message sent last for a call.
    pub(crate) async fn code(&self, call: CallId) -> String {
        self.outbox.drain().await.unwrap();
        let messages = self.world.messages(call);
        longest_number(messages.last().unwrap().body.expose())
    }

    /// What was proved in a call, and is so still.
    pub(crate) async fn facts(&self, call: CallId) -> Vec<Fact> {
        let loaded = self.exchange.load(call).await.unwrap().unwrap();
        loaded.call.facts.0.keys().copied().collect()
    }

    /// How often an entry of a call was looked at (right or wrong), and how often it was not.
    pub(crate) async fn looked_at(&self, call: CallId) -> (usize, usize) {
        let journal = self.exchange.journal(call).await.unwrap();
        let verdicts: Vec<_> =
            journal.iter().flat_map(|entry| &entry.answers).filter_map(Answer::verdict).collect();
        let refused = verdicts.iter().filter(|verdict| **verdict == Verdict::Locked).count();
        (verdicts.len() - refused, refused)
    }
}

/// A policy that keeps nobody from trying: whatever is refused under it is refused for itself.
pub(crate) fn boundless() -> Policy {
    const MANY: u32 = 100_000;
    let mut policy = Policy::default();
    let (otp, pin) = (&mut policy.otp, &mut policy.pin);
    (otp.checks, pin.per_call, policy.shared.identifications_per_call) =
        (u8::MAX, u8::MAX, u8::MAX);
    for bound in [
        &mut otp.sends_per_10min,
        &mut otp.sends_per_day,
        &mut pin.soft_limit,
        &mut pin.hard_cap,
        &mut pin.hard_cap_short,
        &mut pin.year_budget,
        &mut policy.shared.all_factor_failures_24h,
        &mut policy.shared.accounts_per_ani_h,
        &mut policy.shared.accounts_per_ani_prefix_h,
        &mut policy.shared.accounts_withheld_per_line_h,
        &mut policy.shared.accounts_per_secret_day,
        &mut policy.shared.parallel_auth_sessions_per_account,
        &mut policy.callback.per_account_h,
        &mut policy.service_code.failures,
        &mut policy.sends.per_prefix_h,
        &mut policy.sends.total_h,
        &mut policy.sends.entered_of_min,
        &mut policy.notices.failures,
    ] {
        *bound = MANY;
    }
    policy
}

/// The longest run of digits in a text: the code of a message.
pub(crate) fn longest_number(text: &str) -> String {
    let runs = text.split(|c: char| !c.is_ascii_digit());
    runs.max_by_key(|run| run.len()).unwrap().to_owned()
}

/// Another code than this one, as long.
pub(crate) fn other_than(code: &str) -> String {
    let shift = |digit: char| char::from_digit((digit.to_digit(10).unwrap() + 1) % 10, 10).unwrap();
    code.chars().map(shift).collect()
}

/// One leg of a call: the inbound one, or one that was placed.
pub(crate) struct Line {
    exchange: Arc<Exchange>,
    pub(crate) call: CallId,
    pub(crate) sid: Sid,
    pub(crate) reply: Reply,
}

impl Line {
    /// The same leg, to ask the same at the same time.
    pub(crate) fn copy_at(&self, office: &Office) -> Self {
        let (exchange, sid) = (office.exchange.clone(), self.sid.clone());
        Self { exchange, call: self.call, sid, reply: self.reply.clone() }
    }

    /// What the next request of the leg asks for.
    pub(crate) fn next(&self) -> Wants {
        let nonce = self.reply.verbs.iter().find_map(|verb| match verb {
            Verb::Gather(gather) => Some(gather.action),
            Verb::Redirect(nonce) => Some(*nonce),
            _ => None,
        });
        Wants::Turn(nonce.unwrap_or_else(|| panic!("{:?} carries nobody on", self.reply)))
    }

    pub(crate) async fn ask(&mut self, wants: Wants, digits: &str) -> Served {
        let heard = Heard { digits: Secret::new(digits), ..Heard::default() };
        self.tell(wants, heard).await
    }

    pub(crate) async fn tell(&mut self, wants: Wants, heard: Heard) -> Served {
        self.try_tell(wants, heard).await.unwrap()
    }

    async fn try_tell(&mut self, wants: Wants, heard: Heard) -> Result<Served, ExchangeError> {
        let (call, sid) = (self.call, self.sid.clone());
        let request = Request { call, sid, wants, heard, fallback_number: None };
        let (reply, served) = self.exchange.serve(&request).await?;
        self.reply = reply;
        Ok(served)
    }

    /// Keys in a secret until there is a place for it in the queue of those that are looked at.
    pub(crate) async fn key_until_there_is_room(&mut self, digits: &str) {
        loop {
            let heard = Heard { digits: Secret::new(digits), ..Heard::default() };
            match self.try_tell(self.next(), heard).await {
                Ok(_) => return,
                Err(ExchangeError::Crowded) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub(crate) async fn key(&mut self, digits: &str) -> Served {
        self.ask(self.next(), digits).await
    }

    /// The code spoken in the last answer.
    pub(crate) fn spoken_code(&self) -> String {
        let words = self.reply.heard().find_map(|audible| match audible {
            Audible::Say(speech) => speech.words.iter().find_map(|words| match words {
                Words::Digits(code) => Some(code.expose().to_owned()),
                Words::Text(_) => None,
            }),
            _ => None,
        });
        words.unwrap()
    }

    /// Everything spoken in the last answer.
    pub(crate) fn spoken(&self) -> String {
        let said = self.reply.heard().filter_map(|audible| match audible {
            Audible::Say(speech) => Some(speech.text()),
            _ => None,
        });
        said.collect::<Vec<_>>().join(" ")
    }
}
