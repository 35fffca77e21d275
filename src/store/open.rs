//! From the configuration's `store = "…"` to a store.

use std::path::Path;
use std::sync::Arc;

use super::Store;
use super::memory::MemoryStore;
use super::redb::RedbStore;
use super::redis::{self, RedisStore};
use super::terms::{OpenError, Options};

/// [`open_with`] nothing more to say.
pub async fn open(url: &str) -> Result<Arc<dyn Store>, OpenError> {
    open_with(url, &Options::default()).await
}

/// Opens the store that the configuration names: `embedded:<path>`, `redis://…` or `memory:`.
///
/// Redis need not be up: [`Store::ping`] tells. To be called within a tokio runtime.
pub async fn open_with(url: &str, options: &Options) -> Result<Arc<dyn Store>, OpenError> {
    match named(url)? {
        Named::Memory => Ok(Arc::new(MemoryStore::new())),
        Named::Embedded(path) => Ok(Arc::new(embedded(path).await?)),
        Named::Redis => Ok(Arc::new(RedisStore::connect_with(url, options)?)),
    }
}

/// Whether a configuration may name a store so. Nothing is opened, and nobody asked.
pub fn check_named(url: &str) -> Result<(), OpenError> {
    match named(url)? {
        Named::Memory | Named::Embedded(_) => Ok(()),
        Named::Redis => redis::check_address(url),
    }
}

/// Which store a configuration names.
enum Named<'a> {
    Memory,
    Embedded(&'a Path),
    Redis,
}

fn named(url: &str) -> Result<Named<'_>, OpenError> {
    let (scheme, rest) = url.split_once(':').ok_or(OpenError::Unknown)?;
    match scheme {
        "memory" if rest.is_empty() => Ok(Named::Memory),
        "embedded" if rest.is_empty() => Err(OpenError::NoPath),
        "embedded" => Ok(Named::Embedded(Path::new(rest))),
        "redis" | "rediss" | "redis+cluster" | "rediss+cluster" | "redis+sentinel"
        | "rediss+sentinel"
            if rest.starts_with("//") =>
        {
            Ok(Named::Redis)
        }
        _ => Err(OpenError::Unknown),
    }
}

/// Opening verifies the file, which is no work for an async worker.
async fn embedded(path: &Path) -> Result<RedbStore, OpenError> {
    let path = path.to_owned();
    let opened = tokio::task::spawn_blocking({
        let path = path.clone();
        move || RedbStore::open(&path)
    });
    opened.await.unwrap_or(Err(OpenError::Damaged(path)))
}
