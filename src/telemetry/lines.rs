//! Lines of the log on their way to standard error: gathered for a moment, so that a busy server does
//! not ask the system once a turn.
//!
//! Warnings and errors are written without delay, with everything before them; so is everything once it is more
//! than a moment's. A process that is killed loses the last moment's lines about what went well: the journal has
//! those turns all the same.
//!
//! One thread writes, and nobody waits for it: if the reader of the log stalls, lines are lost rather than
//! callers, and the first line after that says how many.

use std::io;
use std::mem::take;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use crate::limits::{
    LOG_BYTES_HELD_MAX, LOG_BYTES_WAITING_MAX, LOG_HELD_FOR, LOG_LAST_WRITTEN_WITHIN,
};

/// The lines that are not written yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines(Arc<Held>);

#[derive(Debug, Default)]
struct Held {
    waiting: Mutex<Waiting>,
    came: Condvar,
    written: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    /// They must not be held back any longer.
    without_delay: bool,
    /// Those before them are being written.
    writing: bool,
    /// Lines for which there was no room.
    lost: u64,
}

/// One line.
pub(super) struct Line<'a> {
    held: &'a Held,
    without_delay: bool,
}

impl Lines {
    /// `None`: the system gives us no thread to write them.
    pub(super) fn start() -> Option<Self> {
        let lines = Self::default();
        let held = lines.0.clone();
        let writer = std::thread::Builder::new().name("log".into());
        writer.spawn(move || held.write_from_time_to_time()).ok()?;
        Some(lines)
    }

    /// Writes what there is, as long as somebody reads it.
    pub(super) fn write_out(&self) {
        let mut waiting = self.0.waiting();
        waiting.without_delay = true;
        self.0.came.notify_one();
        let unwritten = |waiting: &mut Waiting| waiting.writing || !waiting.bytes.is_empty();
        drop(self.0.written.wait_timeout_while(waiting, LOG_LAST_WRITTEN_WITHIN, unwritten));
    }
}

impl Held {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_from_time_to_time(&self) {
        let (mut bytes, mut lost, mut torn) = (Vec::new(), 0, false);
        loop {
            lost += self.wait_for(&mut bytes);
            // Nobody can be told that standard error takes nothing, until it does.
            let refused = write_lines(&mut io::stderr(), &bytes, &mut torn);
            lost += refused;
            bytes.clear();
            bytes.shrink_to(LOG_BYTES_HELD_MAX);
            self.waiting().writing = false;
            self.written.notify_all();
            if lost > 0 && refused == 0 {
                tracing::warn!(
                    lines = take(&mut lost),
                    "lines of the log were lost: nobody took them, or not in time"
                );
            }
        }
    }

    /// Waits for lines, and a moment longer for those that follow; returns how many were lost.
    fn wait_for(&self, bytes: &mut Vec<u8>) -> u64 {
        let nothing = |waiting: &mut Waiting| waiting.bytes.is_empty();
        let waiting = self.came.wait_while(self.waiting(), nothing);
        let waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        let held = |waiting: &mut Waiting| !waiting.without_delay;
        let waiting = self.came.wait_timeout_while(waiting, LOG_HELD_FOR, held);
        let (mut waiting, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut waiting.bytes, bytes);
        waiting.without_delay = false;
        waiting.writing = true;
        take(&mut waiting.lost)
    }
}

/// Writes lines, and returns how many were not taken, as by a full disk; `torn`: only half of the last line was
/// written, and the next one begins on a new line.
fn write_lines(to: &mut impl io::Write, lines: &[u8], torn: &mut bool) -> u64 {
    let of = |bytes: &[u8]| {
        let ends = bytes.split(|byte| *byte == b'\n').skip(1).count();
        u64::try_from(ends).unwrap_or(u64::MAX)
    };
    if *torn && to.write_all(b"\n").is_err() {
        return of(lines);
    }
    *torn = false;
    let mut rest = lines;
    while !rest.is_empty() {
        match to.write(rest) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => {
                let written = lines.len() - rest.len();
                *torn =
                    lines.get(..written).is_some_and(|it| !it.is_empty() && !it.ends_with(b"\n"));
                return of(rest);
            }
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
        }
    }
    0
}

impl io::Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.held.waiting();
        if waiting.bytes.len() + line.len() > LOG_BYTES_WAITING_MAX {
            waiting.lost += 1;
            return Ok(line.len());
        }
        let first = waiting.bytes.is_empty();
        waiting.bytes.extend_from_slice(line);
        let without_delay = self.without_delay || waiting.bytes.len() > LOG_BYTES_HELD_MAX;
        if first || (without_delay && !waiting.without_delay) {
            waiting.without_delay |= without_delay;
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
        Line { held: &self.0, without_delay: false }
    }

    fn make_writer_for(&'a self, of: &Metadata<'_>) -> Self::Writer {
        Line { held: &self.0, without_delay: *of.level() <= Level::WARN }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn lines_are_taken_in_order_and_at_once_with_one_that_may_not_wait() {
        let held = Held::default();
        let mut line = Line { held: &held, without_delay: false };
        line.write_all(b"one\n").unwrap();
        line.write_all(b"two\n").unwrap();
        assert!(!held.waiting().without_delay);
        Line { held: &held, without_delay: true }.write_all(b"three\n").unwrap();
        assert!(held.waiting().without_delay);
        let mut bytes = Vec::new();
        assert_eq!(held.wait_for(&mut bytes), 0);
        assert_eq!(bytes, b"one\ntwo\nthree\n");
        assert!(!held.waiting().without_delay);
    }

    #[test]
    fn lines_that_nobody_takes_are_counted_and_not_kept() {
        let held = Held::default();
        let line = [b'x'; 1_000];
        let all = LOG_BYTES_WAITING_MAX / line.len() + 10;
        for _ in 0..all {
            Line { held: &held, without_delay: false }.write_all(&line).unwrap();
        }
        let mut bytes = Vec::new();
        let lost = usize::try_from(held.wait_for(&mut bytes)).unwrap();
        assert!(bytes.len() <= LOG_BYTES_WAITING_MAX, "{}", bytes.len());
        assert_eq!(bytes.len(), (all - lost) * line.len());
        assert!(lost >= 10, "{lost}");
        bytes.clear();
        Line { held: &held, without_delay: false }.write_all(&line).unwrap();
        assert_eq!((held.wait_for(&mut bytes), bytes.len()), (0, 1_000), "there is room again");
    }

    /// A disk with room for so many bytes more.
    struct Disk(Vec<u8>, usize);

    impl io::Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = self.1 - self.0.len();
            if room == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let taken = bytes.len().min(room);
            self.0.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_a_full_disk_refuses_are_counted_and_the_next_begins_a_line() {
        let (mut disk, mut torn) = (Disk(Vec::new(), 10), false);
        assert_eq!(write_lines(&mut disk, b"one\ntwo\nthree\nfour\n", &mut torn), 2);
        assert!(torn, "half of `three` was taken");
        assert_eq!(write_lines(&mut disk, b"five\n", &mut torn), 1);
        disk.1 = 100;
        assert_eq!(write_lines(&mut disk, b"six\n", &mut torn), 0);
        assert_eq!((disk.0.as_slice(), torn), (&b"one\ntwo\nth\nsix\n"[..], false));
    }
}
