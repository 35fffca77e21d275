//! Lines of the log on their way to standard error: gathered for a moment, so that a busy server does
//! not ask the system once a turn.
//!
//! Warnings and errors are written at once, with everything before them; so is everything once it is
//! more than a moment's. A process that is killed takes the last moment's lines of what went well with
//! it: the journal has those turns all the same.

use std::io::{self, Write as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use crate::limits::{LOG_BYTES_HELD_MAX, LOG_HELD_FOR};

/// The lines that are not written yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines(Arc<Held>);

#[derive(Debug, Default)]
struct Held {
    bytes: Mutex<Vec<u8>>,
    came: Condvar,
}

/// One line.
pub(super) struct Line<'a> {
    held: &'a Held,
    at_once: bool,
}

impl Lines {
    /// `None`: the system gives no thread to write them.
    pub(super) fn start() -> Option<Self> {
        let lines = Self::default();
        let held = lines.0.clone();
        let writer = std::thread::Builder::new().name("log".into());
        writer.spawn(move || held.write_from_time_to_time()).ok()?;
        Some(lines)
    }

    /// Writes what there is.
    pub(super) fn write_out(&self) {
        write_out(&mut self.0.bytes());
    }
}

impl Held {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_from_time_to_time(&self) {
        loop {
            let nothing = |bytes: &mut Vec<u8>| bytes.is_empty();
            drop(self.came.wait_while(self.bytes(), nothing));
            std::thread::sleep(LOG_HELD_FOR);
            write_out(&mut self.bytes());
        }
    }
}

/// Nobody can be told that standard error takes nothing.
fn write_out(bytes: &mut Vec<u8>) {
    let _ = io::stderr().write_all(bytes);
    bytes.clear();
}

impl io::Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut bytes = self.held.bytes();
        let first = bytes.is_empty();
        bytes.extend_from_slice(line);
        if self.at_once || bytes.len() > LOG_BYTES_HELD_MAX {
            write_out(&mut bytes);
        } else if first {
            self.held.came.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Line { held: &self.0, at_once: false }
    }

    fn make_writer_for(&'a self, of: &Metadata<'_>) -> Self::Writer {
        Line { held: &self.0, at_once: *of.level() <= Level::WARN }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_held_in_order_until_one_is_written_at_once() {
        let held = Held::default();
        let mut line = Line { held: &held, at_once: false };
        line.write_all(b"one\n").unwrap();
        line.write_all(b"two\n").unwrap();
        assert_eq!(*held.bytes(), b"one\ntwo\n");
        Line { held: &held, at_once: true }.write_all(b"three\n").unwrap();
        assert_eq!(*held.bytes(), b"");
    }
}
