//! `callgate fmt`: flow files in their one layout.

use std::path::{Path, PathBuf};

use super::{Exit, print, say};
use crate::files::{flow_files, read_text};
use crate::flow::canonical::{canonical, same};
use crate::writing::replace;

/// What `fmt` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  callgate fmt                         every flow in ./flows
  callgate fmt flows/bank.toml         one of them
  callgate fmt --check                 only name those that are laid out otherwise, and exit 1")]
pub(super) struct Args {
    /// Flow files, or folders of them.
    #[arg(value_name = "PATH", default_value = "flows")]
    paths: Vec<PathBuf>,

    /// Change nothing; exit 1 if something would be changed.
    #[arg(long)]
    check: bool,
}

pub(super) fn run(args: &Args) -> Exit {
    let mut exit = Exit::Well;
    for path in &args.paths {
        let files = if path.is_dir() { flow_files(path) } else { Ok(vec![path.clone()]) };
        let done =
            files.map_err(|error| (Exit::from(&error), error.to_string())).and_then(|files| {
                let done = files.iter().map(|file| lay_out(file, args.check));
                done.collect::<Result<Vec<_>, _>>()
            });
        match done {
            Ok(changed) if args.check && changed.contains(&true) => exit = Exit::Findings,
            Ok(_) => {}
            Err((worse, message)) => {
                say(&format!("error: {message}"));
                return worse;
            }
        }
    }
    exit
}

/// Lays one file out, or tells that it would; whether there was anything to do.
fn lay_out(file: &Path, check: bool) -> Result<bool, (Exit, String)> {
    let shown = file.display();
    if !file.exists() {
        return Err((Exit::Usage, format!("there is no `{shown}`")));
    }
    let text = read_text(file).map_err(|error| (Exit::from(&error), error.to_string()))?;
    let Some(new) = canonical(&text) else {
        let message = format!("`{shown}` is no TOML: run `callgate check {shown}`");
        return Err((Exit::Findings, message));
    };
    // Whatever a layout does, it must not change what is said.
    if !same(&new, &text) {
        let message =
            format!("a bug of callgate: laying out `{shown}` would change it; it is as it was");
        return Err((Exit::Environment, message));
    }
    if new == text {
        return Ok(false);
    }
    print(&format!("{shown}\n"));
    if !check {
        replace(file, &new).map_err(|error| (Exit::Environment, error.to_string()))?;
    }
    Ok(true)
}
