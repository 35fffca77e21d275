//! What is said of a panic: where it happened, and never its text. That may quote what a caller keyed in, because
//! the text of a library's panic contains what the library was given.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write as _;

/// From now on, reports every panic by its place only, with a backtrace if `RUST_BACKTRACE` asks for one.
pub fn tell_where() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".into(), ToString::to_string);
        let way = Backtrace::capture();
        let way = (way.status() == BacktraceStatus::Captured).then(|| way.to_string());
        if tracing::dispatcher::has_been_set() {
            tracing::error!(place, way, "panicked, which is a bug: please report it");
        } else {
            // There is nobody else to tell if this could not be written.
            let _ = writeln!(
                std::io::stderr(),
                "error: panicked at {place}, which is a bug: please report it\n{}",
                way.unwrap_or_default()
            );
        }
    }));
}
