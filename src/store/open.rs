//! From the configuration's `store = "…"` to a store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Store;
use super::memory::MemoryStore;
use super::redb::RedbStore;
use super::redis::RedisStore;

/// Why a store cannot be opened, and what to do about it. Never shows a password of an address.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// None of the forms that name a store.
    #[error("not a store; write `embedded:<path>`, `redis://<host>:<port>` or `memory:`")]
    Unknown,
    /// A form that a later callgate will take.
    #[error(
        "`{0}` stores are not supported yet; write `redis://<host>:<port>` or `embedded:<path>`"
    )]
    NotSupportedYet(&'static str),
    /// `redis://` and then something else than an address.
    #[error("not a Redis address; write `redis://[user:password@]host[:port][/database]`")]
    RedisAddress,
    /// `embedded:` and nothing.
    #[error("no file named; write `embedded:<path>`")]
    NoPath,
    /// The file's directory is missing.
    #[error("the directory of `{}` does not exist; create it, or name another file", .0.display())]
    NoDirectory(PathBuf),
    /// The path is a directory.
    #[error("`{}` is a directory; name a file in it", .0.display())]
    IsDirectory(PathBuf),
    /// The file or its directory may not be read and written.
    #[error(
        "no permission to read and write `{}`; run as its owner, or change its permissions",
        .0.display()
    )]
    Forbidden(PathBuf),
    /// Another process has it open.
    #[error("`{}` is in use by another process; stop that one, or name another file", .0.display())]
    InUse(PathBuf),
    /// Something that callgate did not write.
    #[error(
        "`{}` is not a callgate store; it was left as it is: name another file, or move it away",
        .0.display()
    )]
    Foreign(PathBuf),
    /// Written by callgate, changed by something else.
    #[error(
        "`{}` is damaged; it was left as it is: bring back a copy, or move it away to begin anew",
        .0.display()
    )]
    Damaged(PathBuf),
    /// Written by a callgate that knows more.
    #[error("`{}` has format {found}, and this callgate reads {known}; update callgate", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest format this program reads.
        known: u64,
    },
    /// The system refused for another reason.
    #[error("cannot open `{}`", .path.display())]
    System {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Opens the store that the configuration names: `embedded:<path>`, `redis://…` or `memory:`.
///
/// Redis need not be up: [`Store::ping`] tells. To be called within a tokio runtime.
pub async fn open(url: &str) -> Result<Arc<dyn Store>, OpenError> {
    let (scheme, rest) = url.split_once(':').ok_or(OpenError::Unknown)?;
    match scheme {
        "memory" if rest.is_empty() => Ok(Arc::new(MemoryStore::new())),
        "embedded" if rest.is_empty() => Err(OpenError::NoPath),
        "embedded" => Ok(Arc::new(embedded(Path::new(rest)).await?)),
        "redis" if rest.starts_with("//") => Ok(Arc::new(RedisStore::connect(url)?)),
        "rediss" => Err(OpenError::NotSupportedYet("rediss://")),
        "redis+cluster" => Err(OpenError::NotSupportedYet("redis+cluster://")),
        "redis+sentinel" => Err(OpenError::NotSupportedYet("redis+sentinel://")),
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
