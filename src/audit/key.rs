//! Whether a store was written under the state key that is given now.

use futures_util::future::join_all;

use super::head_key;
use crate::store::envelope::{EnvelopeError, Kind, Opened, Vault};
use crate::store::{PARTITIONS, Store, StoreError};

/// The number of most recent calls that are looked at: in a store in which no call is over yet, only they can
/// tell.
const CALLS: usize = 8;

/// Whether the evidence, which is the ends of the audit's chains and the most recent calls, was sealed under
/// another state key. All of it must have been: something that somebody put there is no reason to stop, and an
/// empty store may belong to anybody. What cannot be read now is no evidence; an error: the store is away, and
/// there was no evidence.
pub async fn is_of_another_key(store: &dyn Store, vault: &Vault) -> Result<bool, StoreError> {
    let keys: Vec<_> = (0..PARTITIONS).map(head_key).collect();
    let (mut opened, mut away) = (Vec::new(), None);
    let ends = join_all(keys.iter().map(|key| store.read(key))).await;
    for (key, end) in keys.iter().zip(ends) {
        match end {
            Ok(Some((_, sealed))) => opened.push(vault.open(Kind::Record, &key.id, &sealed)),
            Err(error) if error.is_away() => away = Some(error),
            Ok(None) | Err(_) => {}
        }
    }
    for call in store.calls(CALLS).await.unwrap_or_default() {
        if let Ok(Some(stored)) = store.load(call).await {
            opened.push(vault.open(Kind::Call, &call.to_string(), &stored.state));
        }
    }
    let anothers =
        |opened: &Result<Opened, EnvelopeError>| matches!(opened, Err(EnvelopeError::WrongKey));
    match away {
        Some(away) if opened.is_empty() => Err(away),
        _ => Ok(!opened.is_empty() && opened.iter().all(anothers)),
    }
}
