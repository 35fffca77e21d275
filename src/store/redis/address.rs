//! Where Redis is: one server, one that Sentinels name, or a cluster.
//!
//! | `store = …` | what |
//! |---|---|
//! | `redis://[user:password@]host[:port][/database]` | one server |
//! | `redis+sentinel://[user:password@]host[:port],…/primary[/database]` | the primary that Sentinels name |
//! | `redis+cluster://[user:password@]host[:port],…` | a cluster; any of its nodes tells the others |
//!
//! `rediss` in place of `redis` speaks TLS, to Sentinels too. The user and the password are those of
//! the servers; Sentinels that want a log-in get it by `?sentinel_user=…&sentinel_password=…`.

use ::redis::io::tcp::TcpSettings;
use ::redis::{
    ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, ProtocolVersion, TlsCertificates,
    TlsMode,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::ExposeSecret as _;

use super::super::{OpenError, Options};
use crate::limits::STORE_SILENCE_MAX;

/// Where Sentinels listen, unless told otherwise.
const SENTINEL_PORT: u16 = 26_379;

/// Where to connect to.
#[derive(Clone)]
pub(super) enum Address {
    One(Box<ConnectionInfo>),
    Sentinels(Box<Sentinels>),
    Cluster(Vec<ConnectionInfo>),
}

/// Those who know which server is the primary.
#[derive(Clone)]
pub(super) struct Sentinels {
    pub(super) at: Vec<ConnectionAddr>,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    /// The name of the primary.
    pub(super) primary: String,
    /// How the primary is spoken to; the host is not its.
    pub(super) server: ConnectionInfo,
}

impl Address {
    pub(super) fn parse(url: &str, options: &Options) -> Result<Self, OpenError> {
        let (scheme, rest) = url.split_once("://").ok_or(OpenError::RedisAddress)?;
        let tls = scheme.starts_with("rediss");
        match scheme.split_once('+').map(|(_, kind)| kind) {
            None => {
                let info = url.into_connection_info().map_err(|_| OpenError::RedisAddress)?;
                Ok(Self::One(Box::new(settings(info, url, options))))
            }
            Some("cluster") => {
                let parts = Parts::of(rest)?;
                let nodes = parts.hosts.iter().map(|host| {
                    parts.server(tls, host, "", options).ok_or(OpenError::ClusterAddress)
                });
                let nodes: Vec<_> = nodes.collect::<Result<_, _>>()?;
                // A cluster has one database and no other.
                if !parts.path.is_empty() || nodes.is_empty() {
                    return Err(OpenError::ClusterAddress);
                }
                Ok(Self::Cluster(nodes))
            }
            Some("sentinel") => sentinels(&Parts::of(rest)?, tls, options)
                .map(|sentinels| Self::Sentinels(Box::new(sentinels)))
                .ok_or(OpenError::SentinelAddress),
            Some(_) => Err(OpenError::Unknown),
        }
    }
}

fn sentinels(parts: &Parts<'_>, tls: bool, options: &Options) -> Option<Sentinels> {
    let (primary, database) = parts.path.split_once('/').unwrap_or((parts.path, ""));
    let at = parts.hosts.iter().map(|host| {
        let port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let host = if port { (*host).to_owned() } else { format!("{host}:{SENTINEL_PORT}") };
        let scheme = if tls { "rediss" } else { "redis" };
        let info = format!("{scheme}://{host}").into_connection_info().ok()?;
        Some(info.addr().clone())
    });
    let at: Vec<_> = at.collect::<Option<_>>()?;
    let server = parts.server(tls, parts.hosts.first()?, database, options)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (!primary.is_empty() && primary.chars().all(plain)).then(|| Sentinels {
        at,
        user: parts.asked("sentinel_user"),
        password: parts.asked("sentinel_password"),
        primary: primary.to_owned(),
        server,
    })
}

/// An address with several hosts, taken apart.
struct Parts<'a> {
    /// `user:password@`, or nothing.
    login: &'a str,
    hosts: Vec<&'a str>,
    path: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(rest: &'a str) -> Result<Self, OpenError> {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let hosts_at = authority.rfind('@').map_or(0, |at| at + 1);
        let (login, hosts) = authority.split_at_checked(hosts_at).ok_or(OpenError::RedisAddress)?;
        Ok(Self { login, hosts: hosts.split(',').collect(), path, query })
    }

    /// One server, with the log-in of all.
    fn server(
        &self,
        tls: bool,
        host: &str,
        database: &str,
        options: &Options,
    ) -> Option<ConnectionInfo> {
        let scheme = if tls { "rediss" } else { "redis" };
        let url = format!("{scheme}://{}{host}/{database}", self.login);
        let info = url.as_str().into_connection_info().ok()?;
        (!host.is_empty()).then(|| settings(info, self.query, options))
    }

    fn asked(&self, key: &str) -> Option<String> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(name, _)| *name == key).map(|(_, value)| value.to_owned()).next()
    }
}

/// How every server is spoken to.
fn settings(info: ConnectionInfo, url: &str, options: &Options) -> ConnectionInfo {
    // A connection idle when the server went away is noticed, and made anew, with RESP3 alone.
    let mut redis = info.redis_settings().clone();
    if !url.contains("protocol=") {
        redis = redis.set_protocol(ProtocolVersion::RESP3);
    }
    if let Some(password) = &options.password {
        redis = redis.set_password(password.expose_secret());
    }
    let tcp = TcpSettings::default().set_nodelay(true);
    #[cfg(target_os = "linux")]
    let tcp = tcp.set_user_timeout(STORE_SILENCE_MAX);
    info.set_redis_settings(redis).set_tcp_settings(tcp)
}

/// Whether a server is spoken to by TLS.
pub(super) fn tls(info: &ConnectionInfo) -> Option<TlsMode> {
    matches!(info.addr(), ConnectionAddr::TcpTls { .. }).then_some(TlsMode::Secure)
}

/// Whether this is at least one certificate, and nothing that is none.
pub(super) fn is_authority(pem: &[u8]) -> bool {
    let mut certificates = CertificateDer::pem_slice_iter(pem).peekable();
    certificates.peek().is_some() && certificates.all(|certificate| certificate.is_ok())
}

/// The authority that signs the servers' certificates, where it is not one that all know.
pub(super) fn certificates(options: &Options) -> Option<TlsCertificates> {
    let root_cert = options.ca_pem.clone();
    root_cert.map(|pem| TlsCertificates { client_tls: None, root_cert: Some(pem) })
}
