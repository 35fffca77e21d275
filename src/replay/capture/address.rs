//! The address that the provider called, as far as a capture tells: it may have been made in front of a proxy or
//! behind it, and the provider signs what it called.

use super::Captured;
use crate::carrier::form;
use crate::carrier::signature::{Bases, Keys};

/// The address under which the first request is signed: where it went to, or else where a proxy says
/// that it went to, or else its host. `None`: it tells none of these.
///
/// Whether it went over TLS is seldom told; what the signature says goes.
pub fn told(requests: &[Captured], keys: &Keys) -> Option<String> {
    let first = requests.first()?;
    let named = |name: &str| {
        let field = first.header(name)?;
        // Each proxy adds its own; the first one stood nearest to the provider.
        field.split(',').next().map(str::trim).filter(|name| !name.is_empty())
    };
    let scheme = named("X-Forwarded-Proto").unwrap_or("https");
    let told = match parts(&first.target) {
        (Some(origin), _) => origin.to_owned(),
        (None, _) => format!("{scheme}://{}", named("X-Forwarded-Host").or(named("Host"))?),
    };
    let plain = told.replacen("https://", "http://", 1);
    let fits = |base: &String| {
        let fields = form::parse(&first.body).unwrap_or_default();
        let signature = first.header(super::SIGNATURE).unwrap_or_default();
        keys.verify(&Bases::of(base), parts(&first.target).1, &fields, signature)
    };
    Some(if fits(&plain) && !fits(&told) { plain } else { told })
}

/// The target as the server gets it, below its public URL.
pub(super) fn below<'t>(target: &'t str, public_url: &str) -> &'t str {
    let (_, path) = parts(target);
    let prefix = parts(public_url).1.trim_end_matches('/');
    // Where the capture was made, a proxy that strips the public URL's path had not done so yet.
    match path.strip_prefix(prefix) {
        Some(rest) if rest.starts_with(ROUTES) => rest,
        _ => path,
    }
}

/// What every route of the provider begins with.
const ROUTES: &str = "/twilio/";

/// Scheme and authority, if there are any, and the rest.
fn parts(address: &str) -> (Option<&str>, &str) {
    let Some((scheme, rest)) = address.split_once("://").filter(|_| !address.starts_with('/'))
    else {
        return (None, address);
    };
    let path = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (origin, path) = address.split_at(scheme.len() + "://".len() + path);
    (Some(origin), path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::signature::sign;

    #[test]
    fn a_target_is_what_comes_below_the_public_url() {
        for (target, public_url, expected) in [
            ("/twilio/voice", "https://a.example", "/twilio/voice"),
            ("/ivr/twilio/voice?a=/b", "https://a.example/ivr/", "/twilio/voice?a=/b"),
            ("https://a.example/ivr/twilio/voice", "https://a.example/ivr", "/twilio/voice"),
            ("https://inner:8080/twilio/voice", "https://a.example/ivr", "/twilio/voice"),
            ("/twilio/voice", "https://a.example/twilio", "/twilio/voice"),
            ("/twilio/twilio/voice", "https://a.example/twilio", "/twilio/voice"),
            ("/twilio/turn/a?to=https://b/", "https://a.example", "/twilio/turn/a?to=https://b/"),
        ] {
            assert_eq!(below(target, public_url), expected, "{target} below {public_url}");
        }
    }

    #[test]
    fn the_address_is_what_the_first_request_tells() {
        let key = secrecy::SecretString::from("key");
        let keys = Keys::new(std::slice::from_ref(&key)).unwrap();
        let told_by = |signed_at: &str, target: &str, headers: &[(&str, &str)]| {
            let signature = sign(&key, &format!("{signed_at}{}", parts(target).1), &[]);
            let own = [(crate::replay::capture::SIGNATURE, signature.as_str())];
            let headers = headers.iter().chain(&own);
            let headers = headers.map(|(name, value)| (name.to_string(), value.to_string()));
            let request = Captured {
                line: 1,
                method: "POST".into(),
                target: target.into(),
                headers: headers.collect(),
                body: Vec::new(),
            };
            told(&[request], &keys)
        };
        let host = ("Host", "a.example");
        let a = Some("https://a.example".to_owned());
        assert_eq!(told_by("https://a.example", "/twilio/voice", &[host]), a);
        assert_eq!(
            told_by("http://a.example", "/twilio/voice", &[host]).as_deref(),
            Some("http://a.example")
        );
        // If it is signed for something else, that is refused and reported later.
        assert_eq!(told_by("https://b.example", "/twilio/voice", &[host]), a);
        let forwarded = [
            ("Host", "ivr:8080"),
            ("x-forwarded-host", "a.example, b"),
            ("X-Forwarded-Proto", "https"),
        ];
        assert_eq!(told_by("https://a.example", "/twilio/voice", &forwarded), a);
        let absolute = "https://a.example/twilio/voice";
        assert_eq!(told_by("https://a.example", absolute, &[("Host", "ivr")]), a);
        assert_eq!(told_by("https://a.example", "/twilio/voice", &[]), None);
    }
}
