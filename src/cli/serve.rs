//! `callgate serve`: answers webhooks.

mod core_file;
mod demo;
mod epoch;
mod looks;
mod needs;
mod room;
mod signals;
mod waits;
mod watch;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::ExposeSecret as _;
use tokio_util::sync::CancellationToken;

use super::{Exit, say};
use crate::audit::key::is_of_another_key;
use crate::carrier::signature::{Bases, Keys};
use crate::carrier::smtp::SmtpMail;
use crate::carrier::twilio::{Settings, TwilioCarrier};
use crate::carrier::{Carrier, Mail};
use crate::chance::SystemChance;
use crate::check::{Waits, check_sources_for};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{self, Config, ConfigError, DEFAULT_FILE, Lines, shown};
use crate::diagnostic::{Finding, Problems, Sources, any_error};
use crate::directory::Directory;
use crate::directory::accounts::{Accounts, Secrets};
use crate::directory::http::HttpDirectory;
use crate::exchange::{Exchange, Parts};
use crate::flow::FlowSet;
use crate::outbound::Peer;
use crate::outbound::backends::{Backends, HttpBackends};
use crate::outbound::numbers::{Numbers, TwilioNumbers};
use crate::outbound::verifications::{TwilioVerify, Verifications};
use crate::outbox::Outbox;
use crate::replay::recorder::Recorder;
use crate::server::metrics::Metrics;
use crate::server::{self, Gate, House, Kept, Listeners, ServerError};
use crate::store::counted::Counted;
use crate::store::envelope::Vault;
use crate::store::{self, OpenError, Store, StoreError};
use crate::telemetry::{self, Few, with_causes};
use crate::threads::give_way;
use crate::twiml::links::Links;
use crate::writing::{self, WriteError};
use crate::{files, limits, render};

/// What `serve` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  callgate serve                          a demo, or ./callgate.toml where there is one
  callgate serve --config /etc/callgate.toml
  callgate serve --record recorded        write each call that ends as a transcript, secrets replaced
  CALLGATE_LOG=debug callgate serve")]
pub(super) struct Args {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Write each call that ends into this folder, as a transcript without its secrets.
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
}

/// Under another key every PIN is wrong and no lock is known: nobody should find that out by their callers.
pub(super) const OTHER_KEY: &str =
    "the store was written under another state key: give that one, or name a store that is empty";

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Files(#[from] files::FilesError),
    #[error("{what}")]
    Findings { what: String, findings: Vec<Finding>, sources: Sources, exit: Exit },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("{error}; is it running, and may this machine reach it?")]
    Ping { error: StoreError },
    #[error("{}", OTHER_KEY)]
    OtherKey,
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error("{0}")]
    Demo(#[from] demo::DemoError),
    #[error("{0}")]
    Carrier(String),
    #[error("{0}")]
    Lacks(String),
    #[error("calls cannot be recorded: {0}")]
    Record(#[source] WriteError),
    #[error("the clock of this machine stands before 1970: set it")]
    Clock,
    #[error("cannot begin: {0}")]
    System(#[from] std::io::Error),
}

impl Failure {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::Carrier(_) | Self::Lacks(_) | Self::OtherKey => Exit::Usage,
            Self::Files(error) => Exit::from(error),
            Self::Findings { exit, .. } => *exit,
            Self::Open(
                OpenError::Unknown
                | OpenError::RedisAddress
                | OpenError::SentinelAddress
                | OpenError::ClusterAddress
                | OpenError::Authority
                | OpenError::ClientCertificate
                | OpenError::ClientKey,
            ) => Exit::Usage,
            Self::Open(_)
            | Self::Ping { .. }
            | Self::Server(_)
            | Self::Record(_)
            | Self::Clock
            | Self::System(_)
            | Self::Demo(_) => Exit::Environment,
        }
    }

    pub(super) fn tell(&self) {
        let shown = match self {
            Self::Config(ConfigError::Wrong { findings, sources })
            | Self::Findings { findings, sources, .. } => Some((findings, sources)),
            _ => None,
        };
        if let Some((findings, sources)) = shown {
            say(&render::human::render(findings, sources, true));
        }
        say(&format!("error: {}", with_causes(self)));
    }

    /// Where a server has the store for itself, says how it is asked for the same.
    pub(super) fn tell_whom_to_ask(&self, requests: &str) {
        if matches!(self, Self::Open(OpenError::InUse(_))) {
            say(&format!("help: a server that runs on it does the same when asked: {requests}"));
        }
    }
}

pub(super) fn run(args: &Args, log: Option<&str>) -> Exit {
    let _watch = telemetry::start(log, config::environment);
    core_file::forbid();
    // Webhooks are answered on threads of the server's own; what runs on these nobody waits for so closely.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_start(|| give_way(limits::OUTBOX_NICENESS))
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("error: cannot begin: {error}"));
            return Exit::Environment;
        }
    };
    match runtime.block_on(serve(args)) {
        Ok(()) => Exit::Well,
        Err(failure) => {
            failure.tell();
            say("nothing is served");
            failure.exit()
        }
    }
}

/// What a server needs, from a configuration or for the demo.
struct Plan {
    flows: FlowSet,
    directory: Directory,
    store: Arc<dyn Store>,
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
    backends: Arc<dyn Backends>,
    numbers: Option<Looks>,
    verifications: Option<Arc<dyn Verifications>>,
    metrics: Metrics,
    listeners: Listeners,
    watched: watch::Watched,
}

/// Whom is asked about numbers, and whether about callers' too.
pub(super) struct Looks {
    pub(super) numbers: Arc<dyn Numbers>,
    pub(super) callers: bool,
}

async fn serve(args: &Args) -> Result<(), Failure> {
    // There is no date to answer with before that.
    if SystemClock::stands_before_1970() {
        return Err(Failure::Clock);
    }
    let config = match &args.config {
        Some(path) => Some(Config::load(path)?),
        None if Path::new(DEFAULT_FILE).exists() => Some(Config::load(Path::new(DEFAULT_FILE))?),
        None => None,
    };
    let (plan, greeting) = if let Some(config) = config {
        (plan(config).await?, None)
    } else {
        let (plan, greeting) = demo::plan().await?;
        (plan, Some(greeting))
    };
    if let Some(folder) = &args.record {
        writing::folder(folder).map_err(Failure::Record)?;
    }
    start(plan, greeting, args.record.as_deref()).await
}

/// Everything that can be wrong is found before the first call is taken.
async fn plan(config: Config) -> Result<Plan, Failure> {
    if !config.warnings.is_empty() {
        say(&render::human::render(&config.warnings, &config.sources, true));
    }
    let waits = waits::of(&config);
    let flows = read_flows(&config.flows, &waits)?;
    check_lines(&config, &flows)?;
    let offer = needs::Offer {
        mail: config.smtp.is_some(),
        backends: config.backends.keys().cloned().collect(),
        own_words: config.verify.is_none(),
        web_code_digits: config.policy.service_code.digits,
    };
    if let Some(lack) = offer.lacks(&flows) {
        return Err(Failure::Lacks(lack));
    }
    offer.warn_of_notices(&flows);
    let metrics = Metrics::default();
    let carrier = carrier_of(&config, &metrics)?;
    let numbers = look_ups(&config, &metrics)?;
    let mail = mail_of(&config, &metrics)?;
    let verifications = verifications(&config, &metrics)?;
    let (directory, accounts) = open_directory(config.directory, &metrics)?;
    let listeners = Listeners::bind(config.listen, config.admin_listen)?;
    let store = store::open_with(&config.store, &config.store_options).await?;
    store.ping().await.map_err(|error| Failure::Ping { error })?;
    check_key(store.as_ref(), &config.vault).await?;
    match store.outlook(SystemClock.now()).await {
        Ok(told) => {
            for advice in told {
                tracing::warn!(%advice, "the store is not what calls can rely on");
            }
        }
        Err(error) => tracing::warn!(%error, "the store does not tell how it is set up"),
    }
    let mut peers = BTreeMap::new();
    for (name, settings) in &config.backends {
        let peer = Peer::new(settings);
        peers.insert(name.clone(), peer.map_err(|error| Failure::Carrier(with_causes(&error)))?);
    }
    let backends = HttpBackends::new(peers, metrics.outside.clone());
    let lines = config.lines.by_number.values().map(|line| line.flow.clone()).collect();
    let tokens = config.twilio.auth_tokens.iter().map(|token| token.expose_secret().into());
    let keys = Keys::new(&tokens.collect::<Vec<_>>());
    Ok(Plan {
        flows,
        directory,
        store,
        vault: config.vault,
        policy: config.policy,
        lines: config.lines,
        keys: keys
            .ok_or_else(|| Failure::Carrier("there is no token to check signatures".into()))?,
        public_url: config.public_url,
        account_sid: Some(config.twilio.account_sid),
        admin_tokens: config.admin_tokens,
        voucher_key: config.voucher_key,
        turns_max: config.turns_max,
        drain: config.drain,
        carrier,
        mail,
        backends: Arc::new(backends),
        numbers,
        verifications,
        metrics,
        listeners,
        watched: watch::Watched { flows: Some(config.flows), accounts, lines, offer, waits },
    })
}

/// Refuses a store that was written under another state key.
pub(super) async fn check_key(store: &dyn Store, vault: &Vault) -> Result<(), Failure> {
    if is_of_another_key(store, vault).await { Err(Failure::OtherKey) } else { Ok(()) }
}

/// The provider's REST side, as it is configured.
pub(super) fn carrier_of(config: &Config, metrics: &Metrics) -> Result<Arc<dyn Carrier>, Failure> {
    let links = Links::new(&config.public_url);
    let (Some(auth_token), Some(sender)) =
        (config.twilio.auth_tokens.first().cloned(), config.twilio.sender.clone())
    else {
        return Err(Failure::Carrier("there is no token or no sender for the provider".into()));
    };
    let carrier = TwilioCarrier::new(Settings {
        account_sid: config.twilio.account_sid.clone(),
        auth_token,
        api_base: config.twilio.api_base.clone(),
        sender,
        links,
        timeout: limits::CARRIER_TIMEOUT,
    });
    let carrier = carrier.map_err(|error| Failure::Carrier(with_causes(&error)))?;
    Ok(Arc::new(carrier.counted(metrics.outside.clone())))
}

/// What sends mail, where that is configured.
pub(super) fn mail_of(
    config: &Config,
    metrics: &Metrics,
) -> Result<Option<Arc<dyn Mail>>, Failure> {
    let Some(settings) = &config.smtp else { return Ok(None) };
    let mail = SmtpMail::new(settings, metrics.outside.clone());
    Ok(Some(Arc::new(mail.map_err(|error| Failure::Carrier(with_causes(&error)))?)))
}

async fn start(
    plan: Plan,
    greeting: Option<demo::Greeting>,
    record: Option<&Path>,
) -> Result<(), Failure> {
    let (public, admin) = plan.listeners.addresses()?;
    let room = room::make();
    let directory = Arc::new(plan.directory);
    let stop = CancellationToken::new();
    let exchange = Exchange::new(Parts {
        store: Counted::over(plan.store, plan.metrics.store.clone()),
        vault: plan.vault,
        directory: directory.clone(),
        clock: Arc::new(SystemClock),
        chance: Arc::new(SystemChance),
        policy: plan.policy,
        flows: plan.flows,
    });
    let mut exchange = exchange.asking(plan.backends);
    if let Some(Looks { numbers, callers }) = plan.numbers {
        exchange = exchange.looking_up(numbers, callers);
    }
    if let Some(verifications) = plan.verifications {
        exchange = exchange.verifying_with(verifications);
    }
    let exchange = Arc::new(exchange.vouching_as(&plan.public_url, plan.voucher_key));
    let metrics = Arc::new(plan.metrics.with(exchange.guards(), exchange.tally()));
    let outbox = Outbox::new(exchange.clone(), plan.carrier, plan.mail);
    let house = Arc::new(House {
        exchange: exchange.clone(),
        metrics: metrics.clone(),
        lines: plan.lines,
        keys: plan.keys,
        bases: Bases::of(&plan.public_url),
        public_url: plan.public_url,
        account_sid: plan.account_sid,
        admin_tokens: plan.admin_tokens,
        gate: Gate::new(metrics.turns_in_progress.clone(), plan.turns_max),
        kept: Kept::default(),
        refusals: Few::default(),
        outbox: outbox.clone(),
        stop: stop.clone(),
        drain: plan.drain,
    });
    watch::tell_odds(&plan.watched.lines, &exchange, &metrics);
    tokio::spawn(tell_backlog(exchange.clone(), metrics.clone(), stop.clone()));
    let watch = watch::start(plan.watched, exchange.clone(), metrics);
    let recorded = CancellationToken::new();
    let recorder = record.map(|folder| Recorder::new(exchange.clone(), folder));
    let recorder = recorder.map(|recorder| tokio::spawn(recorder.run(recorded.clone())));
    // Turns are taken while the server stops: what they ask for is done as well.
    let idle = CancellationToken::new();
    let outbox = tokio::spawn(outbox.run(idle.clone()));
    let look = watch.as_ref().map(watch::Watch::look);
    tokio::spawn(signals::follow(signals::listen()?, stop.clone(), look));
    let epoch = tokio::spawn(epoch::watch(stop.clone()));
    tracing::info!(%public, %admin, "callgate answers");
    if let Some(greeting) = greeting {
        greeting.show(public, admin);
    }
    server::run(house, plan.listeners, room.workers, room.connections).await?;
    stop.cancel();
    idle.cancel();
    let _ = tokio::time::timeout(limits::SHUTDOWN_GRACE, outbox).await;
    recorded.cancel();
    if let Some(recorder) = recorder {
        let _ = tokio::time::timeout(limits::SHUTDOWN_GRACE, recorder).await;
    }
    drop(watch);
    tracing::info!("callgate has finished the turns in progress and stops");
    if epoch.await.unwrap_or(false) {
        return Err(Failure::Clock);
    }
    Ok(())
}

/// Tells now and then how much waits in the outbox.
async fn tell_backlog(exchange: Arc<Exchange>, metrics: Arc<Metrics>, stop: CancellationToken) {
    let mut every = tokio::time::interval(limits::BACKLOG_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        let now = exchange.now();
        // What the store does not tell stays as it was told last; that it does not is counted elsewhere.
        if let Ok(backlog) = exchange.store().backlog(now).await {
            let age = backlog.oldest.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64());
            metrics.outbox_waiting.set(backlog.count);
            metrics.outbox_oldest.set(age);
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

/// Whom is asked about numbers, in the name of the provider's account.
pub(super) fn look_ups(config: &Config, metrics: &Metrics) -> Result<Option<Looks>, Failure> {
    let (Some(lookup), Some(key)) = (&config.lookup, config.twilio.auth_tokens.first()) else {
        return Ok(None);
    };
    let peer = Peer::new(&lookup.peer).map_err(|error| Failure::Carrier(with_causes(&error)))?;
    let peer = peer.as_account(&config.twilio.account_sid, key.clone());
    let numbers = TwilioNumbers::new(peer, lookup.fields.clone(), metrics.outside.clone());
    Ok(Some(Looks { numbers: Arc::new(numbers), callers: lookup.callers }))
}

/// Who makes and checks codes, in the name of the provider's account: it sends them with all the time
/// that the outbox has, and checks them within a turn.
fn verifications(
    config: &Config,
    metrics: &Metrics,
) -> Result<Option<Arc<dyn Verifications>>, Failure> {
    let (Some(verify), Some(key)) = (&config.verify, config.twilio.auth_tokens.first()) else {
        return Ok(None);
    };
    let peer = |timeout| -> Result<Peer, Failure> {
        let settings = crate::outbound::Settings { timeout, ..verify.peer.clone() };
        let peer = Peer::new(&settings).map_err(|error| Failure::Carrier(with_causes(&error)))?;
        Ok(peer.as_account(&config.twilio.account_sid, key.clone()))
    };
    let (sends, checks) = (peer(limits::CARRIER_TIMEOUT)?, peer(verify.peer.timeout)?);
    let (service, asked) = (verify.service_sid.clone(), metrics.outside.clone());
    Ok(Some(Arc::new(TwilioVerify::new(sends, checks, service, asked))))
}

/// Where accounts come from, and the file to watch if they come from one.
pub(super) fn open_directory(
    directory: config::Directory,
    metrics: &Metrics,
) -> Result<(Directory, Option<PathBuf>), Failure> {
    match directory {
        config::Directory::File(path) => {
            let accounts = read_accounts(&path)?;
            Ok((Directory::new(accounts), Some(path)))
        }
        config::Directory::Http(settings) => {
            let peer = Peer::new(&settings);
            let peer = peer.map_err(|error| Failure::Carrier(with_causes(&error)))?;
            let directory = HttpDirectory::new(peer, metrics.outside.clone());
            Ok((Directory::over_http(directory), None))
        }
    }
}

/// Reads the accounts file.
pub(super) fn read_accounts(path: &Path) -> Result<Accounts, Failure> {
    let unreadable =
        |source| Failure::Config(ConfigError::Unreadable { path: path.to_owned(), source });
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(unreadable(std::io::Error::other("it is no file, and no link to one")));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let mut sources = Sources::default();
    let file = sources.add(&path.display().to_string(), shown::accounts(&text));
    let problems = Problems::default();
    let accounts = Accounts::read(&file, &text, Secrets::Hashed, &problems);
    let findings = problems.into_findings();
    if any_error(&findings) {
        return Err(Failure::Findings {
            what: format!("the accounts in `{}` have errors", path.display()),
            findings,
            sources,
            exit: Exit::Usage,
        });
    }
    Ok(accounts)
}

/// Every line must lead to a flow that is there, and in which a call may begin.
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
