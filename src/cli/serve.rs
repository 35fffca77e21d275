//! `callgate serve`: answers webhooks.

mod away;
mod core_file;
pub(super) mod demo;
mod epoch;
mod fleet;
mod followers;
mod looks;
mod memory;
mod needs;
mod outlook;
mod room;
mod signals;
mod steps;
mod waits;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::ExposeSecret as _;
use tokio_util::sync::CancellationToken;

use followers::Followers;

use super::configured::{Outside, carrier_of, mail_of, open_directory};
use super::failure::Failure;
use super::{Exit, say};
use crate::carrier::signature::{Bases, Keys};
use crate::carrier::{Carrier, Mail};
use crate::chance::SystemChance;
use crate::check::{Waits, check_sources_for};
use crate::clock::SystemClock;
use crate::config::{self, Config, DEFAULT_FILE, Lines};
use crate::diagnostic::{Finding, any_error};
use crate::directory::Directory;
use crate::exchange::{Exchange, Parts};
use crate::flow::FlowSet;
use crate::outbox::Outbox;
use crate::replay::recorder::Recorder;
use crate::server::metrics::Metrics;
use crate::server::{self, Gate, House, Kept, Listeners};
use crate::store::counted::{Counted, Known};
use crate::store::envelope::Vault;
use crate::store::{self, Store, StoreError};
use crate::telemetry::{self, Few};
use crate::threads::give_way;
use crate::{files, limits, render, writing};

/// What `serve` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  callgate serve                          a demo, or ./callgate.toml if it exists
  callgate serve --config /etc/callgate.toml
  callgate serve --record recorded        write each call that ends as a transcript,
                                          its secrets replaced
  CALLGATE_LOG=debug callgate serve")]
pub(super) struct Args {
    /// The configuration file: without it ./callgate.toml, and without that a demo.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Write each call that ends into this folder, as a transcript without its secrets.
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
}

pub(super) fn run(args: &Args, log: Option<&str>) -> Exit {
    // Before anything that begins a thread.
    if let Err(error) = room::for_threads() {
        return nothing_is_served(&Failure::from(error));
    }
    let _watch = telemetry::start(log, config::environment);
    core_file::forbid();
    // Webhooks are answered on threads of the server's own; for what runs on these, nobody waits so closely.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_start(|| give_way(limits::OUTBOX_NICENESS))
        .build();
    match runtime.map_err(Failure::from).and_then(|runtime| runtime.block_on(serve(args))) {
        Ok(()) => Exit::Well,
        Err(failure) => nothing_is_served(&failure),
    }
}

fn nothing_is_served(failure: &Failure) -> Exit {
    let exit = failure.tell();
    say("nothing is served");
    exit
}

/// What a server needs, from a configuration or for the demo.
struct Equipment {
    flows: FlowSet,
    directory: Directory,
    store: Arc<dyn Store>,
    /// Why the store cannot be used yet; `None`: it is there, and it is ours.
    away: Option<StoreError>,
    vault: Vault,
    policy: crate::engine::policy::Policy,
    lines: Lines,
    keys: Keys,
    public_url: String,
    account_sid: Option<String>,
    admin_tokens: Vec<crate::config::AdminToken>,
    voucher_key: u32,
    turns_max: u64,
    drain: std::time::Duration,
    carrier: Arc<dyn Carrier>,
    mail: Option<Arc<dyn Mail>>,
    outside: Outside,
    metrics: Metrics,
    listeners: Listeners,
    watched: watch::Watched,
    settings: crate::exchange::fleet::Settings,
}

async fn serve(args: &Args) -> Result<(), Failure> {
    // Before 1970 there is no date to answer with.
    if SystemClock::stands_before_1970() {
        return Err(Failure::Clock);
    }
    let hang_ups = signals::HangUps::listen()?;
    let config = match &args.config {
        Some(path) => Some(Config::load(path)?),
        None if Path::new(DEFAULT_FILE).exists() => Some(Config::load(Path::new(DEFAULT_FILE))?),
        None => None,
    };
    let (equipment, greeting) = if let Some(config) = config {
        memory::look(config.store.starts_with("embedded:"));
        (equip(config).await?, None)
    } else {
        let (equipment, greeting) = demo::equip().await?;
        (equipment, Some(greeting))
    };
    if let Some(folder) = &args.record {
        writing::folder(folder).map_err(Failure::Record)?;
    }
    start(equipment, greeting, args.record.as_deref(), hang_ups).await
}

/// Everything that can be wrong is found before the first call is taken.
async fn equip(config: Config) -> Result<Equipment, Failure> {
    if !config.warnings.is_empty() {
        say(&render::human::render(&config.warnings, &config.sources, true));
    }
    let waits = waits::of(&config);
    let settings = fleet::fixed(&config);
    let looked = looks::Looked::at(config.flows.clone());
    let flows = read_flows(&config.flows, &waits)?;
    check_lines(&config, &flows)?;
    let offer = needs::Offer {
        mail: config.smtp.is_some(),
        backends: config.backends.keys().cloned().collect(),
        own_words: config.verify.is_none(),
        web_code_digits: config.policy.service_code.digits,
    };
    if let Some(lack) = offer.lacks(&flows) {
        return Err(Failure::usage(lack));
    }
    offer.warn_of_notices(&flows);
    let metrics = Metrics::default();
    let carrier = carrier_of(&config, &metrics)?;
    let mail = mail_of(&config, &metrics)?;
    let outside = Outside::of(&config, &metrics)?;
    let accounts = match &config.directory {
        config::Directory::File(path) => Some(looks::Looked::at(path.clone())),
        config::Directory::Http(_) => None,
    };
    let directory = open_directory(config.directory, &metrics)?;
    let listeners = Listeners::bind(config.listen, config.admin_listen)?;
    let store = store::open_with(&config.store, &config.store_options).await?;
    let away = away::look(store.as_ref(), &config.vault).await?;
    let lines = config.lines.by_number.values().map(|line| line.flow.clone()).collect();
    let tokens = config.twilio.auth_tokens.iter().map(|token| token.expose_secret().into());
    let keys = Keys::new(&tokens.collect::<Vec<_>>());
    Ok(Equipment {
        flows,
        directory,
        store,
        away,
        vault: config.vault,
        policy: config.policy,
        lines: config.lines,
        keys: keys.ok_or_else(|| Failure::usage("there is no token to check signatures"))?,
        public_url: config.public_url,
        account_sid: Some(config.twilio.account_sid),
        admin_tokens: config.admin_tokens,
        voucher_key: config.voucher_key,
        turns_max: config.turns_max,
        drain: config.drain,
        carrier,
        mail,
        outside,
        metrics,
        listeners,
        watched: watch::Watched { flows: Some(looked), accounts, lines, offer, waits },
        settings,
    })
}

async fn start(
    equipment: Equipment,
    greeting: Option<demo::Greeting>,
    record: Option<&Path>,
    hang_ups: signals::HangUps,
) -> Result<(), Failure> {
    let (public, admin) = equipment.listeners.addresses()?;
    let room = room::make()?;
    let directory = Arc::new(equipment.directory);
    let stop = CancellationToken::new();
    let known = Known::default();
    let awaited = away::Awaited::new(
        equipment.away,
        (equipment.store.clone(), equipment.vault.clone()),
        known.clone(),
    );
    let exchange = Exchange::new(Parts {
        store: Counted::over(equipment.store, equipment.metrics.store.clone(), known),
        vault: equipment.vault,
        directory: directory.clone(),
        clock: Arc::new(SystemClock),
        chance: Arc::new(SystemChance),
        policy: equipment.policy,
        flows: equipment.flows,
    });
    let exchange = equipment.outside.asked_by(exchange);
    let exchange = Arc::new(exchange.vouching_as(&equipment.public_url, equipment.voucher_key));
    let awaited = tokio::spawn(awaited.wait(exchange.clone(), stop.clone()));
    let metrics = Arc::new(equipment.metrics.with(exchange.guards(), exchange.tally()));
    let outbox = Outbox::new(exchange.clone(), equipment.carrier, equipment.mail);
    let house = Arc::new(House {
        exchange: exchange.clone(),
        metrics: metrics.clone(),
        lines: equipment.lines,
        keys: equipment.keys,
        bases: Bases::of(&equipment.public_url),
        public_url: equipment.public_url,
        account_sid: equipment.account_sid,
        admin_tokens: equipment.admin_tokens,
        gate: Gate::new(metrics.turns_in_progress.clone(), equipment.turns_max),
        kept: Kept::default(),
        refusals: Few::default(),
        outbox: outbox.clone(),
        stop: stop.clone(),
        drain: equipment.drain,
    });
    watch::tell_odds(&equipment.watched.lines, &exchange, &metrics);
    tokio::spawn(tell_backlog(exchange.clone(), metrics.clone(), stop.clone()));
    let settings = equipment.settings;
    tokio::spawn(fleet::watch(settings, exchange.clone(), metrics.clone(), stop.clone()));
    tokio::spawn(outlook::watch(exchange.clone(), stop.clone()));
    tokio::spawn(steps::watch(exchange.clone(), stop.clone()));
    if let Err(error) = exchange.store().take_over(exchange.now()).await {
        tracing::warn!(%error, "what a server before this one had in hand has to wait for its lease to end");
    }
    let watch = watch::start(equipment.watched, exchange.clone(), metrics)?;
    let followers = Followers::start(outbox, record.map(|to| Recorder::new(exchange.clone(), to)));
    let look = watch.as_ref().map(watch::Watch::look);
    tokio::spawn(signals::follow(hang_ups.and_stops()?, stop.clone(), look));
    let epoch = tokio::spawn(epoch::watch(stop.clone()));
    tracing::info!(%public, %admin, "callgate answers");
    if let Some(greeting) = greeting {
        greeting.show(public, admin);
    }
    server::run(house, equipment.listeners, room.workers, room.connections).await?;
    stop.cancel();
    followers.finish().await;
    drop(watch);
    tracing::info!("callgate has finished the turns in progress and stops");
    if epoch.await.unwrap_or(false) {
        return Err(Failure::Clock);
    }
    awaited.await.unwrap_or(Ok(()))
}

/// Measures now and then how much waits in the outbox, and of which store.
async fn tell_backlog(exchange: Arc<Exchange>, metrics: Arc<Metrics>, stop: CancellationToken) {
    let mut every = tokio::time::interval(limits::BACKLOG_EVERY);
    let mut known: Option<String> = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        let now = exchange.now();
        // If the store does not answer, the last values stay; that it does not is counted elsewhere.
        if let Ok(backlog) = exchange.store().backlog(now).await {
            let age = backlog.oldest.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64());
            metrics.outbox_waiting.set(backlog.count);
            metrics.outbox_oldest.set(age);
        }
        if let Ok(name) = exchange.store_name().await {
            if let Some(before) = known.replace(name.clone()).filter(|before| *before != name) {
                tracing::error!(
                    before,
                    name,
                    "the store was emptied, or another is in its place: calls in progress, locks and counts of \
                     failures are gone, and the audit with them"
                );
            }
            metrics.tell_store(name);
        }
    }
}

/// Reads and checks the flows of a folder.
fn read_flows(folder: &Path, waits: &Waits) -> Result<FlowSet, Failure> {
    // Nobody waits here for what somebody may write into a pipe.
    if folder.exists() && !folder.is_dir() && !folder.is_file() {
        return Err(files::FilesError::NoFile(folder.to_owned()).into());
    }
    let files = files::flows(&[folder.to_owned()])?;
    for unread in &files.unread {
        let unread = unread.display();
        tracing::warn!(folder = %unread, "flows in a folder within that of the flows are not read");
    }
    let (flows, findings) = check_sources_for(&files.all, waits);
    if any_error(&findings) {
        return Err(Failure::Findings {
            what: format!("the flows in `{}` have errors", folder.display()),
            findings,
            sources: files.all,
            exit: Exit::Findings,
        });
    }
    for finding in &findings {
        let place = watch::place_of(finding, &files.all);
        tracing::warn!(code = finding.code, place, "{}", finding.message);
    }
    Ok(flows)
}

/// Every line must lead to a flow that exists, and in which a call may begin.
fn check_lines(config: &Config, flows: &FlowSet) -> Result<(), Failure> {
    let mut findings = Vec::new();
    for line in config.lines.by_number.values() {
        if flows.get(&line.flow).is_none() {
            let names = flows.iter().map(|flow| flow.name.as_str());
            let message =
                format!("there is no flow `{}` in `{}`", line.flow, config.flows.display());
            findings.push(
                Finding::error("unknown-flow", message, line.flow_place.clone())
                    .maybe_help(crate::diagnostic::did_you_mean(&line.flow, names)),
            );
        } else if let Some(why) = crate::check::not_dialled(flows, &line.flow) {
            let message = format!("no call can begin in `{}`: {why}", line.flow);
            findings.push(
                Finding::error("return-without-caller", message, line.flow_place.clone())
                    .help("lead the line to a flow that calls it"),
            );
        }
    }
    if findings.is_empty() {
        return Ok(());
    }
    Err(Failure::Findings {
        what: "the configuration has errors".into(),
        findings,
        sources: config.sources.clone(),
        exit: Exit::Usage,
    })
}
