//! Everything that is in a run, as far as servers may share it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use callgate::chance::SeededChance;
use callgate::clock::Clock;
use callgate::diagnostic::{Problems, Sources};
use callgate::directory::Directory;
use callgate::directory::accounts::{Accounts, Secrets};
use callgate::engine::id::{CallId, EffectId};
use callgate::engine::policy::{LookUps, Otp, Policy};
use callgate::exchange::{Exchange, Parts};
use callgate::flow::FlowSet;
use callgate::store::envelope::Vault;
use callgate::store::{Commit, Store};
use callgate::twiml::links::Links;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::dice::Dice;
use super::ground::Ground;
use super::oracle::{Committed, Oracle};
use super::others::Others;
use super::planted::Plant;
use super::telco::{Job, Telco};

pub(crate) const PUBLIC_URL: &str = "https://ivr.example.com";
pub(crate) const LINE: &str = "+15005550006";
/// When every run begins: a Wednesday.
const EPOCH_S: i64 = 1_795_600_800;

/// Addresses of ours.
pub(crate) static LINKS: LazyLock<Links> = LazyLock::new(|| Links::new(PUBLIC_URL));

/// The path of an address of ours.
pub(crate) fn path_of(url: &str) -> String {
    url.strip_prefix(PUBLIC_URL).unwrap().to_owned()
}

/// The shipped flows of a bank.
static FLOWS: LazyLock<FlowSet> = LazyLock::new(|| {
    let mut sources = Sources::default();
    sources.add("bank.toml", include_str!("../../flows/bank.toml"));
    sources.add("verify.toml", include_str!("../../flows/verify.toml"));
    let (flows, findings) = callgate::flow::read(&sources);
    assert_eq!(findings, []);
    flows
});

/// Somebody with an account.
#[derive(Clone, Debug)]
pub(crate) struct Customer {
    pub(crate) id: String,
    pub(crate) pin: String,
    pub(crate) phone: String,
    /// Whether it takes messages; if not, it is rung.
    pub(crate) is_mobile: bool,
    /// How the balance is said.
    pub(crate) balance: String,
    /// Whether networks say that somebody else may hold the telephone by now.
    pub(crate) swapped: bool,
}

/// The world.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) plant: Option<Plant>,
    pub(crate) dice: Dice,
    pub(crate) ground: Arc<Ground>,
    pub(crate) oracle: Oracle,
    pub(crate) telco: Telco,
    pub(crate) others: Others,
    pub(crate) customers: Vec<Customer>,
    /// An exchange that sees what is true, and changes nothing.
    pub(crate) watcher: Exchange,
    /// Whether the provider makes, sends and checks the codes of text messages.
    pub(crate) codes_by_provider: bool,
    /// Whether numbers are looked up before they are used.
    pub(crate) looks_up: bool,
    began: Instant,
    /// How often, in a hundred, it is as bad as it can be.
    rough: u64,
    calm: AtomicBool,
    calm_since: Mutex<Option<Instant>>,
    /// Until when the store is out.
    out_until: Mutex<Instant>,
}

/// The time on a server, which differs a little from that on others.
#[derive(Debug)]
pub(crate) struct WorldClock {
    began: Instant,
    ahead: Duration,
}

impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        let since = SignedDuration::try_from(self.began.elapsed() + self.ahead).unwrap();
        Timestamp::from_second(EPOCH_S).unwrap().checked_add(since).unwrap()
    }
}

impl World {
    /// A world of this seed; it is stormy until [`World::calm_down`].
    pub(crate) fn new(
        seed: u64,
        customers: usize,
        plant: Option<Plant>,
    ) -> (Arc<Self>, UnboundedReceiver<Job>) {
        let (telco, jobs) = Telco::new();
        let dice = Dice::new(seed);
        let rough = 5 + dice.below(60);
        let (codes_by_provider, looks_up) = (seed % 3 == 2, seed % 4 == 1);
        let customer = |n: usize| Customer {
            id: format!("7319{n:04}"),
            pin: dice.digits(6),
            phone: format!("+1500555{:04}", 100 + n),
            is_mobile: n.is_multiple_of(2),
            balance: format!("{} dollars", 101 + n),
            swapped: looks_up && n == 2,
        };
        let customers: Vec<_> = (0..customers).map(customer).collect();
        let ground = Arc::new(Ground::new(plant));
        let began = Instant::now();
        let watcher = Exchange::new(parts(
            ground.clone(),
            Arc::new(WorldClock { began, ahead: Duration::ZERO }),
            seed,
            directory(&customers, None),
            policy(codes_by_provider, looks_up),
        ));
        let world = Self {
            plant,
            dice,
            ground,
            oracle: Oracle::default(),
            telco,
            others: Others::default(),
            customers,
            watcher,
            codes_by_provider,
            looks_up,
            began,
            rough,
            calm: AtomicBool::new(false),
            calm_since: Mutex::default(),
            out_until: Mutex::new(began),
        };
        (Arc::new(world), jobs)
    }

    /// What a server is made of.
    pub(crate) fn parts(&self, store: Arc<dyn Store>) -> Parts {
        let ahead = self.dice.ms(0, 1_500);
        let clock = WorldClock { began: self.began, ahead };
        let directory = directory(&self.customers, self.plant);
        let policy = policy(self.codes_by_provider, self.looks_up);
        parts(store, Arc::new(clock), self.dice.any(), directory, policy)
    }

    pub(crate) fn now(&self) -> Timestamp {
        WorldClock { began: self.began, ahead: Duration::ZERO }.now()
    }

    /// Whether something goes wrong now that goes wrong so often in a thousand when it is rough.
    pub(crate) fn fails(&self, in_thousand: u64) -> bool {
        self.gusts() && self.dice.falls(in_thousand)
    }

    /// Whether it is rough at this moment.
    pub(crate) fn gusts(&self) -> bool {
        !self.is_calm() && self.dice.falls(self.rough * 10)
    }

    /// The time until the next disaster.
    pub(crate) fn lull(&self) -> Duration {
        self.dice.ms(100_000, 1_500_000) / u32::try_from(self.rough).unwrap()
    }

    /// Whether nothing goes wrong any more.
    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// Whether it has been calm since some time before this.
    pub(crate) fn was_calm(&self, at: Instant) -> bool {
        let since = *self.calm_since.lock().unwrap();
        since.is_some_and(|since| at > since + Duration::from_secs(15))
    }

    pub(crate) fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
        *self.calm_since.lock().unwrap() = Some(Instant::now());
    }

    /// The store does not answer for a while.
    pub(crate) fn put_out(&self, time: Duration) {
        *self.out_until.lock().unwrap() = Instant::now() + time;
    }

    pub(crate) fn is_out(&self) -> bool {
        Instant::now() < *self.out_until.lock().unwrap()
    }

    /// A turn was taken.
    pub(crate) async fn committed(&self, commit: &Commit) {
        let call = self.watcher.load(commit.call).await.unwrap().unwrap().call;
        let entry = self.watcher.journal(commit.call).await.unwrap().pop().unwrap();
        let effects = commit.effects.iter().map(|effect| {
            (effect.id, self.watcher.open_effect(effect.id, &effect.body).unwrap().effect)
        });
        let effects = effects.collect();
        let expected = commit.expected.map(|version| version.turn);
        let settled = commit.settled.clone();
        self.oracle.committed(self, Committed { call, entry, effects, settled, expected });
    }

    /// An effect was let go of.
    pub(crate) async fn settled(&self, call: CallId, effect: EffectId) {
        let loaded = self.watcher.load(call).await.unwrap();
        self.oracle.settled(self, loaded.map(|loaded| loaded.call).as_ref(), effect);
    }

    /// The store forgets its last writes, as one does whose primary dies.
    pub(crate) async fn fail_over(&self) {
        let count = 1 + self.dice.index(6);
        let half = self.dice.falls(500).then(|| u8::from(self.dice.falls(500)));
        let lost = self.ground.fail_over(count, half);
        let mut heads = Vec::new();
        for call in self.oracle.calls() {
            heads.push((call, self.ground.load(call).await.unwrap().map(|it| it.version.turn)));
        }
        self.oracle.failed_over(lost.len(), heads);
    }
}

fn directory(customers: &[Customer], plant: Option<Plant>) -> Directory {
    let account = |customer: &Customer| {
        let Customer { id, pin, phone, is_mobile, balance, .. } = customer;
        let line = if *is_mobile { "mobile" } else { "landline" };
        let pin = if plant == Some(Plant::TakesAnotherPin) { WRONG_PIN } else { pin };
        let balance = balance.trim_end_matches(" dollars");
        format!(
            "[[accounts]]\nid = \"{id}\"\npin = \"{pin}\"\n\
             phones = [{{ number = \"{phone}\", line = \"{line}\", since = \"2024-01-01\" }}]\n\
             email = {{ address = \"{id}@example.com\", since = \"2024-01-01\" }}\n\
             fields = {{ first_name = \"Ada\", balance = {balance}.00, last_payment = \"2026-11-02\" }}\n"
        )
    };
    let text: String = customers.iter().map(account).collect();
    let problems = Problems::default();
    let accounts = Accounts::read(&"accounts".into(), &text, Secrets::Plain, &problems);
    assert_eq!(problems.into_findings(), []);
    Directory::new(accounts)
}

/// A PIN that is nobody's: what attackers try first.
pub(crate) const WRONG_PIN: &str = "111222";

fn policy(codes_by_provider: bool, looks_up: bool) -> Policy {
    Policy {
        otp: Otp { by_provider: codes_by_provider, ..Otp::default() },
        look_ups: LookUps { asked: looks_up, unknown_may: false },
        ..Policy::default()
    }
}

fn parts(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    seed: u64,
    directory: Directory,
    policy: Policy,
) -> Parts {
    Parts {
        store,
        vault: Vault::new(&[7; 32]),
        directory: Arc::new(directory),
        clock,
        chance: Arc::new(SeededChance::new(seed)),
        policy,
        flows: FLOWS.clone(),
    }
}
