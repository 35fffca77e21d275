//! `X-Twilio-Signature`: whether a webhook is the provider's.
//!
//! The signature is the base64 of an HMAC-SHA1 over the address as the provider has it, followed by
//! every form field: names in order of their bytes, each with its distinct values in order of theirs.
//! Webhook rules of the account may ask for HMAC-SHA256 in its place (Twilio, "Sign webhooks with shared
//! keys"): the length of a signature tells which it is.
//! The address is never parsed and put together again, for that changes it: it is the configured
//! public URL and the request's target as it came. Only the host's port is in doubt, because the
//! provider drops it for some services and keeps it for others (Twilio, "Webhooks security").

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret as _, SecretString};
use sha1::Sha1;
use sha2::Sha256;

/// The keys under which a webhook may be signed: one, or several while one replaces another. Each is already
/// taken in, which is a tenth of the work.
#[derive(Clone)]
pub struct Keys(Vec<Key>);

#[derive(Clone)]
struct Key {
    sha1: Hmac<Sha1>,
    sha256: Hmac<Sha256>,
}

/// The length of an HMAC-SHA256; an HMAC-SHA1 has 20 bytes.
const SHA256_BYTES: usize = 32;

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys(*** x {})", self.0.len())
    }
}

impl Keys {
    /// `None` if there is no key, or an empty one: whoever verifies without a key verifies nothing.
    pub fn new(keys: &[SecretString]) -> Option<Self> {
        let usable = !keys.is_empty() && keys.iter().all(|key| !key.expose_secret().is_empty());
        let key = |key| Key { sha1: keyed(key), sha256: keyed(key) };
        usable.then(|| Self(keys.iter().map(key).collect()))
    }

    /// Whether `header` signs a request for `target` (the request's target, as it came) at the public URL
    /// with the form fields `params`, decoded; a GET has none, for its fields stand in the target.
    ///
    /// Comparing takes as long for a signature that is nearly right as for any other; which key and which
    /// spelling of the address fit is no secret.
    pub fn verify<T: AsRef<str>>(
        &self,
        bases: &Bases,
        target: &str,
        params: &[(T, T)],
        header: &str,
    ) -> bool {
        let Ok(signature) = STANDARD.decode(header) else {
            return false;
        };
        if !target.starts_with('/') {
            return false;
        }
        let fields = in_order(params);
        bases.0.iter().any(|base| {
            let url = [base.as_str(), target];
            self.0.iter().any(|key| {
                // Neither takes more nor fewer than all its bytes.
                let verified = if signature.len() == SHA256_BYTES {
                    mac(key.sha256.clone(), &url, &fields).verify_slice(&signature)
                } else {
                    mac(key.sha1.clone(), &url, &fields).verify_slice(&signature)
                };
                verified.is_ok()
            })
        })
    }
}

/// The configured public URL as the provider may write it: as it is, and with the port left out or the scheme's
/// own put in; always without a name and password, a fragment and a last `/`.
#[derive(Clone, Debug)]
pub struct Bases(Vec<String>);

impl Bases {
    /// Those of a public URL.
    pub fn of(public_url: &str) -> Self {
        let base = public_url.split('#').next().unwrap_or_default().trim_end_matches('/');
        let (scheme, rest) = base.split_at(base.find("://").map_or(0, |at| at + "://".len()));
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let default = if scheme.eq_ignore_ascii_case("http://") { ":80" } else { ":443" };
        let hosts = match host.rsplit_once(':') {
            // The last colon of `[::1]` is the address's own.
            Some((name, port)) if !port.contains(']') => {
                vec![(host, ""), (name, ""), (name, default)]
            }
            _ => vec![(host, ""), (host, default)],
        };
        let hosts = hosts.into_iter();
        Self(hosts.map(|(host, port)| [scheme, host, port, path].concat()).collect())
    }
}

/// Signs a request as the provider does: for the demo and for tests.
pub fn sign(key: &SecretString, url: &str, params: &[(String, String)]) -> String {
    let signed = mac(keyed::<Hmac<Sha1>>(key), &[url], &in_order(params));
    STANDARD.encode(signed.finalize().into_bytes())
}

/// Names in order of their bytes, each with its distinct values in order of theirs.
fn in_order<T: AsRef<str>>(params: &[(T, T)]) -> Vec<(&str, &str)> {
    let mut fields: Vec<_> = params.iter().map(|(n, v)| (n.as_ref(), v.as_ref())).collect();
    fields.sort_unstable();
    fields.dedup();
    fields
}

fn keyed<M: KeyInit>(key: &SecretString) -> M {
    #[expect(clippy::expect_used, reason = "an HMAC takes a key of any length")]
    M::new_from_slice(key.expose_secret().as_bytes()).expect("any key will do")
}

fn mac<M: Mac>(mut mac: M, url: &[&str], fields: &[(&str, &str)]) -> M {
    let fields = fields.iter().flat_map(|(name, value)| [*name, *value]);
    // In one piece: the parts are many and short.
    let signed = url.iter().copied().chain(fields).collect::<Vec<_>>().concat();
    mac.update(signed.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "12345";
    const NONE: &[(&str, &str)] = &[];
    const BASE: &str = "https://mycompany.com";
    const TARGET: &str = "/myapp.php?foo=1&bar=2";
    const HASH: &str = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";

    type Params = Vec<(String, String)>;

    fn params(pairs: &[(&str, &str)]) -> Params {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn call_with(caller: &str, more: &[(&str, &str)]) -> Params {
        let mut all = params(&[
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", caller),
            ("Digits", "1234"),
            ("From", caller),
            ("To", "+18005551212"),
        ]);
        all.extend(params(more));
        all
    }

    fn call() -> Params {
        call_with("+14158675309", &[])
    }

    fn keys(keys: &[&str]) -> Keys {
        let keys: Vec<_> = keys.iter().map(|key| SecretString::from(*key)).collect();
        Keys::new(&keys).unwrap()
    }

    /// Key, base, target, fields, signature.
    type Vector = (&'static str, &'static str, String, Params, &'static str);

    fn vectors() -> Vec<Vector> {
        let ended = [("Reason", "Participant"), ("ReasonConferenceEnded", "test")];
        let ended = || call_with("+14158675309", &ended);
        let repeated =
            [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234")];
        let mut repeated = params(&repeated);
        repeated.push(("Digits".into(), "1234".into()));
        let example = "https://example.com";
        let path = |path: &str| format!("/path?test=param{path}");
        let target = || TARGET.to_owned();
        let form = params(&[("property", "value"), ("boolean", "true")]);
        let speech = [("CallSid", "CA1"), ("SpeechResult", "café ☃ a+b&c=d"), ("Confidence", "")];
        let cases = [("b", "1"), ("B", "2"), ("a_", "3"), ("aB", "4")];
        let spaces = [("From", " +1415 "), ("Body", " x ")];
        let get = "/voice?foo=1&CallSid=CA1&Digits=12%23".to_owned();
        vec![
            (KEY, BASE, target(), call(), "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
            (KEY, BASE, target(), repeated, "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
            (KEY, "http://mycompany.com:1234", target(), call(), "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
            (KEY, BASE, target(), call(), "kvajT1Ptam85bY51eRf/AJRuM3w="),
            (KEY, "http://mycompany.com", target(), call(), "0ZXoZLH/DfblKGATFgpif+LLRf4="),
            (
                KEY,
                BASE,
                format!("{TARGET}&bodySHA256={HASH}"),
                vec![],
                "a9nBmqA0ju/hNViExpshrM61xv4=",
            ),
            (
                KEY,
                BASE,
                format!("/myapp.php?bodySHA256={HASH}"),
                vec![],
                "y77kIzt2vzLz71DgmJGsen2scGs=",
            ),
            (KEY, BASE, target(), ended(), "vOEb5UThFn24KEfnOFLQY2AE5FY="),
            (KEY, "http://mycompany.com", target(), ended(), "n2xBNyzSW7rfYStDtOFiFMv7qNo="),
            (KEY, BASE, target(), form, "NBdBDr/T/lgjI+tlgpXjKZQZs/k="),
            (
                KEY,
                example,
                target(),
                call_with("+14158675310", &[]),
                "L/OH5YylLD5NRKLltdqwSvS0BnU=",
            ),
            // A name and password are not signed: this is the first vector again.
            (
                KEY,
                "https://user:pass@mycompany.com:443",
                target(),
                call(),
                "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
            ),
            (KEY, BASE, target(), call_with("+12349013030", &[]), "0/KCTR6DLpKmkAf8muzZqo1nDgQ="),
            ("s3cr3t", example, path(""), vec![], "loLgTitFAoWx57yy5oEU4Hlddzw="),
            ("s3cr3t", example, path(""), vec![], "IdwMFypqvNxti3YgvWWmfcNL26M="),
            ("s3cr3t", example, path("'WithQuote"), vec![], "GfI7onHX/KQ2k1oVS3cUTVk4IEw="),
            ("s3cr3t", example, path("%27WithQuote"), vec![], "HkuXLxVQ7zHv9LmGpzlLuGaxhJY="),
            (KEY, example, "/voice".into(), params(&speech), "HMSum0aAODAcluok62o1Zjtx/wE="),
            (KEY, example, get, vec![], "8l8YrhO/JbhUeLLZVbaFrQZotN8="),
            (KEY, example, "/voice".into(), params(&cases), "cqZk4Q7s/BvOwJvlcB4EkZCINPQ="),
            (KEY, example, "/voice".into(), params(&spaces), "8jqmQloBQQ7Oe51PJ2DCqlA5J4w="),
        ]
    }

    #[test]
    fn every_published_vector_verifies() {
        for (key, base, target, params, signature) in vectors() {
            assert!(
                keys(&[key]).verify(&Bases::of(base), &target, &params, signature),
                "{signature}"
            );
            let rotated = keys(&["old", key]);
            assert!(rotated.verify(&Bases::of(base), &target, &params, signature), "{signature}");
            assert!(
                !keys(&["old"]).verify(&Bases::of(base), &target, &params, signature),
                "{signature}"
            );
        }
    }

    /// Made with `RequestValidator(key).compute_signature(url, fields, "HMAC_SHA256")` of the provider's own
    /// library for Python, 9.13.0.
    #[test]
    fn a_shared_key_may_sign_with_sha256() {
        const FORM: &str = "E5VnwNBwyz0tCHTP5Dkbb6TefPRbPKoGqFaaypGFqwI=";
        const GET: &str = "Yvb30vkJtYkCHFozO7okCAGWfBN5hAzgHzgo2gvHYaY=";
        let (ours, both) = (keys(&["shared-key-secret"]), keys(&[KEY, "shared-key-secret"]));
        for keys in [&ours, &both] {
            assert!(keys.verify(&Bases::of(BASE), TARGET, &call(), FORM));
            assert!(keys.verify(&Bases::of(BASE), TARGET, NONE, GET));
            assert!(!keys.verify(&Bases::of(BASE), TARGET, &call(), GET));
            assert!(!keys.verify(&Bases::of(BASE), "/other", NONE, GET));
        }
        assert!(!keys(&[KEY]).verify(&Bases::of(BASE), TARGET, &call(), FORM));
        let bytes = STANDARD.decode(FORM).unwrap();
        for part in [&bytes[..20], &bytes[..31], &[], &[bytes.as_slice(), &[0]].concat()] {
            assert!(!ours.verify(&Bases::of(BASE), TARGET, &call(), &STANDARD.encode(part)));
        }
    }

    #[test]
    fn an_address_is_signed_as_it_is_given() {
        let key = SecretString::from(KEY);
        let url = "https://user:pass@mycompany.com:443/myapp.php?foo=1&bar=2";
        assert_eq!(sign(&key, url, &call()), "ZQFR1PTIZXF2MXB8ZnKCvnnA+rI=");
        let url = format!("{BASE}{TARGET}");
        assert_eq!(sign(&key, &url, &call()), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
    }

    #[test]
    fn sorting_names_together_with_values_is_not_the_signature() {
        let ended = [("Reason", "Participant"), ("ReasonConferenceEnded", "test")];
        let ended = call_with("+14158675309", &ended);
        assert!(!keys(&[KEY]).verify(
            &Bases::of(BASE),
            TARGET,
            &ended,
            "95+Bu0JVPi0r/SsESZCVf0dWAjw="
        ));
    }

    #[test]
    fn the_port_may_be_there_or_not_and_nothing_else_may_differ() {
        let keys = keys(&[KEY]);
        let signed = |url: &str| sign(&SecretString::from(KEY), url, &[]);
        for (base, url, is_ours) in [
            ("https://a.example:443", "https://a.example/x", true),
            ("https://a.example", "https://a.example:443/x", true),
            ("https://a.example:8443", "https://a.example/x", true),
            ("https://a.example:8443", "https://a.example:8443/x", true),
            ("https://a.example:8443", "https://a.example:9443/x", false),
            ("http://a.example", "http://a.example:80/x", true),
            ("http://a.example", "http://a.example:443/x", false),
            ("http://[::1]", "http://[::1]:80/x", true),
            ("http://[::1]:80", "http://[::1]/x", true),
            ("https://a.example/", "https://a.example/x", true),
            ("https://a.example/ivr", "https://a.example/ivr/x", true),
            ("https://a.example/ivr", "https://a.example/x", false),
            ("https://u:p@a.example#rc=2", "https://a.example/x", true),
            ("https://u:p@a.example", "https://u:p@a.example/x", false),
            ("https://a.example", "http://a.example/x", false),
            ("https://a.example", "https://a.example/x/", false),
            ("https://a.example", "https://A.example/x", false),
        ] {
            assert_eq!(
                keys.verify(&Bases::of(base), "/x", NONE, &signed(url)),
                is_ours,
                "{base} {url}"
            );
        }
        let url = signed("https://a.example@evil.example/x");
        assert!(!keys.verify(&Bases::of("https://a.example"), "@evil.example/x", NONE, &url));
    }

    #[test]
    fn a_changed_byte_is_refused() {
        let keys = keys(&[KEY]);
        let signature = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
        assert!(keys.verify(&Bases::of(BASE), TARGET, &call(), signature));
        for i in 0..TARGET.len() {
            let changed = flipped(TARGET, i);
            assert!(!keys.verify(&Bases::of(BASE), &changed, &call(), signature), "{changed}");
        }
        for i in 0..BASE.len() {
            assert!(!keys.verify(&Bases::of(&flipped(BASE, i)), TARGET, &call(), signature), "{i}");
        }
        for field in 0..call().len() {
            let (name, value) = call()[field].clone();
            for i in 0..name.len() {
                let mut fields = call();
                fields[field].0 = flipped(&name, i);
                assert!(!keys.verify(&Bases::of(BASE), TARGET, &fields, signature), "{fields:?}");
            }
            for i in 0..value.len() {
                let mut fields = call();
                fields[field].1 = flipped(&value, i);
                assert!(!keys.verify(&Bases::of(BASE), TARGET, &fields, signature), "{fields:?}");
            }
            let mut fields = call();
            fields.remove(field);
            assert!(!keys.verify(&Bases::of(BASE), TARGET, &fields, signature), "{fields:?}");
        }
        assert!(!keys.verify(
            &Bases::of(BASE),
            TARGET,
            &call_with("+14158675309", &[("A", "")]),
            signature
        ));
        for i in 0..signature.len() {
            for other in ['A', 'b', '0', '+', '/', '=', '-', '_', ' '] {
                let mut changed: Vec<_> = signature.chars().collect();
                if changed[i] != other {
                    changed[i] = other;
                    let changed: String = changed.into_iter().collect();
                    assert!(!keys.verify(&Bases::of(BASE), TARGET, &call(), &changed), "{changed}");
                }
            }
        }
    }

    #[test]
    fn a_signature_has_one_spelling() {
        let keys = keys(&[KEY]);
        let signature = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
        for other in [
            "",
            "RSOYDt4T1cUTdK1PDd93_VVr8B8=",
            "RSOYDt4T1cUTdK1PDd93/VVr8B8",
            "RSOYDt4T1cUTdK1PDd93/VVr8B9=",
            "RSOYDt4T1cUTdK1PDd93/VVr8B8==",
            " RSOYDt4T1cUTdK1PDd93/VVr8B8=",
            "RSOYDt4T1cUTdK1PDd93/VVr8B8= ",
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=\n",
            "RSOYDt4T1cUT dK1PDd93/VVr8B8=",
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=, RSOYDt4T1cUTdK1PDd93/VVr8B8=",
        ] {
            assert!(!keys.verify(&Bases::of(BASE), TARGET, &call(), other), "{other:?}");
        }
        let short = STANDARD.encode(&STANDARD.decode(signature).unwrap()[..19]);
        assert!(!keys.verify(&Bases::of(BASE), TARGET, &call(), &short));
    }

    #[test]
    fn no_key_is_no_keys() {
        assert!(Keys::new(&[]).is_none());
        assert!(Keys::new(&[SecretString::from("a"), SecretString::from("")]).is_none());
        assert!(!format!("{:?}", keys(&["hush"])).contains("hush"));
    }

    fn flipped(text: &str, at: usize) -> String {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] ^= 1;
        String::from_utf8(bytes).unwrap()
    }
}
