//! Keeps what the process has in memory out of any file.
//!
//! A core file would contain what callers have just keyed in, and the keys. One byte is less than any core file
//! needs; with this limit Linux does not hand a core to a collecting program either, which it does with a limit
//! of zero.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const LEAST: u64 = 1;

/// Makes the system write no core file of this process, however it ends.
pub(super) fn forbid() {
    let most = getrlimit(Resource::Core).maximum.unwrap_or(LEAST).min(LEAST);
    let least = Rlimit { current: Some(most), maximum: Some(most) };
    if let Err(error) = setrlimit(Resource::Core, least) {
        tracing::warn!(%error, "core files cannot be switched off: if the server dies, one may hold what was keyed in");
    }
}
