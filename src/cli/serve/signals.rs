//! What the system tells a server: that it is to stop, or to look at its files.

use std::io::{IsTerminal as _, stderr};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::watch::Look;

/// Stops on SIGTERM and SIGINT; on SIGHUP has the files looked at, which is how a server is told to take up
/// what was changed. Whose terminal is gone is told so by SIGHUP as well, and stops.
pub(super) async fn follow(stop: CancellationToken, look: Option<Look>) {
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hang_up)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::hangup()),
    ) else {
        return;
    };
    let had_terminal = stderr().is_terminal();
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => {
                if had_terminal && !stderr().is_terminal() {
                    break;
                }
                tracing::info!("callgate was told to look at its files");
                if let Some(look) = &look {
                    look.at_once();
                }
            }
        }
    }
    tracing::info!("callgate was told to stop");
    stop.cancel();
}
