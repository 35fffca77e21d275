//! What the process holds in memory goes into no file.
//!
//! A core file would have in it what callers have just keyed in, and the keys. One byte is less than any core
//! file needs; and at this limit Linux hands none to a program that collects them either, which at nought it does.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const LEAST: u64 = 1;

/// Has the system write no core file of this process, however it ends.
pub(super) fn forbid() {
    let most = getrlimit(Resource::Core).maximum.unwrap_or(LEAST).min(LEAST);
    let least = Rlimit { current: Some(most), maximum: Some(most) };
    if let Err(error) = setrlimit(Resource::Core, least) {
        tracing::warn!(%error, "core files cannot be switched off: if the server dies, one may hold what was keyed in");
    }
}
