//! Calls of a store, taken as transcripts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::failure::OTHER_KEY;
use super::{Failure, unusable};
use crate::audit::key::is_of_another_key;
use crate::chance::SystemChance;
use crate::clock::SystemClock;
use crate::config::{DEFAULT_FILE, KeptCalls};
use crate::directory::Directory;
use crate::directory::accounts::Accounts;
use crate::engine::id::CallId;
use crate::exchange::{Exchange, Parts};
use crate::flow::FlowSet;
use crate::replay::journal::JournalError;
use crate::replay::recorder::{RecordError, Recorded, transcript_of};
use crate::store;

/// One call.
pub(super) async fn one(config: Option<&Path>, id: &str) -> Result<Recorded, Failure> {
    let id = CallId::parse(id).ok_or_else(|| {
        (2, "the name of a call is a UUID; `GET /api/calls` lists them".to_owned())
    })?;
    let (exchange, _) = exchange(config).await?;
    transcript_of(&exchange, id).await.map_err(|error| failure(&error))
}

/// The folder of the flows, the calls begun last, the newest first, and why others of them cannot be
/// told.
pub(super) async fn last(
    config: Option<&Path>,
    count_max: usize,
) -> Result<(PathBuf, Vec<Recorded>, Vec<String>), Failure> {
    let (exchange, flows) = exchange(config).await?;
    let calls = exchange.store().calls(count_max).await;
    let calls = calls.map_err(|error| (3, error.to_string()))?;
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
    let KeptCalls { kept, policy } = KeptCalls::load(&path).map_err(|error| unusable(&error))?;
    let store = store::open_with(&kept.store, &kept.store_options).await;
    let store = store.map_err(|error| (3, error.to_string()))?;
    if is_of_another_key(store.as_ref(), &kept.vault).await {
        return Err((2, OTHER_KEY.into()));
    }
    let exchange = Exchange::new(Parts {
        store,
        vault: kept.vault,
        directory: Arc::new(Directory::new(Accounts::default())),
        clock: Arc::new(SystemClock),
        chance: Arc::new(SystemChance),
        policy,
        flows: FlowSet::default(),
    });
    Ok((exchange, kept.flows))
}

fn failure(error: &RecordError) -> Failure {
    let code = match error {
        RecordError::Journal(JournalError::Empty) => 2,
        _ => 3,
    };
    (code, error.to_string())
}
