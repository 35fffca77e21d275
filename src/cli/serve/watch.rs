//! Files that change while callgate serves: flows and accounts are read again. If they have errors, the last good
//! ones stay in use, and the log says so.
//!
//! The system reports at once what is written in a folder. What it does not report, such as another folder in the
//! same place, is found by looking now and then.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use notify_debouncer_full::notify::{RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};

use super::looks::{Looked, is_toml};
use super::needs::Offer;
use super::read_flows;
use crate::check::Waits;
use crate::check::odds::{self, Terms};
use crate::cli::configured::read_accounts;
use crate::cli::failure::Failure;
use crate::diagnostic::{Finding, Sources};
use crate::directory::accounts::Secrets;
use crate::exchange::Exchange;
use crate::flow::FlowSet;
use crate::limits;
use crate::server::metrics::Metrics;
use crate::threads::give_way;

/// What is watched. It was looked at before it was read, so that changes during the start are read again as well.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// The folder of flows.
    pub(super) flows: Option<Looked>,
    /// The accounts file.
    pub(super) accounts: Option<Looked>,
    /// The flows that lines lead to: they must stay.
    pub(super) lines: Vec<String>,
    /// What the configuration offers to flows.
    pub(super) offer: Offer,
    /// How long those may take whom it asks.
    pub(super) waits: Waits,
}

/// An editor writes a file in several steps, which count as one change.
const DEBOUNCE: Duration = Duration::from_millis(200);

/// Which of them must be read again.
#[derive(Clone, Copy, Debug, Default)]
struct Changed {
    flows: bool,
    accounts: bool,
}

/// What the watching thread is told.
#[derive(Clone, Copy, Debug)]
enum Told {
    /// Somebody writes there.
    Changes,
    Look,
    Stop,
}

/// Watches until it is dropped; then nothing that it used is in use any more.
#[derive(Debug)]
pub(super) struct Watch {
    /// The system's own watch; `None`: it cannot watch, and the log has said so.
    _told: Option<Debouncer<RecommendedWatcher, RecommendedCache>>,
    tell: Sender<Told>,
    follower: Option<JoinHandle<()>>,
}

/// Makes it look at the files.
#[derive(Debug)]
pub(super) struct Look(Sender<Told>);

impl Look {
    /// Whatever has changed since it was read is read now.
    pub(super) fn at_once(&self) {
        // When the server stops, nobody listens any more.
        let _ = self.0.send(Told::Look);
    }
}

impl Watch {
    /// Makes a watch look at its files.
    pub(super) fn look(&self) -> Look {
        Look(self.tell.clone())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.tell.send(Told::Stop);
        if let Some(follower) = self.follower.take() {
            // However it ended, it is over.
            let _ = follower.join();
        }
    }
}

/// Begins to watch; `None`: there is nothing that could change, `Err`: the system gives us no thread for it.
pub(super) fn start(
    watched: Watched,
    exchange: Arc<Exchange>,
    metrics: Arc<Metrics>,
) -> io::Result<Option<Watch>> {
    if watched.flows.is_none() && watched.accounts.is_none() {
        return Ok(None);
    }
    let (tell, told) = channel();
    let of_the_system = listen(&watched, tell.clone());
    let follower = std::thread::Builder::new().name("files".into()).spawn(move || {
        give_way(limits::READING_NICENESS);
        follow(&told, watched, &exchange, &metrics);
    })?;
    Ok(Some(Watch { _told: of_the_system, tell, follower: Some(follower) }))
}

/// Asks the system to report what is written in the folders.
fn listen(
    watched: &Watched,
    tell: Sender<Told>,
) -> Option<Debouncer<RecommendedWatcher, RecommendedCache>> {
    // If a file is replaced by renaming, only its folder shows that.
    let folder_of = |file: &PathBuf| match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let accounts = watched.accounts.as_ref().map(|accounts| accounts.path.clone());
    let flows = watched.flows.iter().map(|flows| flows.path.clone());
    let folders: Vec<_> = flows.chain(accounts.as_ref().map(folder_of)).collect();
    let changed = move |events: DebounceEventResult| {
        let Ok(events) = events else { return };
        let paths: Vec<_> = events
            .iter()
            .filter(|event| !event.kind.is_access())
            .flat_map(|event| event.paths.clone())
            .collect();
        let is_accounts = |path: &PathBuf| {
            accounts.as_ref().is_some_and(|accounts| path.file_name() == accounts.file_name())
        };
        if paths.iter().any(|path| is_toml(path) || is_accounts(path)) {
            // When the server stops, nobody listens any more.
            let _ = tell.send(Told::Changes);
        }
    };
    let mut watcher = match new_debouncer(DEBOUNCE, None, changed) {
        Ok(watcher) => watcher,
        Err(error) => {
            tracing::warn!(%error, "changed files will be noticed a little later");
            return None;
        }
    };
    for folder in &folders {
        if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
            tracing::warn!(folder = %folder.display(), %error, "changed files will be noticed a little later");
        }
    }
    Some(watcher)
}

/// Reads again what has changed, until it is told to stop.
fn follow(told: &Receiver<Told>, watched: Watched, exchange: &Exchange, metrics: &Metrics) {
    let Watched { mut flows, mut accounts, lines, offer, waits } = watched;
    let mut wait = limits::FILES_LOOKED_AT_EVERY;
    loop {
        let told = told.recv_timeout(wait);
        wait = limits::FILES_LOOKED_AT_EVERY;
        let changed = match told {
            Ok(Told::Look) => Changed {
                flows: flows.as_ref().is_some_and(Looked::differs),
                accounts: accounts.as_ref().is_some_and(Looked::differs),
            },
            Err(RecvTimeoutError::Timeout) => Changed {
                flows: flows.as_mut().is_some_and(Looked::is_other),
                accounts: accounts.as_mut().is_some_and(Looked::is_other),
            },
            Ok(Told::Changes) => {
                for files in flows.iter_mut().chain(&mut accounts) {
                    files.look();
                }
                wait = limits::FILES_STAY_FOR;
                continue;
            }
            Ok(Told::Stop) | Err(RecvTimeoutError::Disconnected) => return,
        };
        if let Some(accounts) = accounts.as_mut().filter(|_| changed.accounts) {
            reload_accounts(accounts.reading(), exchange);
        }
        if let Some(flows) = flows.as_mut().filter(|_| changed.flows) {
            reload_flows(flows.reading(), &lines, (&offer, &waits), exchange, metrics);
        }
    }
}

/// Sets what guessing is worth against the flows that lines lead to, and warns where the limits of this server leave
/// more than a flow allows, which was checked with the default limits.
pub(super) fn tell_odds(lines: &[String], exchange: &Exchange, metrics: &Metrics) {
    let terms = Terms { policy: exchange.policy().clone(), ..Terms::default() };
    let flows = exchange.flows();
    for flow in lines.iter().collect::<BTreeSet<_>>() {
        let (best, over_budget) = odds::best(&flows, flow, &terms);
        metrics.tell_odds(flow, best.as_ref());
        for over in over_budget {
            tracing::warn!(flow, %over, "the limits of this server leave a guesser more than the flow's budget");
        }
    }
}

fn reload_flows(
    folder: &Path,
    lines: &[String],
    (offer, waits): (&Offer, &Waits),
    exchange: &Exchange,
    metrics: &Metrics,
) {
    let flows = read_flows(folder, waits).and_then(|flows| match offer.lacks(&flows) {
        Some(lack) => Err(Failure::usage(lack)),
        None => Ok(flows),
    });
    let leads_nowhere = |flows: &FlowSet| {
        lines.iter().find(|line| {
            flows.get(line).is_none() || crate::check::not_dialled(flows, line).is_some()
        })
    };
    match flows.map(|flows| (leads_nowhere(&flows), flows)) {
        Ok((Some(flow), _)) => {
            metrics.flows_current.set(0);
            tracing::error!(
                flow,
                findings = 1,
                "a line leads to a flow that is gone, or that is there for others to call: the last good flows stay in use"
            );
        }
        Ok((None, flows)) => {
            offer.warn_of_notices(&flows);
            let count = flows.iter().count();
            let before = versions(exchange);
            exchange.replace_flows(flows);
            metrics.flows_current.set(1);
            tell_odds(lines, exchange, metrics);
            for (flow, edition) in versions(exchange) {
                if before.get(&flow) != Some(&edition) {
                    tracing::info!(flow, edition, "a changed flow is in use for new calls");
                }
            }
            tracing::info!(flows = count, "the changed flows are in use for new calls");
        }
        Err(failure) => {
            metrics.flows_current.set(0);
            let problems = shown(&failure);
            let findings = findings_of(&failure);
            tracing::error!(%failure, findings, problems, "the last good flows stay in use");
        }
    }
}

/// The flows that new calls get, and their versions.
fn versions(exchange: &Exchange) -> BTreeMap<String, String> {
    let flows = exchange.flows();
    let version = |name: &str| Some((name.to_owned(), exchange.version_of(name)?));
    flows.iter().filter_map(|flow| version(flow.name.as_str())).collect()
}

fn findings_of(failure: &Failure) -> usize {
    match failure {
        Failure::Findings { findings, .. } => findings.len(),
        _ => 1,
    }
}

fn reload_accounts(path: &Path, exchange: &Exchange) {
    match read_accounts(path, Secrets::Hashed) {
        // Whoever writes it again has emptied it first, and perhaps got no further.
        Ok(accounts) if accounts.count() == 0 => {
            tracing::error!("the accounts file is empty: the last good accounts stay in use");
        }
        Ok(accounts) => {
            let count = accounts.count();
            exchange.directory().replace(accounts);
            tracing::info!(accounts = count, "the changed accounts are in use");
        }
        Err(failure) => {
            let problems = shown(&failure);
            let findings = findings_of(&failure);
            tracing::error!(%failure, findings, problems, "the last good accounts stay in use");
        }
    }
}

/// The findings, one a line, without the source lines: a file of accounts contains secrets.
fn shown(failure: &Failure) -> String {
    let Failure::Findings { findings, sources, .. } = failure else { return String::new() };
    let line = |finding: &Finding| {
        let help = finding.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{} {}: {}{help}", place_of(finding, sources), finding.code, finding.message)
    };
    findings.iter().map(line).collect::<Vec<_>>().join("; ")
}

/// `file:line:column`.
pub(super) fn place_of(finding: &Finding, sources: &Sources) -> String {
    let place = finding.place();
    let (line, column) = place.map_or((1, 1), |place| {
        let start = sources.start(place);
        (start.line, start.column)
    });
    format!("{}:{line}:{column}", place.map_or("", |place| &place.file))
}
