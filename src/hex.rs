//! Bytes in lower-case hexadecimal digits.

/// The digits that spell these bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    append(bytes, &mut digits);
    digits
}

/// The same, after what is there.
pub(crate) fn append(bytes: &[u8], to: &mut String) {
    for byte in bytes {
        for half in [byte >> 4, byte & 15] {
            to.push(char::from(if half < 10 { b'0' + half } else { b'a' + half - 10 }));
        }
    }
}
