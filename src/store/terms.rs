//! On what terms a store is opened: what its address does not say, and why it may not open.

use std::path::PathBuf;

use secrecy::SecretString;

/// Why a store cannot be opened, and what to do about it. Never shows a password of an address.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// None of the forms that name a store.
    #[error(
        "not a store; write `embedded:<path>`, `redis://<host>:<port>`, `redis+sentinel://…`, \
         `redis+cluster://…` or `memory:`"
    )]
    Unknown,
    /// `redis://` and then something else than an address.
    #[error("not a Redis address; write `redis://[user:password@]host[:port][/database]`")]
    RedisAddress,
    /// `redis+sentinel://` and then something else than Sentinels and a primary.
    #[error(
        "not the address of Sentinels; write \
         `redis+sentinel://[user:password@]host[:port],host[:port]/primary[/database]\
         [?sentinel_user=…&sentinel_password=…]`"
    )]
    SentinelAddress,
    /// `redis+cluster://` and then something else than nodes.
    #[error(
        "not the address of a cluster; write \
         `redis+cluster://[user:password@]host[:port],host[:port]`"
    )]
    ClusterAddress,
    /// The authority's file holds no certificate.
    #[error("`redis.ca_file` holds no certificate in PEM")]
    Authority,
    /// Our certificate's file holds none.
    #[error("`redis.client_certificate_file` holds no certificate in PEM, of X.509 version 3")]
    ClientCertificate,
    /// What should be its key is none, or another's.
    #[error(
        "`redis.client_key_file` holds no key in PEM without a passphrase, or not that of the first \
         certificate in `redis.client_certificate_file`"
    )]
    ClientKey,
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

/// What the address does not say of a store in Redis.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The servers' password; it counts above one in the address.
    pub password: Option<SecretString>,
    /// Who signs the servers' certificates, in PEM; `None`: those whom all browsers know.
    pub ca_pem: Option<Vec<u8>>,
    /// Who we are to servers and Sentinels that ask.
    pub client: Option<ClientCertificate>,
    /// Who else must have a turn before it is answered.
    pub replicas: Option<Replicas>,
}

/// A certificate of our own, by which servers know us.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The certificate and those that lead to its authority, in PEM.
    pub chain_pem: Vec<u8>,
    /// Its key, in PEM and without a passphrase.
    pub key_pem: SecretString,
}

/// How many replicas must have a write, and how long that may take: `WAIT`.
///
/// The price: another round trip for every write, and the replica's with it. What it buys: a turn
/// that was answered outlives the loss of the primary, if a replica that has it is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replicas {
    /// At least so many.
    pub count: u32,
    /// Milliseconds; then the turn is answered as if the store were gone.
    pub within_ms: u32,
}
