//! `replay capture.http`: a provider's requests once more.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;

use super::{Args, Failure, flows};
use crate::config::environment;
use crate::demo;
use crate::diagnostic::{Problems, any_error};
use crate::directory::Directory;
use crate::directory::accounts::{Accounts, Secrets};
use crate::replay::capture::house::{House, Plan};
use crate::replay::capture::{self, Posted};
use crate::replay::default_clock;

/// Whether a file is a capture.
pub(super) fn is_capture(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("http"))
}

/// Replays all of them, each in a house of its own; gives the exit code.
pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<u8, Failure> {
    if let Some(path) = args.paths.iter().find(|path| !is_capture(path)) {
        let message = format!("{} is no capture: replay it by itself", path.display());
        return Err((2, message));
    }
    let runtime = super::runtime()?;
    let (mut requests, mut refused) = (0, 0);
    for path in &args.paths {
        let posted = runtime.block_on(one(args, path))?;
        requests += posted.len();
        refused += posted.iter().filter(|posted| !posted.is_well()).count();
        let file = path.display().to_string();
        for line in posted.iter().flat_map(|posted| posted.lines(&file, args.twiml)) {
            // Whoever reads may stop reading.
            let _ = writeln!(out, "{line}");
        }
    }
    let _ = writeln!(out, "{} requests taken, {refused} not", requests - refused);
    Ok(u8::from(refused > 0))
}

async fn one(args: &Args, path: &Path) -> Result<Vec<Posted>, Failure> {
    let shown = path.display();
    let text = std::fs::read(path).map_err(|error| (2, format!("cannot read {shown}: {error}")))?;
    let requests = capture::read(&text).map_err(|error| (1, format!("{shown}:{error}")))?;
    let flows = flows(&args.flows)?;
    if flows.get(&args.flow).is_none() {
        return Err((2, format!("there is no flow `{}`: name it with `--flow`", args.flow)));
    }
    let public_url = args.public_url.clone();
    let plan = Plan {
        flows,
        flow: args.flow.clone(),
        directory: Arc::new(Directory::new(accounts(args)?)),
        token: token(args)?,
        public_url: public_url.ok_or_else(|| {
            (2, "signatures need the address that the provider called: `--public-url`".to_owned())
        })?,
        clock: default_clock(),
    };
    let failed = |error: capture::house::HouseError| (3, error.to_string());
    let house = House::open(plan).map_err(failed)?;
    let posted = capture::replay(&house, &requests).await.map_err(failed);
    house.close().await;
    posted
}

fn token(args: &Args) -> Result<SecretString, Failure> {
    if let Some(file) = &args.auth_token_file {
        let text = std::fs::read_to_string(file)
            .map_err(|error| (2, format!("cannot read {}: {error}", file.display())))?;
        return Ok(text.trim().to_owned().into());
    }
    let name = &args.auth_token_env;
    environment(name)
        .map(SecretString::from)
        .ok_or_else(|| (2, format!("`{name}` is not set: it holds what the provider signs with")))
}

fn accounts(args: &Args) -> Result<Accounts, Failure> {
    let Some(file) = &args.accounts else { return Ok(demo::accounts()) };
    let text = std::fs::read_to_string(file)
        .map_err(|error| (2, format!("cannot read {}: {error}", file.display())))?;
    let problems = Problems::default();
    let name = file.display().to_string().into();
    let accounts = Accounts::read(&name, &text, Secrets::Plain, &problems);
    let findings = problems.into_findings();
    match findings.first().filter(|_| any_error(&findings)) {
        Some(finding) => Err((2, format!("{}: {}", file.display(), finding.message))),
        None => Ok(accounts),
    }
}
