//! `callgate completions`: for the shells that people use.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Exit, print};

/// What `completions` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  callgate completions bash > ~/.local/share/bash-completion/completions/callgate")]
pub(super) struct Args {
    /// The shell.
    shell: Shell,
}

pub(super) fn run<C: CommandFactory>(args: &Args) -> Exit {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut C::command(), "callgate", &mut text);
    print(&String::from_utf8_lossy(&text));
    Exit::Well
}
