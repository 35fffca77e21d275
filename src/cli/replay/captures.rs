//! `replay capture.http`: posts a provider's requests once more.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;

use super::super::Exit;
use super::super::configured::read_accounts;
use super::super::failure::Failure;
use super::{Args, note};
use crate::carrier::signature::Keys;
use crate::config::{self, Config, Line, Lines, environment};
use crate::demo;
use crate::diagnostic::Place;
use crate::directory::Directory;
use crate::directory::accounts::{Accounts, Secrets};
use crate::engine::policy::Policy;
use crate::replay::capture::house::{Blueprint, House};
use crate::replay::capture::{self, Posted, address};
use crate::replay::default_clock;
use crate::replay::folder::flows;
use crate::store::envelope::Vault;

/// Whether a file is a capture.
pub(super) fn is_capture(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("http"))
}

/// Replays all of them, each to a server of its own; returns the exit code.
pub(super) fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit, Failure> {
    if let Some(path) = args.paths.iter().find(|path| !is_capture(path)) {
        let message = format!("{} is no capture: replay it by itself", path.display());
        return Err(Failure::usage(message));
    }
    let runtime = tokio::runtime::Runtime::new()?;
    let (mut requests, mut refused) = (0, 0);
    for path in &args.paths {
        let posted = runtime.block_on(one(args, path, err))?;
        requests += posted.len();
        refused += posted.iter().filter(|posted| !posted.is_well()).count();
        let file = path.display().to_string();
        for line in posted.iter().flat_map(|posted| posted.lines(&file, args.twiml)) {
            // Whoever reads may stop reading.
            let _ = writeln!(out, "{line}");
        }
    }
    let _ = writeln!(out, "{} requests taken, {refused} not", requests - refused);
    Ok(Exit::found(refused > 0))
}

async fn one(args: &Args, path: &Path, err: &mut dyn Write) -> Result<Vec<Posted>, Failure> {
    let shown = path.display();
    let text = std::fs::read(path)
        .map_err(|error| Failure::usage(format!("cannot read {shown}: {error}")))?;
    let requests = capture::read(&text)
        .map_err(|error| Failure::Other(Exit::Findings, format!("{shown}:{error}")))?;
    let mut blueprint = blueprint(args)?;
    if blueprint.public_url.is_empty() {
        let keys = Keys::new(&blueprint.tokens);
        let told = keys.and_then(|keys| address::told(&requests, &keys));
        blueprint.public_url = told.ok_or_else(|| {
            let why = "the capture does not tell the address that the provider called";
            Failure::usage(format!("{why}, and signatures need it: `--public-url`"))
        })?;
        note(err, &format!("{shown} went to `{}`, as it tells", blueprint.public_url));
    }
    let house = House::open(blueprint).map_err(Failure::environment)?;
    let posted = capture::replay(&house, &requests).await.map_err(Failure::environment);
    house.close().await;
    posted
}

/// The configuration's house, or the demo's, but for what the command line says otherwise. Its public
/// URL is empty where neither says it.
fn blueprint(args: &Args) -> Result<Blueprint, Failure> {
    let config = args.config.as_deref().map(Config::load).transpose()?;
    let mut blueprint = match config {
        Some(config) => of_house(args, config)?,
        None => Blueprint {
            flows: flows(args.flows())?,
            lines: all_to(args.flow.as_deref().unwrap_or(demo::FLOW)),
            directory: Arc::new(Directory::new(accounts(args)?)),
            vault: Vault::new(&STATE_KEY),
            policy: Policy::default(),
            account_sid: None,
            tokens: vec![token(args)?],
            public_url: String::new(),
            clock: default_clock(),
        },
    };
    if let Some(public_url) = &args.public_url {
        blueprint.public_url.clone_from(public_url);
    }
    let lead = |line: &&Line| blueprint.flows.get(&line.flow).is_none();
    match blueprint.lines.by_number.values().find(lead) {
        Some(line) => {
            let flow = &line.flow;
            Err(Failure::usage(format!("there is no flow `{flow}`: name another with `--flow`")))
        }
        None => Ok(blueprint),
    }
}

/// What is sealed in memory lives only as long as the process.
const STATE_KEY: [u8; 32] = [7; 32];

fn of_house(args: &Args, config: Config) -> Result<Blueprint, Failure> {
    let directory = match &config.directory {
        _ if args.accounts.is_some() => accounts(args)?,
        config::Directory::File(path) => read_accounts(path, Secrets::Hashed)?,
        config::Directory::Http(_) => {
            let why =
                "the configuration's accounts are asked for over HTTP, and a replay asks nobody";
            return Err(Failure::usage(format!("{why}: give them with `--accounts`")));
        }
    };
    let told = args.auth_token_env.is_some() || args.auth_token_file.is_some();
    Ok(Blueprint {
        flows: flows(args.flows.as_deref().unwrap_or(&config.flows))?,
        lines: args.flow.as_deref().map_or(config.lines, all_to),
        directory: Arc::new(Directory::new(directory)),
        vault: config.vault,
        policy: config.policy,
        account_sid: Some(config.twilio.account_sid),
        tokens: if told { vec![token(args)?] } else { config.twilio.auth_tokens },
        public_url: config.public_url,
        clock: default_clock(),
    })
}

/// Every number leads to one flow.
fn all_to(flow: &str) -> Lines {
    let line = Line {
        flow: flow.to_owned(),
        flow_place: Place { file: "the command line".into(), span: 0..0 },
        number: None,
        fallback_number: None,
        overflow_number: None,
    };
    Lines { by_number: [("*".to_owned(), line)].into_iter().collect() }
}

fn token(args: &Args) -> Result<SecretString, Failure> {
    if let Some(file) = &args.auth_token_file {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::usage(format!("cannot read {}: {error}", file.display())))?;
        return Ok(text.trim().to_owned().into());
    }
    let name = args.auth_token_env.as_deref().unwrap_or("TWILIO_AUTH_TOKEN");
    environment(name).map(SecretString::from).ok_or_else(|| {
        Failure::usage(format!("`{name}` is not set: it holds what the provider signs with"))
    })
}

fn accounts(args: &Args) -> Result<Accounts, Failure> {
    let read = |file| read_accounts(file, Secrets::Plain);
    args.accounts.as_deref().map_or_else(|| Ok(demo::accounts()), read)
}
