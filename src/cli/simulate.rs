//! `callgate simulate`: rings a flow in the terminal.

use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::sync::Arc;

use crate::check::check_sources;
use crate::demo;
use crate::diagnostic::{Problems, Sources, any_error};
use crate::directory::Directory;
use crate::directory::accounts::{Accounts, Secrets};
use crate::engine::policy::Policy;
use crate::flow::FlowSet;
use crate::flow::condition::Attestation;
use crate::phone::PhoneNumber;
use crate::render;
use crate::replay::default_clock;
use crate::replay::folder::read_flows;
use crate::replay::phone::Phone;
use crate::replay::provider::{Provider, Setup};

const EXAMPLES: &str = "\
Examples:
  callgate simulate                      ring the shipped bank, with the demo's customers
  callgate simulate clinic               ring the shipped clinic
  callgate simulate order --flows flows --accounts accounts.toml --from +15005550010
  printf '\\n12345678\\n1\\n' | callgate simulate
                                         keys from a pipe: an empty line is silence

Type keys as on a telephone, an empty line for silence, and :help for everything else. The demo's
customers have the numbers 12345678 (PIN 730915), 23456789 (PIN 408162), 34567890 (PIN 951724) and
45678901 (PIN 628403).

Exit codes: 0 the call is over; 1 the flows or the accounts are not well; 2 there is no such flow or
file.";

/// Rings a flow in the terminal: prompts appear, keys are typed, no telephone is needed.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The flow to ring.
    #[arg(value_name = "FLOW", default_value = demo::FLOW)]
    pub flow: String,
    /// The folder of its flows; without it, the shipped ones.
    #[arg(long, value_name = "DIR")]
    pub flows: Option<PathBuf>,
    /// The accounts, with PINs as they are; without it, the demo's.
    #[arg(long, value_name = "FILE")]
    pub accounts: Option<PathBuf>,
    /// The caller's number.
    #[arg(long, value_name = "NUMBER", default_value = "+15005550099", value_parser = number)]
    pub from: PhoneNumber,
    /// The number called.
    #[arg(long, value_name = "NUMBER", default_value = "+15005550006", value_parser = number)]
    pub to: PhoneNumber,
}

fn number(text: &str) -> Result<PhoneNumber, String> {
    PhoneNumber::parse(text).ok_or_else(|| "write + and 8 to 15 digits: +15005550010".to_owned())
}

/// Runs the command and gives its exit code.
pub fn run(args: &Args) -> u8 {
    let (mut input, mut out, mut err) = (io::stdin().lock(), io::stdout(), io::stderr());
    run_with(args, &mut input, &mut out, &mut err)
}

/// The same, reading and printing elsewhere.
pub fn run_with(
    args: &Args,
    input: &mut impl BufRead,
    out: &mut impl Write,
    err: &mut impl Write,
) -> u8 {
    match prepare(args).and_then(|setup| ring(args, setup, input, out)) {
        Ok(()) => 0,
        Err((code, message)) => {
            let _ = writeln!(err, "callgate simulate: {message}");
            code
        }
    }
}

type Failure = (u8, String);

fn prepare(args: &Args) -> Result<Setup, Failure> {
    let sources = match &args.flows {
        Some(folder) => read_flows(folder).map_err(|error| (2, error.to_string()))?,
        None => demo::flows(),
    };
    let flows = well_read(&sources)?;
    if flows.get(&args.flow).is_none() {
        let names: Vec<_> = flows.iter().map(|flow| flow.name.as_str()).collect();
        let message = format!("there is no flow `{}`; there are: {}", args.flow, names.join(", "));
        return Err((2, message));
    }
    let accounts = match &args.accounts {
        Some(file) => read_accounts(file)?,
        None => demo::accounts(),
    };
    Ok(Setup {
        flows,
        flow: args.flow.clone(),
        to: args.to.as_e164().to_owned(),
        attestation: Attestation::None,
        directory: Arc::new(Directory::new(accounts)),
        policy: Policy::default(),
        clock: default_clock(),
        seed: 1,
        unenforced: None,
    })
}

fn well_read(sources: &Sources) -> Result<FlowSet, Failure> {
    let (flows, findings) = check_sources(sources);
    if any_error(&findings) {
        let shown = render::human::render(&findings, sources, false);
        return Err((1, format!("the flows have errors\n{shown}")));
    }
    Ok(flows)
}

fn read_accounts(file: &PathBuf) -> Result<Accounts, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| (2, format!("cannot read {}: {error}", file.display())))?;
    let name: Arc<str> = file.display().to_string().into();
    let problems = Problems::default();
    let accounts = Accounts::read(&name, &text, Secrets::Plain, &problems);
    let findings = problems.into_findings();
    let mut sources = Sources::default();
    sources.add(&name, text);
    if any_error(&findings) {
        let shown = render::human::render(&findings, &sources, false);
        return Err((1, format!("the accounts have errors\n{shown}")));
    }
    Ok(accounts)
}

fn ring(
    args: &Args,
    setup: Setup,
    input: &mut impl BufRead,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| (3, format!("no thread to run on: {error}")))?;
    let phone = Phone::new(Provider::new(setup), out);
    let talked = runtime.block_on(phone.talk(Some(args.from.clone()), input));
    // Whoever reads may stop reading.
    talked.or_else(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err((3, error.to_string())),
    })
}
