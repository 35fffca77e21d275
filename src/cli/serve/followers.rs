//! What follows the turns, also those that are taken while the server stops: their effects are done, and they are
//! recorded.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::limits;
use crate::outbox::Outbox;
use crate::replay::recorder::Recorder;

/// The outbox, and the recorder if there is one, each with what tells it that there are no more turns.
pub(super) struct Followers {
    outbox: (JoinHandle<()>, CancellationToken),
    recorder: Option<(JoinHandle<()>, CancellationToken)>,
}

impl Followers {
    pub(super) fn start(outbox: Arc<Outbox>, recorder: Option<Recorder>) -> Self {
        let (idle, recorded) = (CancellationToken::new(), CancellationToken::new());
        let recorder = recorder.map(|recorder| tokio::spawn(recorder.run(recorded.clone())));
        Self {
            outbox: (tokio::spawn(outbox.run(idle.clone())), idle),
            recorder: recorder.map(|recorder| (recorder, recorded)),
        }
    }

    /// Lets each finish what it has begun, the outbox first.
    pub(super) async fn finish(self) {
        for (follower, over) in std::iter::once(self.outbox).chain(self.recorder) {
            over.cancel();
            let _ = tokio::time::timeout(limits::SHUTDOWN_GRACE, follower).await;
        }
    }
}
