//! The address of a mail server. It holds a password, so no error shows any of it.

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, TlsParameters};
use percent_encoding::percent_decode_str;
use reqwest::Url;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};

/// Submission over TLS (RFC 8314).
const PORT_TLS: u16 = 465;
/// Submission, upgraded to TLS (RFC 6409).
const PORT_UPGRADED: u16 = 587;
/// A relay on this machine.
const PORT_PLAIN: u16 = 25;

/// Where mail is handed in, and as whom.
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) encryption: Encryption,
    pub(super) credentials: Option<Credentials>,
}

/// How a connection is encrypted.
pub(super) enum Encryption {
    /// `smtps://`
    FromTheStart(TlsParameters),
    /// `smtp://…?tls=required`
    Upgraded(TlsParameters),
    /// `smtp://`, to this machine alone.
    None,
}

/// Why mail cannot be sent with these settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not an address of a mail server.
    #[error("it is no address such as smtps://user:password@mail.example.com")]
    Url,
    /// Codes would go over the network in the clear.
    #[error(
        "mail would go over the network in the clear: write smtps://…, or smtp://…?tls=required"
    )]
    Clear,
    /// The authority's certificate.
    #[error("`ca_file` holds no certificate in PEM")]
    Authority,
    /// The sender.
    #[error("`from` is no sender such as \"Acme Bank <no-reply@acme.example>\"")]
    From,
}

impl Address {
    pub(super) fn read(url: &SecretString, ca_pem: Option<&[u8]>) -> Result<Self, AddressError> {
        let url = Url::parse(url.expose_secret()).map_err(|_| AddressError::Url)?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(AddressError::Url)?;
        let tls = || {
            let mut tls = TlsParameters::builder(host.trim_matches(['[', ']']).to_owned());
            if let Some(pem) = ca_pem {
                let mut authorities = CertificateDer::pem_slice_iter(pem).peekable();
                if authorities.peek().is_none() || authorities.any(|it| it.is_err()) {
                    return Err(AddressError::Authority);
                }
                tls = tls.add_root_certificate(
                    Certificate::from_pem(pem).map_err(|_| AddressError::Authority)?,
                );
            }
            tls.build_rustls().map_err(|_| AddressError::Authority)
        };
        let (encryption, port) = match (url.scheme(), url.query()) {
            ("smtps", None) => (Encryption::FromTheStart(tls()?), PORT_TLS),
            ("smtp", Some("tls=required")) => (Encryption::Upgraded(tls()?), PORT_UPGRADED),
            ("smtp", None) if is_this_machine(host) => (Encryption::None, PORT_PLAIN),
            ("smtp", None) => return Err(AddressError::Clear),
            _ => return Err(AddressError::Url),
        };
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) => Some(Credentials::new(plain(user)?, plain(password)?)),
            (_, None) => return Err(AddressError::Url),
        };
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Self { host, port: url.port().unwrap_or(port), encryption, credentials })
    }
}

fn plain(encoded: &str) -> Result<String, AddressError> {
    let decoded = percent_decode_str(encoded).decode_utf8().map_err(|_| AddressError::Url)?;
    Ok(decoded.into_owned())
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Address, AddressError> {
        Address::read(&SecretString::from(url), None)
    }

    #[test]
    fn the_scheme_says_how_it_is_encrypted() {
        let address = read("smtps://bank:p%40ss@mail.example.com").unwrap();
        assert!(matches!(address.encryption, Encryption::FromTheStart(_)));
        assert_eq!((address.host.as_str(), address.port), ("mail.example.com", 465));
        let password = Credentials::new("bank".into(), "p@ss".into());
        assert!(address.credentials == Some(password));
        let address = read("smtp://mail.example.com:2587?tls=required").unwrap();
        assert!(matches!(address.encryption, Encryption::Upgraded(_)));
        assert_eq!(address.port, 2587);
        assert!(matches!(read("smtp://[::1]").unwrap().encryption, Encryption::None));
    }

    #[test]
    fn what_would_show_codes_or_is_no_address_is_refused() {
        assert_eq!(read("smtp://mail.example.com").err(), Some(AddressError::Clear));
        for bad in [
            "mail.example.com",
            "http://mail.example.com",
            "smtps://",
            "smtps://user@host",
            "smtp://mail.example.com?tls=opportunistic",
            "smtps://u:%ff@mail.example.com",
        ] {
            assert_eq!(read(bad).err(), Some(AddressError::Url), "{bad}");
        }
        let pem = Address::read(&SecretString::from("smtps://mail.example.com"), Some(b"no"));
        assert_eq!(pem.err(), Some(AddressError::Authority));
    }
}
