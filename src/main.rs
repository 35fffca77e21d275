//! The program: parses the arguments, runs one command, and exits with its code.

use std::process::ExitCode;

fn main() -> ExitCode {
    callgate::cli::main()
}
