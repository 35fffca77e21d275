//! One run: a storm of so many minutes, then calm, then everything must be over and well.

use std::rc::Rc;
use std::time::Duration;

use callgate::audit;
use callgate::engine::id::{CallId, Sid};
use callgate::limits::CALL_DURATION_MAX;
use callgate::store::envelope::Vault;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep};

use super::oracle::{Tally, Who};
use super::person::Person;
use super::planted::Plant;
use super::server::Server;
use super::telco::Job;
use super::telephone::{Fetch, Telephone};
use super::town::Town;
use super::world::{LINKS, World, path_of};
use crate::support::provider::ACCOUNT_SID;

/// Customers of a run.
const CUSTOMERS: usize = 4;
/// How long things go wrong.
const STORM: Duration = Duration::from_secs(200);
/// By then every telephone has been put down.
const CALLS_MAX: Duration = Duration::from_mins(40);

/// What came of a run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) violations: Vec<String>,
    pub(crate) tally: Tally,
    /// The end of the story, and a hash of all of it.
    pub(crate) trace: (Vec<String>, u64),
}

/// Runs a seed.
pub(crate) fn run(seed: u64, plant: Option<Plant>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, story(seed, plant))
}

async fn story(seed: u64, plant: Option<Plant>) -> Outcome {
    let (world, jobs) = World::new(seed, CUSTOMERS, plant);
    let town = Town::new(world.clone());
    for _ in 0..2 + world.dice.below(2) {
        let server = Server::start(&world).await;
        town.servers.borrow_mut().push(Some(server));
    }
    spawn_local(switchboard(town.clone(), jobs));
    // The one whom attackers say they are.
    let victim = world.dice.index(CUSTOMERS);
    customers(&town, victim);
    attackers(&town, victim);
    spawn_local(replays(town.clone()));
    // Only in some runs does the store forget: in the others nothing is excused by it.
    storm(&town, seed % 2 == 1).await;
    world.calm_down();
    world.oracle.note("it is calm".into());
    let servers = town.servers.borrow().len();
    for n in 0..servers {
        start(&town, n).await;
    }
    let until = Instant::now() + CALLS_MAX;
    while town.up.get() > 0 && Instant::now() < until && world.oracle.violations().is_empty() {
        sleep(Duration::from_secs(10)).await;
    }
    if town.up.get() > 0 {
        world.oracle.violated("a telephone is up for ever".into());
    }
    // Longer than a lease and any wait between two tries.
    sleep(Duration::from_secs(75)).await;
    tokio::time::advance(CALL_DURATION_MAX).await;
    sleep(Duration::from_secs(75)).await;
    world.oracle.is_over(&world).await;
    verify_audit(&world).await;
    let oracle = &world.oracle;
    Outcome { violations: oracle.violations(), tally: oracle.tally(), trace: oracle.trace() }
}

/// Nothing was taken out of the audit; a store that forgets may have.
async fn verify_audit(world: &World) {
    let vault = Vault::new(&[7; 32]);
    let report = audit::verify::verify(world.ground.as_ref(), &vault, world.now()).await.unwrap();
    if world.oracle.tally().fail_overs == 0 && !report.faults.is_empty() {
        world.oracle.violated(format!("the audit has faults: {:?}", report.faults));
    }
}

/// Servers die and are started again, and the store with them.
async fn storm(town: &Rc<Town>, forgets: bool) {
    let world = &town.world;
    let until = Instant::now() + STORM;
    while Instant::now() < until && world.oracle.violations().is_empty() {
        sleep(world.lull().min(until - Instant::now())).await;
        let servers = town.servers.borrow().len();
        let n = world.dice.index(servers);
        match world.dice.below(10) {
            0..5 => {
                kill(town, n);
                sleep(world.dice.ms(10, 6_000)).await;
                start(town, n).await;
            }
            5 => stop(town, n).await,
            6..8 => world.put_out(world.dice.ms(100, 8_000)),
            8.. if forgets => {
                world.put_out(world.dice.ms(100, 3_000));
                world.fail_over().await;
            }
            _ => {}
        }
    }
}

fn kill(town: &Town, n: usize) {
    if let Some(server) = town.servers.borrow_mut()[n].take() {
        server.kill();
        town.world.oracle.crashed();
        town.world.oracle.note(format!("{} server {n} dies", town.world.now()));
    }
}

async fn start(town: &Town, n: usize) {
    if town.servers.borrow()[n].is_none() {
        let server = Server::start(&town.world).await;
        town.servers.borrow_mut()[n] = Some(server);
        town.world.oracle.note(format!("{} server {n} is up", town.world.now()));
    }
}

/// A server is told to end, and another takes its place.
async fn stop(town: &Town, n: usize) {
    let server = town.servers.borrow_mut()[n].take();
    start(town, n).await;
    if let Some(server) = server {
        // What it has begun may take longer than anybody waits.
        spawn_local(async move {
            sleep(Duration::from_secs(10)).await;
            server.stop().await;
        });
    }
}

fn customers(town: &Rc<Town>, victim: usize) {
    let dice = &town.world.dice;
    for n in 0..CUSTOMERS {
        let calls = if n == victim { dice.below(2) } else { 1 + dice.below(3) };
        for _ in 0..calls {
            let person = Person {
                who: Who::Customer(n),
                account: n,
                goal: if dice.falls(500) { 1 } else { dice.below(4) },
                clumsy: if dice.falls(400) { 150 } else { 0 },
                in_step: false,
            };
            let own = town.world.customers[n].phone.clone();
            let number = if dice.falls(500) { own } else { "+15005550777".to_owned() };
            let leaves = dice.falls(250).then(|| dice.ms(2_000, 90_000));
            let after = dice.ms(0, 120_000);
            spawn_local(ring(town.clone(), person, number, after, leaves));
        }
    }
}

fn attackers(town: &Rc<Town>, victim: usize) {
    let dice = &town.world.dice;
    let together = dice.ms(0, 120_000);
    // Guesses of machines come within milliseconds of each other.
    let in_step = dice.falls(500);
    for n in 0..4 + dice.below(8) {
        let person = Person {
            who: Who::Attacker,
            account: victim,
            // Payments ask for the PIN alone.
            goal: if dice.falls(700) { 2 } else { 1 + dice.below(3) },
            clumsy: if in_step { 0 } else { 30 },
            in_step,
        };
        let after = together + dice.ms(0, if in_step { 20 } else { 3_000 });
        spawn_local(ring(town.clone(), person, format!("+1500555{:04}", 600 + n), after, None));
    }
}

/// Somebody rings.
async fn ring(
    town: Rc<Town>,
    person: Person,
    number: String,
    after: Duration,
    leaves: Option<Duration>,
) {
    town.up.set(town.up.get() + 1);
    sleep(after).await;
    let (sid, told) = town.world.telco.leg();
    let call = CallId::of(ACCOUNT_SID, &sid);
    town.world.oracle.owned(&sid, person.who);
    let began = Instant::now();
    let leaves = leaves.map(|leaves| began + leaves);
    let telephone = Telephone {
        town: town.clone(),
        sid,
        call,
        number,
        rang_us: true,
        person,
        told,
        leaves,
        began,
    };
    let over = telephone.request("/twilio/status", "completed", &[]);
    telephone.talk(Fetch::plain("/twilio/voice".into())).await;
    town.report(&over, Duration::ZERO);
    town.up.set(town.up.get() - 1);
}

/// Does what the provider has taken on.
async fn switchboard(town: Rc<Town>, mut jobs: UnboundedReceiver<Job>) {
    while let Some(job) = jobs.recv().await {
        match job {
            Job::Ring { .. } => {
                spawn_local(rung(town.clone(), job));
            }
            Job::Report { call, effect, sid, status, after } => {
                let telephone = nobody(&town, call);
                let path = path_of(&LINKS.message(call, effect));
                let more = [("MessageSid", sid), ("MessageStatus", status.to_owned())];
                town.report(&telephone.request(&path, "", &more), after);
            }
        }
    }
}

/// A telephone for requests that are no telephone's.
fn nobody(town: &Rc<Town>, call: CallId) -> Telephone {
    let person = Person { who: Who::Attacker, account: 0, goal: 0, clumsy: 0, in_step: false };
    Telephone {
        town: town.clone(),
        sid: Sid("CA0".into()),
        call,
        number: "+15005550006".into(),
        rang_us: true,
        person,
        told: tokio::sync::mpsc::unbounded_channel().1,
        leaves: None,
        began: Instant::now(),
    }
}

/// Somebody is rung, and answers or does not.
async fn rung(town: Rc<Town>, job: Job) {
    let Job::Ring { sid, call, effect, nonce, to } = job else { return };
    town.up.set(town.up.get() + 1);
    let dice = &town.world.dice;
    let n = town.world.customers.iter().position(|it| it.phone == to).unwrap();
    let who = Who::Customer(n);
    town.world.oracle.owned(&sid, who);
    let told = town.world.telco.connect(&sid);
    let person = Person { who, account: n, goal: 0, clumsy: 50, in_step: false };
    let began = Instant::now();
    let leaves = Some(began + dice.ms(60_000, 180_000));
    let telephone = Telephone {
        town: town.clone(),
        sid: sid.clone(),
        call,
        number: to,
        rang_us: false,
        person,
        told,
        leaves,
        began,
    };
    let path = path_of(&LINKS.status(call, effect));
    let request = |status: &str| telephone.request(&path, status, &[]);
    let reports =
        ["initiated", "ringing", "in-progress", "busy", "no-answer", "failed", "completed"];
    let [initiated, ringing, answered, busy, no_answer, failed, completed] = reports.map(request);
    let late = if town.world.fails(300) { dice.ms(5_000, 20_000) } else { Duration::ZERO };
    town.report(&initiated, late + dice.ms(0, 800));
    town.report(&ringing, late + dice.ms(300, 1_500));
    sleep(dice.ms(1_500, 24_000)).await;
    let over = match dice.below(10) {
        0 => busy,
        1 => no_answer,
        2 if !town.world.is_calm() => failed,
        fate => {
            let by = if fate == 3 { "machine_start" } else { "human" };
            town.report(&answered, Duration::ZERO);
            let first = Fetch {
                path: path_of(&LINKS.leg(call, nonce)),
                fields: vec![("AnsweredBy", by.to_owned())],
            };
            telephone.talk(first).await;
            completed
        }
    };
    town.world.telco.disconnect(&sid);
    town.report(&over, Duration::ZERO);
    town.up.set(town.up.get() - 1);
}

/// Somebody sends again what they have seen go by.
async fn replays(town: Rc<Town>) {
    while !town.world.is_calm() {
        sleep(town.world.dice.ms(500, 8_000)).await;
        let seen = {
            let seen = town.seen.borrow();
            (!seen.is_empty()).then(|| seen[town.world.dice.index(seen.len())].clone())
        };
        if let Some(seen) = seen {
            town.ask(&super::town::Request { own: false, ..seen }).await;
        }
    }
}
