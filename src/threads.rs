//! Which threads go first when several want the same processor: those that answer webhooks.

use rustix::process::setpriority_process;

/// Makes this thread yield to others: `niceness` is that of `nice`. On systems other than Linux this would apply to the
/// whole program, so nothing is done there. If the system does not allow it, all threads are equal.
pub fn give_way(niceness: i32) {
    if cfg!(target_os = "linux") {
        let _ = setpriority_process(None, niceness);
    }
}
