//! `callgate hash-pin`: the hash of a PIN or a passcode, for the accounts file. One that guessers try
//! first is refused.

use std::convert::Infallible;
use std::io::{BufRead as _, IsTerminal as _};
use std::path::PathBuf;

use super::configured::read_accounts;
use super::{Exit, print, say};
use crate::chance::SystemChance;
use crate::config::environment;
use crate::directory::accounts::Secrets;
use crate::directory::pin::choice::{self, Refused};
use crate::directory::pin::{self, own::Own};
use crate::engine::spoken;
use crate::flow::locale::Locale;
use crate::secret::Secret;
use crate::store::envelope::Vault;

const STATE_KEY: &str = "CALLGATE_STATE_KEY";

/// What `hash-pin` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "The PIN is read from standard input, and the key from CALLGATE_STATE_KEY.

Examples:
  callgate hash-pin                                       a PIN of six digits or more
  callgate hash-pin --account 12345678 --accounts accounts.toml
  printf '869317\\n1975-03-08\\n' | callgate hash-pin --avoid -
  callgate hash-pin --passcode                            words, as they will be said")]
pub(super) struct Args {
    /// A passcode of words, rather than a PIN.
    #[arg(long)]
    passcode: bool,

    /// The language the passcode is said in.
    #[arg(long, requires = "passcode", default_value = "en-US", value_parser = read_locale)]
    locale: Locale,

    /// Allow PINs of 4 and 5 digits, whose failures `hard_cap_short` in `[policy.pin]` bounds.
    #[arg(long, conflicts_with = "passcode")]
    short: bool,

    /// The account that it is for: whatever is on file for it is refused.
    #[arg(long, requires = "accounts", value_name = "ID")]
    account: Option<String>,

    /// The accounts file.
    #[arg(long, requires = "account", value_name = "FILE")]
    accounts: Option<PathBuf>,

    /// A number, date or word of the customer's own; `-`: one a line on standard input, after the PIN.
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    avoid: Vec<String>,

    /// What somebody puts in place of the PIN: it is refused, and not repeated as clap would do.
    #[arg(hide = true, value_parser = |_: &str| Ok::<_, Infallible>(Misplaced))]
    misplaced: Vec<Misplaced>,
}

/// A PIN on the command line.
#[derive(Clone, Copy, Debug)]
struct Misplaced;

fn read_locale(text: &str) -> Result<Locale, String> {
    Locale::parse(text).ok_or_else(|| "it must be a language such as en-US".into())
}

pub(super) fn run(args: &Args) -> Exit {
    match hash(args) {
        Ok(hash) => {
            print(&format!("{hash}\n"));
            Exit::Well
        }
        Err(exit) => exit,
    }
}

/// The hash of what is keyed in; an error: the reason was printed.
fn hash(args: &Args) -> Result<String, Exit> {
    if !args.misplaced.is_empty() {
        say(
            "error: a PIN is not given on the command line, where the shell's history and others see it",
        );
        say(
            "help: run `callgate hash-pin` alone, and key it in when asked; take another PIN than that one",
        );
        return Err(Exit::Usage);
    }
    let vault = vault()?;
    let mut own = own_of(args)?;
    let entry = read(args, &mut own)?;
    let (secret, chosen) = if args.passcode {
        let passcode = spoken::passcode(&entry, None, &args.locale);
        let chosen = choice::passcode(&passcode, &own);
        (Secret::new(passcode), chosen)
    } else {
        let shortest =
            if args.short { choice::SHORT_PIN_DIGITS_MIN } else { choice::PIN_DIGITS_MIN };
        (Secret::new(entry.as_str()), choice::pin(&entry, &own, shortest))
    };
    chosen.map_err(|refused| refuse(refused, args))?;
    pin::hash(&secret, &vault, &SystemChance).ok_or_else(|| {
        say("error: the PIN could not be hashed: there is not enough memory");
        Exit::Environment
    })
}

fn vault() -> Result<Vault, Exit> {
    let Some(key) = environment(STATE_KEY) else {
        say(&format!("error: {STATE_KEY} is not set; it must be the key that the server uses"));
        say("help: make a new one with `openssl rand -base64 32`");
        return Err(Exit::Usage);
    };
    Vault::from_base64(&key).map_err(|error| {
        say(&format!("error: {STATE_KEY}: {error}"));
        Exit::Usage
    })
}

/// What comes from standard input: the entry, and after it what must be avoided, if `--avoid -` asks for that.
fn read(args: &Args, own: &mut Own) -> Result<String, Exit> {
    if std::io::stdin().is_terminal() {
        let what = if args.passcode { "Type the passcode" } else { "Key in the PIN" };
        say(&format!("{what} and press Enter (it is shown):"));
    }
    let mut lines = std::io::stdin().lock().lines();
    let Some(Ok(line)) = lines.next() else {
        say("error: there is no text on standard input");
        return Err(Exit::Findings);
    };
    for value in &args.avoid {
        if value != "-" {
            own.add(value);
            continue;
        }
        for line in lines.by_ref() {
            let Ok(line) = line else {
                say("error: standard input is not text");
                return Err(Exit::Findings);
            };
            own.add(&line);
        }
    }
    Ok(line)
}

/// What is on file for the named account.
fn own_of(args: &Args) -> Result<Own, Exit> {
    let (Some(id), Some(path)) = (&args.account, &args.accounts) else {
        return Ok(Own::default());
    };
    let accounts = read_accounts(path, Secrets::Hashed).map_err(|failure| failure.tell())?;
    accounts.by_id(id).map(|customer| Own::of(&customer)).ok_or_else(|| {
        say(&format!("error: the account is not in `{}`", path.display()));
        Exit::Usage
    })
}

/// Says why a secret is refused, but not what it was.
fn refuse(refused: Refused, args: &Args) -> Exit {
    say(&format!("error: {refused}"));
    say(match refused {
        Refused::NoPin(choice::PIN_DIGITS_MIN) if !args.passcode => {
            "help: `--short` allows four and five digits"
        }
        Refused::NoPin(_) => "help: keys are all that a caller has",
        Refused::Popular(_) | Refused::OwnNumber | Refused::OwnDate => {
            "help: the best PIN is one that was drawn at random"
        }
        Refused::NoPasscode | Refused::Guessed | Refused::OwnWord => {
            "help: take two or three words that have nothing to do with the customer or each other"
        }
    });
    Exit::Findings
}
