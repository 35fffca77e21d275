//! Odds: what guessing is worth against a flow, what it takes to lock a customer out, and what a
//! customer has to do to get in.
//!
//! Every chance is a bound from above: a guesser has each limit to the full, gets the most out of
//! every factor, and ways that exclude each other are added up. What is taken for granted is listed in
//! [`Odds::assumptions`].

mod attempts;
mod behind;
mod budget;
mod chance;
mod demand;
mod effort;
pub mod words;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Subject;
use super::proof::{Trail, Walks, deeds};
use super::subject::Walk;
use crate::engine::policy::Policy;
use crate::flow::FlowSet;
use crate::flow::level::{Fact, Formula};
use crate::flow::name::{FlowName, StateName};
use crate::flow::state::Kind;
use crate::limits;
use demand::Demand;

pub use super::proof::Told;
pub use crate::flow::budget::Pins;
pub use attempts::{Guesses, Lockout, Siege};
pub use budget::Over;
pub(super) use budget::over;
pub use demand::{Ask, Otherwise, Proofs, What};
pub use effort::{Effort, Way};

/// What the odds are asked for.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The limits.
    pub policy: Policy,
    /// How hard somebody tries.
    pub siege: Siege,
    /// How many digits a PIN has; `None`: as the flow says, and four where it does not say.
    pub pin_digits: Option<u32>,
}

/// What guessing is worth.
#[derive(Clone, Debug)]
pub struct Odds {
    /// The flow in which calls begin.
    pub flow: FlowName,
    /// How hard somebody tries.
    pub siege: Siege,
    /// How many digits a PIN has.
    pub pin_digits: u32,
    /// The guesses that the limits leave, by factor.
    pub guesses: BTreeMap<Fact, Guesses>,
    /// Every state that asks for something.
    pub states: Vec<StateOdds>,
    /// The branches that ask about a fact or a level.
    pub branches: Vec<(FlowName, StateName)>,
    /// What keeps a customer out, by factor.
    pub lockouts: Vec<FactorLockout>,
    /// What is taken for granted.
    pub assumptions: Vec<String>,
}

/// What guessing is worth at one state.
#[derive(Clone, Debug)]
pub struct StateOdds {
    /// Where.
    pub at: (FlowName, StateName),
    /// Its type.
    pub type_name: &'static str,
    /// The levels it asks for.
    pub asks: Vec<Ask>,
    /// The branch that leads there only those who have proved something, where it asks for nothing itself.
    pub behind: Option<(FlowName, StateName)>,
    /// What these levels ask for, in words.
    pub demand: String,
    /// What becomes of who has not proved it.
    pub otherwise: Otherwise,
    /// The proofs that are enough, each set by a way that the flow has.
    pub ways: Vec<WayIn>,
    /// The chances, by where PINs come from; one alone where no PIN helps.
    pub chances: Vec<(Option<Pins>, Chances)>,
    /// What a customer has to do; `None`: none gets there with the proof.
    pub effort: Option<Efforts>,
}

/// Proofs that are enough, and a shortest way to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayIn {
    /// In the order in which that way makes them.
    pub proofs: Vec<Fact>,
    /// What a customer does on it, step by step.
    pub script: Vec<String>,
    /// A code from the web does among them that came from a session with one factor.
    pub one_factor_code: bool,
}

/// Chances by where PINs come from.
type ChancesBy = Vec<(Option<Pins>, Chances)>;

/// The best chances of somebody who guesses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chances {
    /// In one call to one account.
    pub call: f64,
    /// In a day at one account.
    pub day: f64,
    /// In a year at one account.
    pub year: f64,
    /// Accounts opened in a year, if all that are known are tried.
    pub opened: f64,
    /// The chance that at least one is.
    pub any: f64,
}

/// What a customer has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Efforts {
    /// On the middle one of the ways, right at once.
    pub median: Effort,
    /// On the longest, right at the last try each time.
    pub worst: Effort,
}

/// What keeps a customer out of a factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactorLockout {
    /// Of this factor.
    pub factor: Fact,
    /// What must be proved before one can try it at all: nothing, if an account number is enough.
    pub before: Vec<Proofs>,
    /// What it takes.
    pub lockout: Lockout,
}

/// Why there are no odds to tell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoOdds {
    /// There is no such flow, or it is there for others to call.
    #[error("no call begins in `{0}`: other flows call it; name one of them")]
    NoCall(String),
    /// More states ask for something than anybody reads about.
    #[error(
        "{0} states ask for something, and of more than {max} the odds are not told one by one; \
         `[budget]` in the flow lets `check` hold all of them to a bound",
        max = limits::ODDS_STATES_MAX
    )]
    TooMany(usize),
}

/// The odds of calls that begin in this flow.
pub fn odds(flows: &FlowSet, start: &str, terms: &Terms) -> Result<Odds, NoOdds> {
    let told = |flows: &FlowSet, walks: &Walks<'_>| match demand::demands(
        walks,
        &demand::brought(walks),
    ) {
        many if many.len() > limits::ODDS_STATES_MAX => Err(NoOdds::TooMany(many.len())),
        demands => Ok(of(flows, walks, &demands, terms)),
    };
    of_calls(flows, start, told).unwrap_or_else(|| Err(NoOdds::NoCall(start.to_owned())))
}

/// The best chance of a guesser at any state of the calls that begin in this flow, wherever PINs come from, and what is
/// over the flow's budget. `None`: no call begins there, or none of its states asks for a proof.
pub fn best(flows: &FlowSet, start: &str, terms: &Terms) -> (Option<Chances>, Vec<Over>) {
    let told = |flows: &FlowSet, walks: &Walks<'_>| {
        (best_of(chances_of(flows, walks, terms)), over(flows, walks, terms))
    };
    of_calls(flows, start, told).unwrap_or_default()
}

fn best_of(states: Vec<(budget::Opened, ChancesBy)>) -> Option<Chances> {
    let all = states.into_iter().flat_map(|(_, chances)| chances);
    all.map(|(_, chances)| chances).reduce(|best, other| Chances {
        call: best.call.max(other.call),
        day: best.day.max(other.day),
        year: best.year.max(other.year),
        opened: best.opened.max(other.opened),
        any: best.any.max(other.any),
    })
}

fn of_calls<T>(
    flows: &FlowSet,
    start: &str,
    told: impl FnOnce(&FlowSet, &Walks<'_>) -> T,
) -> Option<T> {
    let flows = flows.closure(start)?;
    let subject = Subject::new(&flows);
    // A flow that is there to be called has no odds of its own: its callers have.
    let walks = subject.proofs.iter().find(|walks| walks.start.name.as_str() == start)?;
    if subject.walks.get(&walks.start.name).is_none_or(Walk::is_sub_flow) {
        return None;
    }
    Some(told(&flows, walks))
}

/// The odds of the calls of these walks.
fn of(flows: &FlowSet, walks: &Walks<'_>, demands: &[Demand<'_>], terms: &Terms) -> Odds {
    let verified = verified(flows);
    let scale = Scale::of_flows(flows, terms);
    let tries = scale.tries;
    let brought = demand::brought(walks);
    let none = BTreeSet::new();
    let mut trails: HashMap<_, Vec<_>> = HashMap::new();
    for trail in walks.trails() {
        trails.entry((&trail.flow.name, &trail.state.name)).or_default().push(trail);
    }
    let states = demands.iter().map(|demand| {
        let at = (demand.flow.name.clone(), demand.state.name.clone());
        let enough = demand::enough(&demand.formula, brought.get(&at).unwrap_or(&none));
        let here = trails.get(&(&at.0, &at.1)).map(Vec::as_slice).unwrap_or_default();
        StateOdds {
            type_name: demand.state.type_name(),
            asks: demand.asks.clone(),
            behind: demand.behind.clone().map(|(branch, _)| branch),
            demand: demand.words(),
            otherwise: demand.otherwise,
            chances: scale.chances(&enough),
            effort: efforts(walks, here, &enough, &terms.policy),
            ways: enough
                .iter()
                .map(|proofs| way_in(walks, here, proofs, &demand.formula))
                .collect(),
            at,
        }
    });
    let states = states.collect();
    let lockouts = verified.iter().map(|(factor, states)| FactorLockout {
        factor: *factor,
        before: before(states, &brought),
        lockout: attempts::lockout(
            *factor,
            &limits_of(*factor, &terms.policy, scale.pin_digits),
            scale.guesses.get(factor).map_or(1, |guesses| guesses.call),
            tries,
        ),
    });
    Odds {
        flow: walks.start.name.clone(),
        siege: terms.siege.clone(),
        pin_digits: scale.pin_digits,
        states,
        branches: behind::branches(walks),
        lockouts: lockouts.collect(),
        assumptions: scale.assumptions(),
        guesses: scale.guesses,
    }
}

/// Whether anything asks for a level in the calls of these walks.
pub(super) fn asks_for_proof(walks: &Walks<'_>) -> bool {
    !demand::demands(walks, &demand::brought(walks)).is_empty()
}

/// The best chances at each state of the calls of these walks, and nothing else.
fn chances_of(
    flows: &FlowSet,
    walks: &Walks<'_>,
    terms: &Terms,
) -> Vec<(budget::Opened, ChancesBy)> {
    let scale = Scale::of_flows(flows, terms);
    let brought = demand::brought(walks);
    let none = BTreeSet::new();
    let mut known = BTreeMap::new();
    let states = demand::demands(walks, &brought).into_iter().map(|demand| {
        let at = (demand.flow.name.clone(), demand.state.name.clone());
        let enough = demand::enough(&demand.formula, brought.get(&at).unwrap_or(&none));
        // Many states ask for the same.
        let chances = known.entry(enough).or_insert_with_key(|enough| scale.chances(enough));
        let vouched = demand.asks.iter().find(|ask| ask.what == What::Specialist);
        let vouched = vouched.map(|ask| ask.level.clone());
        let led = demand.behind.map(|(_, place)| place);
        let opened = budget::Opened { state: at.1, vouched, place: demand.place, led };
        (opened, chances.clone())
    });
    states.collect()
}

/// The policy as it holds for a factor, where PINs have this length.
fn limits_of(fact: Fact, policy: &Policy, pin_digits: u32) -> Policy {
    let mut policy = policy.clone();
    let length = usize::try_from(pin_digits).unwrap_or(usize::MAX);
    policy.pin.hard_cap = policy.pin.cap_of(fact, length);
    policy
}

/// What turns guesses into chances.
struct Scale<'t> {
    terms: &'t Terms,
    tries: u32,
    pin_digits: u32,
    guesses: BTreeMap<Fact, Guesses>,
}

impl<'t> Scale<'t> {
    fn of_flows(flows: &FlowSet, terms: &'t Terms) -> Self {
        let tries = ring_tries(flows);
        let pin_digits = terms.pin_digits.unwrap_or_else(|| pin_digits(flows));
        let limits = |fact: &Fact| {
            let policy = limits_of(*fact, &terms.policy, pin_digits);
            (*fact, attempts::guesses(*fact, &policy, &terms.siege, tries))
        };
        let guesses = verified(flows).keys().map(limits).collect();
        Self { terms, tries, pin_digits, guesses }
    }

    fn chances(&self, ways: &[Proofs]) -> Vec<(Option<Pins>, Chances)> {
        if ways.iter().flatten().any(|fact| *fact == Fact::Pin) {
            Pins::ALL.map(|pins| (Some(pins), self.of(ways, pins))).to_vec()
        } else {
            vec![(None, self.of(ways, Pins::Random))]
        }
    }

    fn of(&self, ways: &[Proofs], pins: Pins) -> Chances {
        let sum = |chance: &dyn Fn(Fact) -> f64| {
            let way = |proofs: &Proofs| proofs.iter().map(|fact| chance(*fact)).product::<f64>();
            ways.iter().map(way).sum::<f64>().min(1.0)
        };
        let within = |period: fn(&Guesses) -> u32| {
            sum(&|fact| {
                let guesses = self.guesses.get(&fact).map_or(0, period);
                self.one(fact, guesses, pins)
            })
        };
        let siege = &self.terms.siege;
        let accounts = f64::from(siege.accounts);
        // Calls in a year that each account gets, if all get the same; a part of one is none.
        let calls = u64::from(siege.calls()) * 365;
        let each = u32::try_from(calls / u64::from(siege.accounts.max(1))).unwrap_or(u32::MAX);
        let (each, reached) = match each {
            0 => (1, f64::from(u32::try_from(calls).unwrap_or(u32::MAX)).min(accounts)),
            each => (each, accounts),
        };
        let spread = sum(&|fact| {
            let guesses = self.guesses.get(&fact).copied();
            let most = guesses.map_or(0, |g| g.year.min(each.saturating_mul(g.call)));
            self.one(fact, most, pins)
        });
        Chances {
            call: within(|guesses| guesses.call),
            day: within(|guesses| guesses.day),
            year: within(|guesses| guesses.year),
            opened: spread * reached,
            any: chance::any(spread, reached),
        }
    }

    /// The chance that one of the guesses at one factor is right.
    fn one(&self, fact: Fact, guesses: u32, pins: Pins) -> f64 {
        let policy = &self.terms.policy;
        let checks = attempts::per_code(fact, policy, self.tries);
        match fact {
            Fact::Pin => pins.chance(guesses, self.pin_digits),
            Fact::Passcode => Pins::Chosen.chance(guesses, 4),
            Fact::SmsOtp | Fact::EmailOtp => chance::code(guesses, checks, policy.otp.digits),
            Fact::Callback => chance::code(guesses, checks, policy.callback.code_digits),
            Fact::ServiceCode => chance::code(guesses, checks, policy.service_code.digits),
        }
    }

    fn assumptions(&self) -> Vec<String> {
        let siege = &self.terms.siege;
        let facts = |fact: Fact| self.guesses.contains_key(&fact);
        let owner = match siege.owner_calls {
            0 => "the customer never calls in between".to_owned(),
            n => format!(
                "the customer proves themself {n} times a year in between, which clears what counts \
                 in a row, and not the year's budget"
            ),
        };
        let mut all = vec![
            "account numbers are known, and nothing else is: no telephone, mailbox or session is in \
             wrong hands (NIST SP 800-63B calls the telephone network a restricted authenticator)"
                .to_owned(),
            "every chance is a bound from above: a guesser has each limit to the full, and ways in are \
             added up"
                .into(),
            owner,
        ];
        if facts(Fact::Pin) {
            all.push(
                "who guesses PINs knows how often each is chosen (RockYou, runs of four digits; \
                 blocklists after Markert et al. 2020), and chosen PINs of six digits are no better \
                 than those of four"
                    .into(),
            );
        }
        if facts(Fact::Passcode) {
            all.push("spoken passcodes are chosen as badly as PINs without a blocklist".into());
        }
        let policy = &self.terms.policy;
        let codes = [
            (facts(Fact::SmsOtp), policy.otp.digits, "by message"),
            (facts(Fact::EmailOtp), policy.otp.digits, "by mail"),
            (facts(Fact::ServiceCode), policy.service_code.digits, "from the web"),
        ];
        let codes: Vec<_> = codes.into_iter().filter(|(are_there, ..)| *are_there).collect();
        if !codes.is_empty() {
            let digits = codes.iter().map(|(_, digits, how)| format!("{digits} digits {how}"));
            let digits = digits.collect::<Vec<_>>().join(", ");
            all.push(format!("codes are random: {digits}, drawn anew each time"));
        }
        if facts(Fact::Callback) {
            all.push(
                "whoever answers a call to the number on file and was not told the code keys digits at \
                 random; a customer who is talked into keying what they are told is not counted"
                    .into(),
            );
        }
        all.push(format!(
            "a customer is right at once, on the middle one of the ways; at worst right at the last try \
             each time, on the longest; a voice speaks {} characters a second, a key takes half a second, \
             a message or a ring {} seconds",
            effort::CHARS_PER_S,
            effort::ARRIVES_S
        ));
        all
    }
}

/// The facts that these flows can prove, each with the states that one passes to prove it.
fn verified(flows: &FlowSet) -> BTreeMap<Fact, Vec<(FlowName, StateName)>> {
    let mut verified: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for flow in flows.iter() {
        for state in flow.states.values() {
            // Of a code it is what sends it that says which: one `gather_otp` takes them all.
            if let Some(fact) = state.kind.proves().or(state.kind.sends_code()) {
                let at = (flow.name.clone(), state.name.clone());
                verified.entry(fact).or_default().push(at);
            }
        }
    }
    verified
}

/// What must be proved before one comes to one of these states.
fn before(
    states: &[(FlowName, StateName)],
    brought: &BTreeMap<(FlowName, StateName), BTreeSet<Proofs>>,
) -> Vec<Proofs> {
    let all: BTreeSet<_> = states.iter().filter_map(|at| brought.get(at)).flatten().collect();
    let least =
        |proofs: &&&Proofs| !all.iter().any(|fewer| fewer != *proofs && fewer.is_subset(proofs));
    all.iter().filter(least).map(|proofs| (**proofs).clone()).collect()
}

/// The tries of a ring: the most of any in these flows.
fn ring_tries(flows: &FlowSet) -> u32 {
    let states = flows.iter().flat_map(|flow| flow.states.values());
    let tries = states.filter_map(|state| match &state.kind {
        Kind::Callback(callback) => Some(u32::from(callback.tries)),
        _ => None,
    });
    tries.max().unwrap_or(3)
}

/// The digits of a PIN: the fewest that a state takes.
fn pin_digits(flows: &FlowSet) -> u32 {
    let states = flows.iter().flat_map(|flow| flow.states.values());
    let digits = states.filter_map(|state| match &state.kind {
        Kind::GatherPin(pin) => Some(pin.shortest()),
        _ => None,
    });
    digits.min().unwrap_or(6)
}

/// A shortest way to a state on which these are proved.
fn way_in(walks: &Walks<'_>, here: &[Trail<'_>], proofs: &Proofs, formula: &Formula) -> WayIn {
    let brings = |trail: &&Trail<'_>| proofs.iter().all(|fact| trail.known.has(*fact));
    // At a risk more may be asked for.
    let trail = here.iter().filter(brings).min_by_key(|trail| trail.known.risk);
    let mut made = Vec::new();
    let steps = trail.map(|trail| walks.steps(trail.number)).unwrap_or_default();
    for (fact, _) in steps.iter().flat_map(|(_, _, known)| known.facts()) {
        if proofs.contains(&fact) && !made.contains(&fact) {
            made.push(fact);
        }
    }
    let one_factor_code = proofs.contains(&Fact::ServiceCode) && formula.is_met_by(proofs, false);
    let script = trail.map(|t| deeds(walks, t.number)).unwrap_or_default();
    WayIn { proofs: made, script, one_factor_code }
}

fn efforts(
    walks: &Walks<'_>,
    here: &[Trail<'_>],
    enough: &[Proofs],
    policy: &Policy,
) -> Option<Efforts> {
    let locale = &walks.start.locale;
    let here = here.iter().filter(|trail| {
        enough.iter().any(|proofs| proofs.iter().all(|fact| trail.known.has(*fact)))
    });
    let mut ways: Vec<Way> = here
        .map(|trail| {
            let mut way = Way::default();
            for (state, label, _) in walks.steps(trail.number) {
                if let Some((state, label)) = state.zip(label) {
                    way.leave(state, label, policy, locale);
                }
            }
            way
        })
        .collect();
    ways.sort_by_key(|way| way.quick);
    Some(Efforts {
        median: ways.get(ways.len() / 2)?.quick,
        worst: ways.iter().map(|way| way.slow).max()?,
    })
}
