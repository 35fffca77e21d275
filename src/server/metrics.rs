//! What a server counts and shows on `/metrics`: webhooks, calls, the outbox, what guessing is worth; and with
//! that, what the exchange, the store and the clients of others count themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arc_swap::ArcSwap;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry, Unit};

use crate::check::odds::Chances;
use crate::exchange::guards::Guards;
use crate::exchange::tally::Tally;
use crate::store::counted::Questions;
use crate::telemetry::OutsideCounter;

/// What is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Webhooks answered.
    pub webhooks: Family<Webhook, Counter>,
    /// Calls taken.
    pub calls: Family<Taken, Counter>,
    /// What was asked of others: mail servers, the directory, look-ups.
    pub outside: OutsideCounter,
    /// Requests refused.
    pub refused: Family<Refused, Counter>,
    /// Requests of the admin listener with an unknown token.
    pub strangers: Counter,
    /// Seconds from a webhook's head to its answer, by what the webhook was to its call.
    pub seconds: Family<Timed, Histogram, fn() -> Histogram>,
    /// What the store was asked.
    pub store: Questions,
    /// What is due in the outbox and not claimed.
    pub outbox_waiting: Gauge<u64, AtomicU64>,
    /// For how many seconds the oldest of these has been due.
    pub outbox_oldest: Gauge<f64, AtomicU64>,
    /// The best chance of a guesser at any state of a flow in use.
    pub odds: Family<Odd, Gauge<f64, AtomicU64>>,
    /// Which store it is.
    pub store_is: Family<StoreIs, Gauge<u64, AtomicU64>>,
    /// How this server is set up, in parts that all servers of its store must have alike.
    pub settings: Family<Setting, Gauge<u64, AtomicU64>>,
    /// The servers of the store that are there, this one among them.
    pub servers: Gauge<u64, AtomicU64>,
    /// The parts in which another of them is set up otherwise.
    pub differing: Family<Part, Gauge<u64, AtomicU64>>,
    /// The same, to be listed.
    differ: ArcSwap<BTreeSet<String>>,
    /// Turns under way.
    pub turns_in_progress: Gauge<u64, AtomicU64>,
    /// Whether the flows in use are those on disk: 0 after a change that did not check.
    pub flows_current: Gauge<u64, AtomicU64>,
}

/// A webhook.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Webhook {
    /// Which route.
    pub route: Route,
    /// What it was to the call.
    pub outcome: Outcome,
}

/// What the time of an answer depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Timed {
    /// What the webhook was to the call.
    pub outcome: Outcome,
}

/// A chance.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Odd {
    /// The flow in which calls begin.
    pub flow: String,
    /// In one call, a day or a year, at one account.
    pub within: &'static str,
}

/// Which store a server has.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StoreIs {
    /// Its name, the same to all servers that have it.
    pub name: String,
}

/// A part of the settings, as it is here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Setting {
    /// Which part.
    pub part: String,
    /// A keyed fingerprint of it.
    pub fingerprint: String,
}

/// A part of the settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Part {
    /// Which part.
    pub part: String,
}

/// A route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Route {
    /// An inbound call.
    Voice,
    /// A leg carried on.
    Turn,
    /// A leg that we placed, or a whisper.
    Leg,
    /// A present prompt.
    Resume,
    /// A leg's status.
    Status,
    /// A message's status.
    Message,
    /// The fallback URL.
    Fallback,
}

/// What a webhook was to its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Outcome {
    /// A turn.
    Turn,
    /// Something answered before.
    Replayed,
    /// A spent nonce with a different entry: a security event.
    Contradicted,
    /// Something out of step.
    OutOfStep,
    /// Nothing of any call's.
    Stranger,
    /// It could not be served: the apology.
    Apology,
    /// A new call for which there was no room.
    TurnedAway,
}

/// A call taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Taken {
    /// The band of its risk.
    pub risk: &'static str,
}

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Reason {
    /// No signature, or a wrong one.
    Signature,
    /// Another account's.
    Account,
    /// Too large.
    Size,
    /// Too slow.
    Slow,
    /// Not a form, or a broken one.
    Form,
    /// A parameter given twice.
    Repeated,
    /// To no address of ours, or not posted.
    Route,
}

impl Reason {
    /// Its name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signature => "Signature",
            Self::Account => "Account",
            Self::Size => "Size",
            Self::Slow => "Slow",
            Self::Form => "Form",
            Self::Repeated => "Repeated",
            Self::Route => "Route",
        }
    }
}

/// Registers a metric under this name; a copy of it counts on the same metric.
fn put<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

/// The same for a metric in seconds.
fn put_seconds<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
    metric
}

impl Default for Metrics {
    fn default() -> Self {
        let mut all = Registry::with_prefix("callgate");
        let r = &mut all;
        let buckets: fn() -> Histogram = || Histogram::new(exponential_buckets(0.0005, 2.0, 14));
        let (outside, store) = (OutsideCounter::default(), Questions::default());
        let asked = "What was asked of the provider, the mail server, the directory and back ends";
        put(r, "asked_of_others", asked, outside.counts());
        put(r, "store_questions", "What the store was asked", store.asked.clone());
        let answered = "Time until the store answered";
        put_seconds(r, "store_question", answered, store.seconds.clone());
        let metrics = Self {
            webhooks: put(r, "webhooks", "Webhooks answered", Family::default()),
            calls: put(r, "calls", "Calls taken, by the band of their risk", Family::default()),
            outside,
            refused: put(
                r,
                "webhooks_refused",
                "Requests refused as not the provider's",
                Family::default(),
            ),
            strangers: put(
                r,
                "admin_refused",
                "Requests of the admin listener with an unknown token",
                Counter::default(),
            ),
            seconds: put_seconds(
                r,
                "webhook",
                "Time to answer a webhook",
                Family::new_with_constructor(buckets),
            ),
            store,
            outbox_waiting: put(
                r,
                "outbox_waiting",
                "Effects and deadlines that are due and not claimed",
                Gauge::default(),
            ),
            outbox_oldest: put_seconds(
                r,
                "outbox_oldest",
                "For how long the oldest of them has been due",
                Gauge::default(),
            ),
            odds: put(
                r,
                "odds",
                "The best chance of a guesser at any state of a flow in use, at one account",
                Family::default(),
            ),
            store_is: put(
                r,
                "store_info",
                "Which store it is: all servers must show the same",
                Family::default(),
            ),
            settings: put(
                r,
                "settings_info",
                "How this server is set up: all servers of a store must show the same",
                Family::default(),
            ),
            servers: put(r, "servers", "The servers of the store that are there", Gauge::default()),
            differing: put(
                r,
                "settings_differ",
                "Whether another server of the store is set up otherwise",
                Family::default(),
            ),
            differ: ArcSwap::default(),
            turns_in_progress: put(r, "turns_in_progress", "Turns under way", Gauge::default()),
            flows_current: put(
                r,
                "flows_current",
                "Whether the flows in use are those on disk",
                Gauge::default(),
            ),
            registry: all,
        };
        metrics.flows_current.set(1);
        metrics
    }
}

impl Metrics {
    /// These metrics, and those of an exchange.
    pub fn with(mut self, guards: &Guards, tally: &Tally) -> Self {
        let registry = &mut self.registry;
        registry.register("facts_granted", "Facts granted", tally.facts.clone());
        registry.register("attempts", "Entries judged", tally.attempts.clone());
        registry.register(
            "unusable_entries",
            "What callers gave that did not answer the question",
            tally.unusable.clone(),
        );
        registry.register(
            "states_ended",
            "States that identify, send, verify, hand over or refuse, by how they ended",
            tally.states.clone(),
        );
        registry.register(
            "calls_begun",
            "Calls begun, by flow version",
            tally.versions.begun.clone(),
        );
        registry.register(
            "calls_ended",
            "Calls ended, by flow version",
            tally.versions.ended.clone(),
        );
        registry.register("dead_letters", "Effects given up on", tally.dead_letters.clone());
        registry.register(
            "limits_reached",
            "What limits over one or many accounts have refused",
            guards.refused.clone(),
        );
        registry.register("locks", "Locks that wrong entries have set", guards.locks.clone());
        registry.register("unlocked", "Accounts whose locks were lifted", guards.unlocked.clone());
        registry.register(
            "numbers_looked_up",
            "Numbers on file that were looked up before they were used, by what came of it",
            guards.looked_up.clone(),
        );
        self
    }

    /// Sets what guessing is worth against a flow: the best chance at any of its states. A flow that asks for no
    /// proof has none.
    pub fn tell_odds(&self, flow: &str, best: Option<&Chances>) {
        let chances = best.map(|best| [best.call, best.day, best.year]);
        for (index, within) in ["call", "day", "year"].into_iter().enumerate() {
            let odd = Odd { flow: flow.to_owned(), within };
            match chances.and_then(|chances| chances.get(index).copied()) {
                Some(chance) => {
                    self.odds.get_or_create(&odd).set(chance);
                }
                // Those of the flow as it was before are not its own.
                None => {
                    self.odds.remove(&odd);
                }
            }
        }
    }

    /// Sets which store it is, in place of any other.
    pub fn tell_store(&self, name: String) {
        let store = StoreIs { name };
        if self.store_is.get(&store).is_none() {
            self.store_is.clear();
            self.store_is.get_or_create(&store).set(1);
        }
    }

    /// Sets how this server is set up, in place of before.
    pub fn tell_settings(&self, settings: &BTreeMap<String, String>) {
        let setting = |(part, fingerprint): (&String, &String)| Setting {
            part: part.clone(),
            fingerprint: fingerprint.clone(),
        };
        let known: Vec<_> = settings.iter().map(setting).collect();
        if known.iter().any(|setting| self.settings.get(setting).is_none()) {
            self.settings.clear();
        }
        for setting in &known {
            self.settings.get_or_create(setting).set(1);
        }
        for part in settings.keys() {
            // 0, unless it is known to differ.
            let _ = self.differing.get_or_create(&Part { part: part.clone() });
        }
    }

    /// Sets in which parts another server is set up otherwise.
    pub fn tell_differing(&self, differ: BTreeSet<String>) {
        for part in self.differ.load().difference(&differ) {
            self.differing.get_or_create(&Part { part: part.clone() }).set(0);
        }
        for part in &differ {
            self.differing.get_or_create(&Part { part: part.clone() }).set(1);
        }
        self.differ.store(Arc::new(differ));
    }

    /// The parts in which another server of the store is set up otherwise, as far as is known.
    pub fn differ(&self) -> Arc<BTreeSet<String>> {
        self.differ.load_full()
    }

    /// The metrics in the text format of Prometheus.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}
