//! `callgate simulate`: rings a flow in the terminal.

mod folded;
mod keypad;

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::Timestamp;

use super::Exit;
use super::configured::read_accounts;
use super::failure::Failure;
use crate::check::check_sources;
use crate::demo;
use crate::diagnostic::{Sources, any_error};
use crate::directory::Directory;
use crate::directory::accounts::Secrets;
use crate::engine::policy::Policy;
use crate::engine::risk::{SIGNALS, Signal};
use crate::files;
use crate::flow::FlowSet;
use crate::flow::condition::{ATTESTATIONS, Attestation};
use crate::flow::state::Kind;
use crate::phone::PhoneNumber;
use crate::replay::default_clock;
use crate::replay::phone::{Caller, Keypad, Lines, Phone};
use crate::replay::provider::Setup;

const EXAMPLES: &str = "\
Examples:
  callgate simulate                      ring the bank, with the demo's customers
  callgate simulate clinic               ring the flow `clinic`
  callgate simulate flows/order.toml --accounts accounts.toml --from +15005550010
                                         ring a flow of your own, with customers of your own
  callgate simulate clinic --from withheld --forwarded --clock 2026-12-25T08:00:00Z
                                         at high risk, outside the hours
  callgate simulate --otp verify         the provider makes the codes of text messages
  printf '\\n12345678\\n1\\n:sms\\n' | callgate simulate
                                         keys from a pipe: an empty line is silence

On a terminal, keys are heard as you press them; Enter alone is silence, `:help` tells the rest:
`:back` goes back, `:save FILE` writes the call as a transcript for `callgate replay`.

The demo's customers have the numbers 12345678 (PIN 730495), 23456789 (PIN 408162),
34567890 (PIN 951724) and 45678901 (PIN 628403).

Exit codes: 0 the call is over; 1 the flows have errors; 2 there is no such flow or
file, or the accounts have errors.";

/// Rings a flow in the terminal: prompts appear, keys are typed, no telephone is needed.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The flow to ring, by its name or its file.
    #[arg(value_name = "FLOW", default_value = demo::FLOW)]
    pub flow: String,
    /// The folder of flows: without it ./flows, and without that the shipped ones.
    #[arg(long, value_name = "DIR")]
    pub flows: Option<PathBuf>,
    /// The accounts, with PINs in plain text; without it, the demo's.
    #[arg(long, value_name = "FILE")]
    pub accounts: Option<PathBuf>,
    /// Who makes the codes of text messages: callgate, or the provider (`[otp] backend` of the configuration).
    #[arg(long, value_name = "BACKEND", value_enum, default_value = "own")]
    pub otp: Otp,
    /// The caller's number, or `withheld`.
    #[arg(long, value_name = "NUMBER", default_value = "+15005550099", value_parser = shown)]
    pub from: Shown,
    /// The number called.
    #[arg(long, value_name = "NUMBER", default_value = "+15005550006", value_parser = number)]
    pub to: PhoneNumber,
    /// What the network says of the caller's number.
    #[arg(long, value_name = "WORD", default_value = "none", value_parser = words(&ATTESTATIONS))]
    pub attestation: Attestation,
    /// The call was forwarded.
    #[arg(long)]
    pub forwarded: bool,
    /// What else speaks against the caller, once for each.
    #[arg(long, value_name = "WORD", value_parser = words(&SIGNALS))]
    pub signal: Vec<Signal>,
    /// When the call begins, in universal time; without it, a Monday at ten in New York.
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    pub clock: Option<Timestamp>,
}

/// Who makes the codes of text messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Otp {
    /// callgate.
    Own,
    /// The provider: one code for ten minutes, in its own words, checked at most five times.
    Verify,
}

/// The number that is shown, if one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown(pub Option<PhoneNumber>);

fn shown(text: &str) -> Result<Shown, String> {
    match text {
        "withheld" => Ok(Shown(None)),
        _ => number(text).map(|number| Shown(Some(number))),
    }
}

/// Takes one of these words, as in a transcript.
fn words<T: Copy + Send + Sync + 'static>(
    choices: &'static [(&'static str, T)],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(choices.iter().map(|(word, _)| *word)).try_map(|given| {
        let chosen = choices.iter().find(|(word, _)| *word == given);
        chosen.map(|(_, choice)| *choice).ok_or("it is none of these words")
    })
}

fn moment(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| format!("write it as `{}`", default_clock()))
}

fn number(text: &str) -> Result<PhoneNumber, String> {
    PhoneNumber::parse(text).ok_or_else(|| "write + and 8 to 15 digits: +15005550010".to_owned())
}

/// Runs the command.
pub fn run(args: &Args) -> Exit {
    let (mut out, mut err) = (io::stdout(), io::stderr());
    if io::stdin().is_terminal() && out.is_terminal() {
        return match keypad::Terminal::take() {
            Ok(mut terminal) => run_with(args, &mut terminal, &mut folded::folded(out), &mut err),
            Err(error) => {
                Failure::environment(format!("the terminal cannot be used: {error}")).tell()
            }
        };
    }
    run_with(args, &mut Lines(io::stdin().lock()), &mut out, &mut err)
}

/// The same, reading and printing elsewhere.
pub fn run_with(
    args: &Args,
    keypad: &mut impl Keypad,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Exit {
    match prepare(args).and_then(|caller| ring(caller, keypad, out)) {
        Ok(()) => Exit::Well,
        Err(failure) => {
            let _ = writeln!(err, "{}", failure.told(false));
            failure.exit()
        }
    }
}

/// The folder of the flows (`None`: the shipped ones), and the name of the one that is rung.
fn meant(args: &Args) -> Result<(Option<PathBuf>, String), Failure> {
    let here = PathBuf::from(FLOWS);
    let folder = args.flows.clone().or_else(|| here.is_dir().then_some(here));
    let given = Path::new(&args.flow);
    let is_file = given.extension().is_some_and(|extension| extension == "toml");
    let given_file = || is_file.then(|| given.to_owned());
    let within = || folder.as_ref().and_then(|folder| files::of_name(folder, given));
    let there = given_file().filter(|file| file.is_file());
    let Some(file) = there.or_else(within).or_else(given_file) else {
        return Ok((folder, args.flow.clone()));
    };
    let text = files::read(&file)?.text;
    // Whatever else is wrong with it is reported when the whole folder is read.
    let name = files::name_in(&text).unwrap_or_else(|| args.flow.clone());
    let beside = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let beside = || beside.unwrap_or(Path::new(".")).to_owned();
    Ok((Some(args.flows.clone().unwrap_or_else(beside)), name))
}

/// Where flows are looked for.
const FLOWS: &str = "flows";

fn prepare(args: &Args) -> Result<Caller, Failure> {
    let (folder, name) = meant(args)?;
    let (sources, unread) = match &folder {
        Some(folder) => {
            let files = files::flows(std::slice::from_ref(folder))?;
            (files.all, files.unread)
        }
        None => (demo::flows(), Vec::new()),
    };
    let flows = well_read(sources)?;
    let Some(flows) = flows.closure(&name) else {
        let names: Vec<_> = flows.iter().map(|flow| flow.name.as_str()).collect();
        let unread = files::not_read(&unread);
        let message = format!("there is no flow `{name}`; there are: {}{unread}", names.join(", "));
        return Err(Failure::usage(message));
    };
    let (accounts, text) = match &args.accounts {
        Some(file) => (read_accounts(file, Secrets::Plain)?, files::read_text(file)?),
        None => (demo::accounts(), demo::ACCOUNTS.to_owned()),
    };
    let mut policy = Policy::default();
    policy.otp.by_provider = args.otp == Otp::Verify;
    if policy.otp.by_provider
        && let Some(place) = own_words(&flows)
    {
        let message =
            format!("{place} has a `message` of its own, and the provider words its messages");
        return Err(Failure::Other(Exit::Findings, message));
    }
    let elsewhere = folder.filter(|folder| folder != Path::new(FLOWS));
    let setup = Setup {
        flows,
        flow: name,
        to: args.to.as_e164().to_owned(),
        attestation: args.attestation,
        forwarded: args.forwarded,
        signals: args.signal.iter().copied().collect(),
        directory: Arc::new(Directory::new(accounts)),
        policy,
        clock: args.clock.unwrap_or_else(default_clock),
        seed: 1,
        unenforced: None,
    };
    Ok(Caller {
        setup,
        from: args.from.0.clone(),
        accounts: text,
        replay_with: elsewhere
            .map(|folder| format!(" --flows {}", folder.display()))
            .unwrap_or_default(),
    })
}

/// The first state that words the messages with its codes itself, which are not the provider's words.
fn own_words(flows: &FlowSet) -> Option<String> {
    let states = flows.iter().flat_map(|flow| flow.states.values().map(move |it| (flow, it)));
    states.into_iter().find_map(|(flow, state)| match &state.kind {
        Kind::SendSmsOtp(send) if send.message.is_some() => {
            Some(format!("state `{}` of flow `{}`", state.name, flow.name))
        }
        _ => None,
    })
}

fn well_read(sources: Sources) -> Result<FlowSet, Failure> {
    let (flows, findings) = check_sources(&sources);
    if any_error(&findings) {
        let (what, exit) = ("the flows have errors".into(), Exit::Findings);
        return Err(Failure::Findings { what, findings, sources, exit });
    }
    Ok(flows)
}

fn ring(caller: Caller, keypad: &mut impl Keypad, out: &mut impl Write) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let talked = runtime.block_on(Phone::new(caller, out).talk(keypad));
    // Whoever reads may stop reading.
    talked.or_else(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(Failure::environment(error)),
    })
}
