//! What something costs, whatever else the machine is busy with.

use std::time::Duration;

/// How long this thread has been at work.
pub(crate) fn on_cpu() -> Duration {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(spent.split(' ').next().unwrap().parse().unwrap())
}
