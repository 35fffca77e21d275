//! Calls of a store, taken as transcripts.

use std::path::{Path, PathBuf};

use super::super::configured::{caretaker, open_store};
use super::super::failure::Failure;
use crate::config::{DEFAULT_FILE, KeptCalls};
use crate::directory::Directory;
use crate::directory::accounts::Accounts;
use crate::engine::id::CallId;
use crate::exchange::Exchange;
use crate::replay::journal::JournalError;
use crate::replay::recorder::{RecordError, Recorded, transcript_of};

/// One call.
pub(super) async fn one(config: Option<&Path>, id: &str) -> Result<Recorded, Failure> {
    let id = CallId::parse(id).ok_or_else(|| {
        Failure::usage("the name of a call is a UUID; `GET /api/calls` lists them")
    })?;
    let (exchange, _) = exchange(config).await?;
    transcript_of(&exchange, id).await.map_err(|error| match error {
        RecordError::Journal(JournalError::Empty) => Failure::usage(error.to_string()),
        _ => Failure::environment(error),
    })
}

/// The folder of the flows, the calls begun last, the newest first, and why others of them cannot be
/// told.
pub(super) async fn last(
    config: Option<&Path>,
    count_max: usize,
) -> Result<(PathBuf, Vec<Recorded>, Vec<String>), Failure> {
    let (exchange, flows) = exchange(config).await?;
    let calls = exchange.store().calls(count_max).await;
    let calls = calls.map_err(Failure::environment)?;
    let (mut recorded, mut untold) = (Vec::new(), Vec::new());
    for call in calls {
        match transcript_of(&exchange, call).await {
            Ok(one) => recorded.push(one),
            Err(error) => untold.push(format!("{call}: {error}")),
        }
    }
    Ok((flows, recorded, untold))
}

/// The store of a configuration, to be read alone, and the folder of its flows.
async fn exchange(config: Option<&Path>) -> Result<(Exchange, PathBuf), Failure> {
    let path = config.map_or_else(|| PathBuf::from(DEFAULT_FILE), Path::to_owned);
    let KeptCalls { kept, policy } = KeptCalls::load(&path)?;
    let store = open_store(&kept.store, &kept.store_options, &kept.vault).await?;
    let nobody = Directory::new(Accounts::default());
    Ok((caretaker(store, kept.vault, nobody, policy), kept.flows))
}
