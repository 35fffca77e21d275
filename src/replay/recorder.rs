//! Turns live calls into transcripts: taken out of the store, run once more, and written with what came back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::CancellationToken;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber as _;

use super::bless::bless;
use super::journal::{JournalError, run_again};
use super::{Transcript, record, run};
use crate::engine::id::CallId;
use crate::exchange::{Exchange, ExchangeError};
use crate::writing::{WriteError, create};

/// A call as a transcript.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The call.
    pub call: CallId,
    /// The flow that it began in.
    pub flow: String,
    /// The transcript.
    pub text: String,
    /// Why it does not run as the call did; `None`: it does.
    pub astray: Option<String>,
}

/// Why a call cannot become a transcript.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It cannot be read from the store.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// Its journal is of no use.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What was written is no transcript.
    #[error("a bug of callgate's: the transcript cannot be read: {0}")]
    Unreadable(String),
}

/// Takes a call out of the store as a transcript.
pub async fn transcript_of(exchange: &Exchange, id: CallId) -> Result<Recorded, RecordError> {
    let call = exchange.load(id).await?.ok_or(JournalError::Empty)?.call;
    let entries = exchange.journal(id).await?;
    let flows = exchange.flows_of(&call).await?;
    let journal = run_again(&flows, &call.edition, exchange.policy(), &entries)?;
    let draft = record::transcript(&flows, exchange.policy(), &journal);
    let (transcript, findings) = Transcript::read("recorded.toml", &draft);
    let unreadable = || {
        let messages: Vec<_> = findings.iter().map(|finding| finding.message.clone()).collect();
        RecordError::Unreadable(messages.join("; "))
    };
    let transcript = transcript.ok_or_else(unreadable)?;
    // Running it once more is no event: the log says nothing of it.
    let report = Box::pin(run(&transcript, &flows)).with_subscriber(Dispatch::none()).await;
    let lived: Vec<_> = entries.iter().flat_map(|entry| &entry.hops).collect();
    let same = report.hops.iter().zip(&lived).take_while(|(one, other)| one == *other).count();
    let astray = (report.hops.len() != lived.len() || same != lived.len()).then(|| {
        let left =
            lived.get(same).map_or("its end".to_owned(), |hop| format!("`{}`", hop.at.state));
        format!("it goes otherwise from {left} on: the call hung on earlier calls")
    });
    let mut text = bless(&draft, &report)
        .ok_or_else(|| RecordError::Unreadable("it is no TOML".to_owned()))?;
    if let Some(astray) = &astray {
        text = format!("# Not as the call was: {astray}.\n{text}");
    }
    Ok(Recorded { call: id, flow: call.flow.to_string(), text, astray })
}

/// Writes each call that ends into a folder, until it is told to stop and has written the last one.
#[derive(Debug)]
pub struct Recorder {
    exchange: Arc<Exchange>,
    folder: PathBuf,
    ended: UnboundedReceiver<CallId>,
}

impl Recorder {
    /// A recorder of the calls that end in this exchange from now on.
    pub fn new(exchange: Arc<Exchange>, folder: &Path) -> Self {
        let (tell, ended) = unbounded_channel();
        exchange.tell_ends(tell);
        Self { exchange, folder: folder.to_owned(), ended }
    }

    /// Runs until it is stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let ended = tokio::select! {
                biased;
                ended = self.ended.recv() => ended,
                () = stop.cancelled() => None,
            };
            let Some(call) = ended else { return };
            self.write(call).await;
        }
    }

    async fn write(&self, call: CallId) {
        let recorded = match transcript_of(&self.exchange, call).await {
            Ok(recorded) => recorded,
            Err(error) => {
                tracing::error!(call.id = %call, %error, "a call could not be recorded");
                return;
            }
        };
        match (keep(&self.folder, &recorded), &recorded.astray) {
            (Err(error), _) => {
                tracing::error!(call.id = %call, %error, "a call could not be recorded");
            }
            (Ok(file), None) => {
                tracing::info!(call.id = %call, file = %file.display(), "a call was recorded");
            }
            (Ok(file), Some(astray)) => {
                let file = file.display();
                tracing::warn!(call.id = %call, %file, astray, "a recorded call does not replay as it was");
            }
        }
    }
}

/// Writes a transcript into a folder under the call's name: a new file, whole.
fn keep(folder: &Path, recorded: &Recorded) -> Result<PathBuf, WriteError> {
    let file = folder.join(format!("{}.{}.toml", recorded.flow, recorded.call));
    create(&file, &recorded.text)?;
    Ok(file)
}
