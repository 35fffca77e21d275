//! Whether turns can be taken: the store takes a write.

use super::{Exchange, later};
use crate::limits::PROBE_RETENTION;
use crate::store::envelope::Kind;
use crate::store::{RecordKey, StoreError};

impl Exchange {
    /// Whether the store takes writes: one is made.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let key = RecordKey { kind: "probe", id: "00".into() };
        let now = self.clock.now();
        let known = self.store.read(&key).await?.map(|(revision, _)| revision);
        let sealed = self.vault.seal(Kind::Record, &key.id, &(), self.seal_nonce());
        // Where another server was quicker, it wrote.
        self.store.swap(&key, known, &sealed, later(now, PROBE_RETENTION), now).await.map(drop)
    }
}
