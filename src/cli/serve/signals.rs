//! What the system tells a server: to stop, or to look at its files.

use std::io::{self, IsTerminal as _, stderr};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::watch::Look;

/// The signal to look at its files, from here on: it may come while the server starts, and must not end it.
pub(super) struct HangUps {
    hang_up: Signal,
    /// Whether there was a terminal at that time.
    had_terminal: bool,
}

impl HangUps {
    /// Begins to listen: a signal that comes before somebody follows is not lost, and ends nothing by itself.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self { hang_up: signal(SignalKind::hangup())?, had_terminal: stderr().is_terminal() })
    }

    /// And the signal to stop, from here on: before that, the system ends the process at once.
    pub(super) fn and_stops(self) -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_ups: self,
        })
    }
}

/// What the system tells.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_ups: HangUps,
}

/// Stops on SIGTERM and SIGINT. On SIGHUP, has the files looked at, which is how a server is told to take up
/// changes; but if its terminal is gone, SIGHUP says so, and the server stops.
pub(super) async fn follow(signals: Signals, stop: CancellationToken, look: Option<Look>) {
    let Signals { mut terminate, mut interrupt, hang_ups } = signals;
    let HangUps { mut hang_up, had_terminal } = hang_ups;
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
