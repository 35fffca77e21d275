//! When our own certificate expires.
//!
//! Servers look at it only when a connection is made: a server of ours runs for weeks with an expired
//! certificate, until its connections break, and those of all other servers at the same time.

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{ASN1Time, FromDer as _, Validity, X509Certificate};

use crate::limits::CERTIFICATE_TOLD_BEFORE;

/// What an operator should know of the certificates that we show to servers, in PEM: that the first one expires
/// within two weeks, or is in the last third of its time if that is shorter.
pub(super) fn about(chain_pem: &[u8], now: Timestamp) -> Option<String> {
    let chain = CertificateDer::pem_slice_iter(chain_pem).flatten();
    let validities = chain.filter_map(|certificate| validity(&certificate));
    let (begins, ends) = validities.min_by_key(|(_, ends)| *ends)?;
    let before = SignedDuration::try_from(CERTIFICATE_TOLD_BEFORE).ok()?;
    let told_from = ends.checked_sub(before.min(ends.duration_since(begins) / 3)).ok()?;
    (now >= told_from).then(|| {
        format!(
            "our certificate for Redis is good until {ends}, and then no connection can be made any more: put another \
             in its place, and start the servers again one after the other"
        )
    })
}

/// From when on a certificate is good, and until when.
fn validity(certificate: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let Validity { not_before, not_after } = certificate.validity();
    let at = |time: &ASN1Time| Timestamp::from_second(time.timestamp()).ok();
    at(not_before).zip(at(not_after))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn made(begins: (i32, u8, u8), ends: (i32, u8, u8)) -> String {
        let mut certificate = CertificateParams::new(vec!["callgate".into()]).unwrap();
        certificate.not_before = date_time_ymd(begins.0, begins.1, begins.2);
        certificate.not_after = date_time_ymd(ends.0, ends.1, ends.2);
        certificate.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
    }

    fn told(chain: &str, now: &str) -> bool {
        about(chain.as_bytes(), now.parse().unwrap()).is_some()
    }

    #[test]
    fn it_is_told_two_weeks_before_or_in_the_last_third_of_a_short_one() {
        let year = made((2026, 3, 1), (2027, 3, 1));
        assert!(!told(&year, "2027-02-14T23:59:59Z"));
        assert!(told(&year, "2027-02-15T00:00:00Z") && told(&year, "2027-03-09T00:00:00Z"));
        let says = about(year.as_bytes(), "2027-02-20T00:00:00Z".parse().unwrap()).unwrap();
        assert!(says.contains("is good until 2027-03-01T00:00:00Z, and then "), "{says}");
        let short = made((2026, 3, 1), (2026, 3, 4));
        assert!(!told(&short, "2026-03-02T23:59:59Z") && told(&short, "2026-03-03T00:00:00Z"));
        // Years written in another form, and a distant one.
        let late = made((1975, 1, 1), (2050, 1, 1));
        assert!(!told(&late, "2049-12-17T00:00:00Z") && told(&late, "2049-12-18T00:00:00Z"));
        // In a chain, the first certificate to expire counts.
        let chain = late + &year;
        assert!(!told(&chain, "2027-02-14T23:59:59Z") && told(&chain, "2027-02-15T00:00:00Z"));
    }

    #[test]
    fn what_is_no_certificate_tells_nothing() {
        let whole = made((2026, 3, 1), (2027, 3, 1));
        let der = CertificateDer::from_pem_slice(whole.as_bytes()).unwrap();
        assert!(validity(&der).is_some());
        for end in 0..der.len() {
            assert_eq!(validity(&der[..end]), None, "{end}");
        }
    }
}
