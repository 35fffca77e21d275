//! Where Redis is: one server, one that Sentinels name, or a cluster.
//!
//! | `store = …` | what |
//! |---|---|
//! | `redis://[user:password@]host[:port][/database]` | one server |
//! | `redis+sentinel://[user:password@]host[:port],…/primary[/database]` | the primary that Sentinels name |
//! | `redis+cluster://[user:password@]host[:port],…` | a cluster; any of its nodes tells the others |
//!
//! `rediss` in place of `redis` speaks TLS, to Sentinels too. The user and the password are those of the servers;
//! for Sentinels that want a log-in there is `?sentinel_user=…&sentinel_password=…`. A character that means
//! something else in an address (`@`, `:`, `/`, `%` and such) is written as `%` and two digits, and an IPv6
//! address stands in brackets.

use ::redis::io::tcp::TcpSettings;
use ::redis::io::tcp::socket2::TcpKeepalive;
use ::redis::{
    ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, ProtocolVersion,
    TlsCertificates, TlsMode,
};
use percent_encoding::percent_decode_str;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use secrecy::ExposeSecret as _;

use super::super::{ClientCertificate, OpenError, Options};
use crate::limits::{STORE_IDLE_ASKED_AFTER, STORE_SILENCE_MAX};

/// The port of Sentinels, unless the address says otherwise.
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
    /// How to speak to the primary; the host in it is not used.
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
                // A cluster has only one database.
                if !parts.path.is_empty() || !parts.asked.is_empty() || nodes.is_empty() {
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
    let (mut user, mut password) = (None, None);
    for (name, value) in &parts.asked {
        let place = match *name {
            "sentinel_user" => &mut user,
            "sentinel_password" => &mut password,
            _ => return None,
        };
        let value = percent_decode_str(value).decode_utf8().ok()?;
        if place.replace(value.into_owned()).is_some() {
            return None;
        }
    }
    let primary = primary.to_owned();
    (!primary.is_empty() && primary.chars().all(plain)).then_some(Sentinels {
        at,
        user,
        password,
        primary,
        server,
    })
}

/// An address with several hosts, taken apart.
struct Parts<'a> {
    /// `user:password@`, or nothing.
    login: &'a str,
    hosts: Vec<&'a str>,
    path: &'a str,
    /// What stands after `?`, by name.
    asked: Vec<(&'a str, &'a str)>,
}

impl<'a> Parts<'a> {
    fn of(rest: &'a str) -> Result<Self, OpenError> {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let hosts_at = authority.rfind('@').map_or(0, |at| at + 1);
        let (login, hosts) = authority.split_at_checked(hosts_at).ok_or(OpenError::RedisAddress)?;
        let asked = query.split('&').filter(|pair| !pair.is_empty());
        let asked = asked.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
        Ok(Self { login, hosts: hosts.split(',').collect(), path, asked })
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
        (!host.is_empty()).then(|| settings(info, "", options))
    }
}

/// How every server is spoken to.
fn settings(info: ConnectionInfo, url: &str, options: &Options) -> ConnectionInfo {
    // With RESP3, a connection notices even while idle that the server has gone, and reconnects.
    let mut redis = info.redis_settings().clone();
    if !url.contains("protocol=") {
        redis = redis.set_protocol(ProtocolVersion::RESP3);
    }
    if let Some(password) = &options.password {
        redis = redis.set_password(password.expose_secret());
    }
    info.set_redis_settings(redis).set_tcp_settings(tcp())
}

/// How each connection is kept. An idle one is pinged, so that nothing between us and the server (a firewall,
/// address translation) forgets it in a quiet hour and the next turn gets no answer.
pub(super) fn tcp() -> TcpSettings {
    let asked_after =
        TcpKeepalive::new().with_time(STORE_IDLE_ASKED_AFTER).with_interval(STORE_SILENCE_MAX);
    let tcp = TcpSettings::default().set_nodelay(true).set_keepalive(asked_after);
    #[cfg(target_os = "linux")]
    let tcp = tcp.set_user_timeout(STORE_SILENCE_MAX);
    tcp
}

/// Whether TLS is spoken to a server.
pub(super) fn tls(info: &ConnectionInfo) -> Option<TlsMode> {
    matches!(info.addr(), ConnectionAddr::TcpTls { .. }).then_some(TlsMode::Secure)
}

/// Whether this is one certificate or more, and nothing else.
pub(super) fn is_authority(pem: &[u8]) -> bool {
    let mut certificates = CertificateDer::pem_slice_iter(pem).peekable();
    certificates.peek().is_some() && certificates.all(|certificate| certificate.is_ok())
}

/// Whether our certificate can be read and the key belongs to it: the servers would only refuse us, without
/// saying why.
pub(super) fn check_client(client: &ClientCertificate) -> Result<(), OpenError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&client.chain_pem).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(OpenError::ClientCertificate)?;
    let key = PrivateKeyDer::from_pem_slice(client.key_pem.expose_secret().as_bytes());
    let key = key.map_err(|_| OpenError::ClientKey)?;
    let key = any_supported_type(&key).map_err(|_| OpenError::ClientKey)?;
    CertifiedKey::new(chain, key).keys_match().map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => OpenError::ClientKey,
        // It has X.509 version 1, as `openssl x509 -req` makes it without extensions.
        _ => OpenError::ClientCertificate,
    })
}

/// The authority that signs the servers' certificates, unless it is a public one, and our own certificate, if we
/// have one.
pub(super) fn certificates(options: &Options) -> Option<TlsCertificates> {
    let client_tls = options.client.as_ref().map(|client| ClientTlsConfig {
        client_cert: client.chain_pem.clone(),
        client_key: client.key_pem.expose_secret().as_bytes().to_vec(),
    });
    let root_cert = options.ca_pem.clone();
    (client_tls.is_some() || root_cert.is_some())
        .then_some(TlsCertificates { client_tls, root_cert })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Option<Address> {
        Address::parse(url, &Options::default()).ok()
    }

    /// Host, port and log-in of one server.
    fn spoken(info: &ConnectionInfo) -> String {
        let redis = info.redis_settings();
        let (user, password) = (redis.username().unwrap_or("-"), redis.password().unwrap_or("-"));
        format!("{} {user} {password} {}", info.addr(), redis.db())
    }

    #[test]
    fn all_forms_take_tls_users_odd_passwords_and_ipv6_in_one_address() {
        let login = "callgate:a%40b%3Ac%2Fd%25%23%3F@";
        let Some(Address::One(one)) = parse(&format!("rediss://{login}[::1]:7000/3")) else {
            panic!("one server")
        };
        assert_eq!(spoken(&one), "::1:7000 callgate a@b:c/d%#? 3");
        assert!(tls(&one).is_some());

        let cluster = format!("rediss+cluster://{login}[2001:db8::1]:7000,redis-2,10.0.0.3:7002");
        let Some(Address::Cluster(nodes)) = parse(&cluster) else { panic!("a cluster") };
        let all: Vec<_> = nodes.iter().map(spoken).collect();
        let each = "callgate a@b:c/d%#? 0";
        let expected = ["2001:db8::1:7000", "redis-2:6379", "10.0.0.3:7002"];
        assert_eq!(all, expected.map(|at| format!("{at} {each}")));
        assert!(nodes.iter().all(|node| tls(node).is_some()));

        let asked = "sentinel_password=p%26%3D%2B+%20&sentinel_user=watch%C3%A9";
        let url = format!("rediss+sentinel://{login}[::1],[::2]:5000,redis-3/calls/2?{asked}");
        let Some(Address::Sentinels(all)) = parse(&url) else { panic!("Sentinels") };
        let at: Vec<_> = all.at.iter().map(ToString::to_string).collect();
        assert_eq!(at, ["::1:26379", "::2:5000", "redis-3:26379"]);
        assert!(all.at.iter().all(|at| matches!(at, ConnectionAddr::TcpTls { .. })));
        assert_eq!(
            (all.user.as_deref(), all.password.as_deref()),
            (Some("watch\u{e9}"), Some("p&=++ "))
        );
        assert!(spoken(&all.server).ends_with(" callgate a@b:c/d%#? 2"));
        assert!(tls(&all.server).is_some());
    }

    #[test]
    fn what_is_asked_for_after_the_hosts_is_known_or_refused() {
        for url in [
            "redis+sentinel://a,b/calls?sentinel_pasword=x",
            "redis+sentinel://a,b/calls?sentinel_user=x&sentinel_user=y",
            "redis+sentinel://a,b/calls?sentinel_user=%ff",
            "redis+cluster://a,b?sentinel_user=x",
            "redis+cluster://::1,b",
        ] {
            assert!(parse(url).is_none(), "{url}");
        }
    }
}
