//! Which threads go first where they want the same processor: those that answer webhooks.

use rustix::process::setpriority_process;

/// Has this thread give way to others: `niceness` is that of `nice`. Elsewhere than on Linux it would be the
/// whole program that does. Where the system does not allow it, all threads are equal.
pub fn give_way(niceness: i32) {
    if cfg!(target_os = "linux") {
        let _ = setpriority_process(None, niceness);
    }
}
