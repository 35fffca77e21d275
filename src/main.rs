//! The program: parses the arguments, runs one command, and exits with its code.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A turn makes and drops hundreds of small things.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    callgate::cli::main()
}
