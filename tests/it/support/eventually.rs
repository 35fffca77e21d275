//! Waiting for something that another process or thread does: asked again and again, never slept for.

use std::time::{Duration, Instant};

/// More than anything takes on a slow machine that is busy with something else; only who waits in vain waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
const STEP: Duration = Duration::from_millis(5);

/// Asks until there is an answer; panics, saying what was waited for, when none comes.
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(STEP);
    }
}

/// The same for a question that is a future.
pub(crate) async fn eventually_async<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(STEP).await;
    }
}
