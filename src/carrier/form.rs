//! A webhook's form, decoded exactly as it came.
//!
//! The signature covers every field, so nothing is trimmed, dropped, merged or guessed; and a form that is not
//! well formed is not the provider's and is refused whole.

use std::borrow::Cow;

use memchr::memchr3_iter;

use crate::limits;

/// Why a body is not a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// A `%` without two hexadecimal digits after it.
    #[error("a percent escape is broken")]
    Escape,
    /// A name or value that is not UTF-8.
    #[error("a field is not UTF-8")]
    Utf8,
    /// More fields than [`limits::FORM_PARAMETERS_MAX`].
    #[error("the form has too many fields")]
    TooMany,
}

/// A field's name and value.
pub type Field<'b> = (Cow<'b, str>, Cow<'b, str>);

/// Room for the fields of nearly every webhook.
const FIELDS: usize = 32;

/// Decodes an `application/x-www-form-urlencoded` body, or a query, into its fields in their order. A field
/// without `=` has an empty value; nothing between two `&` is no field.
pub fn parse(body: &[u8]) -> Result<Vec<(String, String)>, FormError> {
    let fields = fields(body)?.into_iter();
    Ok(fields.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
}

/// The same; text that needs no decoding is borrowed.
pub fn fields(body: &[u8]) -> Result<Vec<Field<'_>>, FormError> {
    let body = std::str::from_utf8(body).map_err(|_| FormError::Utf8)?;
    let mut fields = Vec::with_capacity(FIELDS);
    let (mut start, mut escaped) = (0, false);
    for at in memchr3_iter(b'&', b'+', b'%', body.as_bytes()).chain([body.len()]) {
        if matches!(body.as_bytes().get(at), Some(b'+' | b'%')) {
            escaped = true;
            continue;
        }
        let field = body.get(start..at).unwrap_or_default();
        if !field.is_empty() {
            if fields.len() == limits::FORM_PARAMETERS_MAX {
                return Err(FormError::TooMany);
            }
            let (name, value) = halves(field);
            // Most fields need no decoding.
            fields.push(if escaped {
                (decode(name)?, decode(value)?)
            } else {
                (Cow::Borrowed(name), Cow::Borrowed(value))
            });
        }
        (start, escaped) = (at + 1, false);
    }
    Ok(fields)
}

/// A field's name and value. The `=` between them is looked for byte by byte: a name is over before a faster
/// search has begun.
fn halves(field: &str) -> (&str, &str) {
    let equals = field.bytes().position(|byte| byte == b'=');
    let halves = equals.and_then(|at| field.split_at_checked(at));
    halves.map_or((field, ""), |(name, value)| (name, value.get(1..).unwrap_or_default()))
}

/// The position of the first byte that needs decoding.
fn escape_in(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| matches!(byte, b'+' | b'%'))
}

fn decode(encoded: &str) -> Result<Cow<'_, str>, FormError> {
    let mut rest = encoded.as_bytes();
    if escape_in(rest).is_none() {
        return Ok(Cow::Borrowed(encoded));
    }
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some((plain, from)) = escape_in(rest).and_then(|at| rest.split_at_checked(at)) {
        bytes.extend_from_slice(plain);
        rest = match from {
            [b'+', after @ ..] => {
                bytes.push(b' ');
                after
            }
            [b'%', high, low, after @ ..] => {
                bytes.push(digit(*high)? << 4 | digit(*low)?);
                after
            }
            _ => return Err(FormError::Escape),
        };
    }
    bytes.extend_from_slice(rest);
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| FormError::Utf8)
}

fn digit(byte: u8) -> Result<u8, FormError> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        b'A'..=b'F' => Ok(byte - b'A' + 10),
        _ => Err(FormError::Escape),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_decoded_as_it_stands() {
        let fields = |pairs: &[(&str, &str)]| {
            Ok(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>())
        };
        assert_eq!(parse(b""), fields(&[]));
        assert_eq!(parse(b"Digits="), fields(&[("Digits", "")]));
        assert_eq!(parse(b"Digits"), fields(&[("Digits", "")]));
        assert_eq!(parse(b"=x"), fields(&[("", "x")]));
        assert_eq!(parse(b"b=2&a=1&&b=2&"), fields(&[("b", "2"), ("a", "1"), ("b", "2")]));
        assert_eq!(parse(b"a=b=c"), fields(&[("a", "b=c")]));
        assert_eq!(parse(b"From=%2B1+415%20&x=+%09"), fields(&[("From", "+1 415 "), ("x", " \t")]));
        assert_eq!(parse(b"s=caf%C3%a9+%E2%98%83"), fields(&[("s", "café ☃")]));
        assert_eq!(parse("s=é".as_bytes()), fields(&[("s", "é")]));
    }

    #[test]
    fn what_is_not_a_form_is_refused() {
        for (body, error) in [
            (&b"a=%"[..], FormError::Escape),
            (b"a=%4", FormError::Escape),
            (b"a=%4g", FormError::Escape),
            (b"a%=1", FormError::Escape),
            (b"a=%+1", FormError::Escape),
            (b"a=%C3", FormError::Utf8),
            (b"a=\xFF", FormError::Utf8),
            (b"%80=a", FormError::Utf8),
            (b"a=%ED%A0%80", FormError::Utf8),
        ] {
            assert_eq!(parse(body), Err(error), "{body:?}");
        }
        let most = vec!["a=1"; limits::FORM_PARAMETERS_MAX].join("&");
        assert_eq!(parse(most.as_bytes()).map(|fields| fields.len()), Ok(512));
        assert_eq!(parse(format!("{most}&a=1").as_bytes()), Err(FormError::TooMany));
    }
}
