//! Whether turns can be taken: the store takes writes, and nobody has written into it what this server cannot
//! read. And which store it is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Exchange, ExchangeError};
use crate::chance;
use crate::engine::turn::later;
use crate::limits::{PROBE_RETENTION, STORE_NAME_RETENTION};
use crate::store::envelope::{EnvelopeError, Kind};
use crate::store::{RecordKey, StoreError, Swap};

impl Exchange {
    /// Checks by writing that the store is there and takes writes. If a newer server wrote last, its calls and
    /// counts could not be read here.
    pub async fn probe(&self) -> Result<(), ExchangeError> {
        let key = RecordKey { kind: "probe", id: "00".into() };
        let now = self.clock.now();
        self.store.ping().await?;
        match self.rights.load_full() {
            Some(tried) => Result::clone(&tried)?,
            // The first to ask is told what the second will be.
            None => self.store.rights().await?,
        }
        let known = self.store.read(&key).await?;
        if let Some((_, last)) = &known
            && let Err(newer @ EnvelopeError::UnknownVersion(_)) =
                self.vault.open(Kind::Record, &key.id, last)
        {
            return Err(ExchangeError::Sealed("record", newer));
        }
        let known = known.map(|(revision, _)| revision);
        let sealed = self.vault.seal(Kind::Record, &key.id, &(), self.seal_nonce());
        // If another server was quicker, it has written.
        let swap = Swap { key: &key, expected: known, value: &sealed };
        self.store.swap(swap, later(now, PROBE_RETENTION), now).await?;
        Ok(())
    }

    /// Asks whether the store lets us do all that turns need, so that [`Self::probe`] knows: what it does not, if that
    /// is news. A store that does not answer tells nothing.
    pub async fn check_rights(&self) -> Option<Result<(), StoreError>> {
        let now = match self.store.rights().await {
            Err(error) if !matches!(error, StoreError::Refused(_)) => return None,
            tried => tried,
        };
        let before = self.rights.swap(Some(Arc::new(now.clone())));
        let told = |tried: &Result<(), StoreError>| tried.as_ref().err().map(ToString::to_string);
        (before.as_deref().and_then(told) != told(&now)).then_some(now)
    }

    /// The name of the store, which the first to ask has drawn. Servers that show different names have different
    /// stores.
    pub async fn store_name(&self) -> Result<String, ExchangeError> {
        let key = RecordKey { kind: "store", id: "00".into() };
        let (now, drawn) = (self.clock.now(), chance::id(self.chance()));
        self.change_record(&key, STORE_NAME_RETENTION, now, |store: &mut StoreName| {
            let name = store.name.get_or_insert_with(|| {
                let mut name = drawn.simple().to_string();
                name.truncate(NAME_DIGITS);
                name
            });
            name.clone()
        })
        .await
    }
}

/// Enough digits of a store's name to tell the few stores of a house apart.
const NAME_DIGITS: usize = 8;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct StoreName {
    name: Option<String>,
}
