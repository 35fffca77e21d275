//! `callgate fmt`: flow files in their one layout.

use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::{Exit, print};
use crate::files::{flow_files, found, read_text};
use crate::flow::canonical::{canonical, same};
use crate::writing::replace;

/// What `fmt` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  callgate fmt                         every flow in ./flows
  callgate fmt flows/bank.toml         one of them
  callgate fmt --check                 name the files that would change, and exit 1")]
pub(super) struct Args {
    /// Flow files or folders, or names of flows in ./flows.
    #[arg(value_name = "PATH", default_value = "flows")]
    paths: Vec<PathBuf>,

    /// Change nothing; exit 1 if something would change.
    #[arg(long)]
    check: bool,
}

pub(super) fn run(args: &Args) -> Exit {
    // A file that cannot be laid out keeps no other from it.
    let exits = args.paths.iter().flat_map(|path| files(path)).map(|file| {
        match file.and_then(|file| lay_out(&file, args.check)) {
            Ok(changed) => Exit::found(args.check && changed),
            Err(failure) => failure.tell(),
        }
    });
    exits.max().unwrap_or(Exit::Well)
}

/// The files of a path.
fn files(path: &Path) -> Vec<Result<PathBuf, Failure>> {
    if !path.is_dir() {
        return vec![Ok(found(path))];
    }
    match flow_files(path) {
        Ok(files) => files.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error.into())],
    }
}

/// Formats one file, or says that it would; returns whether there was anything to do.
fn lay_out(file: &Path, check: bool) -> Result<bool, Failure> {
    let shown = file.display();
    if !file.exists() {
        return Err(Failure::usage(format!("there is no `{shown}`")));
    }
    let text = read_text(file)?;
    let Some(new) = canonical(&text) else {
        let message = format!("`{shown}` is no TOML: run `callgate check {shown}`");
        return Err(Failure::Other(Exit::Findings, message));
    };
    // Whatever the layout becomes, the meaning must not change.
    if !same(&new, &text) {
        let message =
            format!("a bug of callgate: laying out `{shown}` would change it; it is as it was");
        return Err(Failure::environment(message));
    }
    if new == text {
        return Ok(false);
    }
    print(&format!("{shown}\n"));
    if !check {
        replace(file, &new).map_err(Failure::environment)?;
    }
    Ok(true)
}
