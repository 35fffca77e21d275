//! What is said of a panic: where, and never what. Its text may quote what a caller keyed in, for that of a
//! library has in it what the library was given.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write as _;

/// Has every panic from now on told by its place alone, and by the way there where `RUST_BACKTRACE` asks for it.
pub fn tell_where() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".into(), ToString::to_string);
        let way = Backtrace::capture();
        let way = (way.status() == BacktraceStatus::Captured).then(|| way.to_string());
        if tracing::dispatcher::has_been_set() {
            tracing::error!(place, way, "panicked, which is a bug: please report it");
        } else {
            // There is nobody else to tell that this could not be written.
            let _ = writeln!(
                std::io::stderr(),
                "error: panicked at {place}, which is a bug: please report it\n{}",
                way.unwrap_or_default()
            );
        }
    }));
}
