//! Whether a store was written under the state key that is given now.

use futures_util::future::join_all;

use super::head_key;
use crate::store::envelope::{EnvelopeError, Kind, Opened, Vault};
use crate::store::{PARTITIONS, Store};

/// The calls begun last that are looked at: of a store in which none is over yet, they alone tell.
const CALLS: usize = 8;

/// Whether what tells of it, the ends of the audit's chains and the calls begun last, was sealed under another state key.
/// All of it must have been: what somebody has put there is no reason not to go on, and an empty store is anybody's. What
/// cannot be read now tells nothing.
pub async fn is_of_another_key(store: &dyn Store, vault: &Vault) -> bool {
    let keys: Vec<_> = (0..PARTITIONS).map(head_key).collect();
    let ends = join_all(keys.iter().map(|key| store.read(key))).await;
    let ends = keys.iter().zip(ends).filter_map(|(key, end)| Some((&key.id, end.ok()??.1)));
    let mut opened: Vec<_> =
        ends.map(|(id, sealed)| vault.open(Kind::Record, id, &sealed)).collect();
    for call in store.calls(CALLS).await.unwrap_or_default() {
        if let Ok(Some(stored)) = store.load(call).await {
            opened.push(vault.open(Kind::Call, &call.to_string(), &stored.state));
        }
    }
    let anothers =
        |opened: &Result<Opened, EnvelopeError>| matches!(opened, Err(EnvelopeError::WrongKey));
    !opened.is_empty() && opened.iter().all(anothers)
}
