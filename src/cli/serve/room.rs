//! Room for connections: how many files the process may have open, and what follows from it; and for threads.
//!
//! A connection is an open file. Most systems start a process with a limit of 1024, which it may raise itself. If
//! there are too few, fewer connections are accepted: a client that fills them all up leaves the store, the
//! provider and the admin listener theirs.

use std::io;
use std::num::NonZero;
use std::sync::Mutex;
use std::thread::{self, available_parallelism};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::limits;

/// More than a thread needs that only waits.
const THREAD_STACK_BYTES: usize = 64 * 1024;

/// What there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// Workers that webhooks come in to.
    pub(super) workers: usize,
    /// Connections of each of them.
    pub(super) connections: usize,
}

/// Raises the limit as far as possible, and warns if that is not enough. `Err`: a worker could not even start,
/// and the others would wait for it without end.
pub(super) fn make() -> io::Result<Room> {
    let workers = available_parallelism().map_or(1, NonZero::get);
    let open_files = raise();
    let least = limits::OPEN_AT_LEAST + limits::OPEN_OF_WORKER * workers as u64;
    if open_files < least {
        return Err(io::Error::other(format!(
            "{open_files} files may be open, and {least} are needed at least: raise the limit (`ulimit -n`, \
             `LimitNOFILE=`)"
        )));
    }
    let room = Room { workers, connections: connections(open_files, workers) };
    if room.connections < limits::CONNECTIONS_MAX {
        tracing::warn!(
            open_files,
            wanted = limits::OPEN_BESIDE + (workers * limits::CONNECTIONS_MAX) as u64,
            connections = workers * room.connections,
            "few files may be open, so fewer connections are taken: raise the limit (`ulimit -n`, `LimitNOFILE=`)"
        );
    }
    Ok(room)
}

/// Whether there are as many threads as a server needs; `Err` if not. A runtime that lacks one panics, or waits
/// for it without end.
pub(super) fn for_threads() -> io::Result<()> {
    let workers = available_parallelism().map_or(1, NonZero::get);
    let needed = limits::THREADS_BESIDE + limits::THREADS_OF_WORKER * workers;
    let gate = Mutex::new(());
    thread::scope(|scope| {
        // All of them exist at the same time: each waits until the last one does.
        let closed = gate.lock();
        let made = (0..needed).try_for_each(|_| {
            let thread = thread::Builder::new().stack_size(THREAD_STACK_BYTES);
            thread.spawn_scoped(scope, || drop(gate.lock())).map(drop)
        });
        drop(closed);
        made.map_err(|error| {
            io::Error::other(format!(
                "{needed} threads are needed, and the system does not give them ({error}): raise the limit \
                 (`ulimit -u`, `TasksMax=`, `pids.max`)"
            ))
        })
    })
}

/// The limit that then applies; no limit counts as the highest.
fn raise() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: maximum, maximum };
    if current != maximum && setrlimit(Resource::Nofile, raised).is_ok() {
        return maximum.unwrap_or(u64::MAX);
    }
    current.unwrap_or(u64::MAX)
}

/// The connections of each worker. Other open files come first, but take no more than half.
fn connections(open_files: u64, workers: usize) -> usize {
    let beside = limits::OPEN_BESIDE.min(open_files / 2);
    let each = (open_files - beside) / workers as u64;
    usize::try_from(each).unwrap_or(usize::MAX).clamp(1, limits::CONNECTIONS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_else_is_open_comes_first() {
        for (open_files, workers, each) in [
            (u64::MAX, 2, limits::CONNECTIONS_MAX),
            (512 + 8_192, 2, limits::CONNECTIONS_MAX),
            (512 + 8_191, 2, limits::CONNECTIONS_MAX - 1),
            (1_024, 2, 256),
            (256, 2, 64),
            (1, 8, 1),
            (0, 1, 1),
        ] {
            assert_eq!(connections(open_files, workers), each, "{open_files}, {workers}");
        }
    }
}
