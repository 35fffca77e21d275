//! When our own certificate runs out.
//!
//! Servers look at it when a connection is made, and only then: a server of ours goes on for weeks with one that has run
//! out, until its connections break, and those of all other servers with them.

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::limits::CERTIFICATE_TOLD_BEFORE;

/// From when on a certificate is good, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Validity {
    begins: Timestamp,
    ends: Timestamp,
}

/// What an operator should know of the certificates by which servers know us, in PEM: that the first of them to run out
/// does so within two weeks, or within the last third of its time where that is shorter.
pub(super) fn about(chain_pem: &[u8], now: Timestamp) -> Option<String> {
    let chain = CertificateDer::pem_slice_iter(chain_pem).flatten();
    let validities = chain.filter_map(|certificate| validity(&certificate));
    let Validity { begins, ends } = validities.min_by_key(|validity| validity.ends)?;
    let before = SignedDuration::try_from(CERTIFICATE_TOLD_BEFORE).ok()?;
    let told_from = ends.checked_sub(before.min(ends.duration_since(begins) / 3)).ok()?;
    (now >= told_from).then(|| {
        format!(
            "our certificate for Redis is good until {ends}, and then no connection can be made any more: put another \
             in its place, and start the servers again one after the other"
        )
    })
}

/// Reads as much of a certificate as it takes: RFC 5280, 4.1.
fn validity(certificate: &[u8]) -> Option<Validity> {
    const VERSION: u8 = 0xa0;
    let (_, certificate, _) = element(certificate)?;
    let (_, signed, _) = element(certificate)?;
    let (first, _, after_version) = element(signed)?;
    let from_serial_number = if first == VERSION { after_version } else { signed };
    let (_, _, from_algorithm) = element(from_serial_number)?;
    let (_, _, from_issuer) = element(from_algorithm)?;
    let (_, _, from_validity) = element(from_issuer)?;
    let (_, validity, _) = element(from_validity)?;
    let (begins_as, begins, from_end) = element(validity)?;
    let (ends_as, ends, _) = element(from_end)?;
    Some(Validity { begins: time(begins_as, begins)?, ends: time(ends_as, ends)? })
}

/// What stands first in this DER: its tag, what is in it, and what comes after it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    const LONG: u8 = 0x80;
    let (&[tag, first], rest) = der.split_first_chunk::<2>()?;
    let (length, rest) = if first < LONG {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first - LONG))?;
        let push = |length: usize, &digit: &u8| {
            length.checked_mul(256).map(|length| length + usize::from(digit))
        };
        (digits.iter().try_fold(0, push)?, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDHHMMSSZ` of 1950 to 2049, or the same with four digits of the year.
fn time(tag: u8, text: &[u8]) -> Option<Timestamp> {
    const UTC_TIME: u8 = 0x17;
    const GENERALIZED_TIME: u8 = 0x18;
    let text = std::str::from_utf8(text).ok()?;
    let text = match tag {
        UTC_TIME if text < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let date = [text.get(..4)?, text.get(4..6)?, text.get(6..8)?].join("-");
    let of_day = [text.get(8..10)?, text.get(10..12)?, text.get(12..14)?].join(":");
    format!("{date}T{of_day}Z").parse().ok()
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
        // Another spelling of years, and one far away.
        let late = made((1975, 1, 1), (2050, 1, 1));
        assert!(!told(&late, "2049-12-17T00:00:00Z") && told(&late, "2049-12-18T00:00:00Z"));
        // The first of a chain to run out counts.
        let chain = late + &year;
        assert!(!told(&chain, "2027-02-14T23:59:59Z") && told(&chain, "2027-02-15T00:00:00Z"));
    }

    #[test]
    fn what_is_no_certificate_tells_nothing() {
        let whole = made((2026, 3, 1), (2027, 3, 1));
        let der = CertificateDer::from_pem_slice(whole.as_bytes()).unwrap();
        assert!(validity(&der).is_some());
        // Whatever is cut off or altered: nothing is read beyond it.
        for end in 0..der.len() {
            assert_eq!(validity(&der[..end]), None, "{end}");
        }
        let mut altered = der.to_vec();
        for at in 0..altered.len() {
            for with in [0, 0x7f, 0x80, 0x84, 0xff] {
                let before = std::mem::replace(&mut altered[at], with);
                let _ = validity(&altered);
                altered[at] = before;
            }
        }
    }
}
