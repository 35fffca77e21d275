//! Reads HTTP/1.1 as text: requests one after another, each with a body as long as it says. Answers may stand
//! between them, if both directions of a connection were written down: they are skipped.

use crate::limits;

/// Header fields that a request may have.
const HEADERS_MAX: usize = 64;

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// The line in which it begins, from 1.
    pub line: usize,
    /// The method.
    pub method: String,
    /// The target, byte for byte.
    pub target: String,
    /// The header fields.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What is wrong with a capture, and in which line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {what}")]
pub struct CaptureError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

impl Captured {
    /// The first header field of a name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let named = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    /// The method and the target, without what is spent in it.
    pub fn route(&self) -> String {
        let path = self.target.split('?').next().unwrap_or_default();
        let parts: Vec<_> = path.split('/').take(3).collect();
        let more = if path.split('/').count() > 3 { "/…" } else { "" };
        format!("{} {}{more}", self.method, parts.join("/"))
    }
}

/// Reads all requests of a capture.
pub fn read(text: &[u8]) -> Result<Vec<Captured>, CaptureError> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mut requests: Vec<Captured> = Vec::new();
    let mut at = blank(text, 0);
    while at < text.len() {
        let line = line_of(text, at);
        let rest = text.get(at..).unwrap_or_default();
        let length = if rest.starts_with(b"HTTP/1.") {
            answer(rest, line)?
        } else {
            let (request, length) = one(rest, line, requests.last())?;
            requests.push(request);
            length
        };
        at = blank(text, at + length);
    }
    if requests.is_empty() {
        return Err(CaptureError { line: 1, what: "there is no request".to_owned() });
    }
    Ok(requests)
}

/// What some editors begin a text with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A request, and how many bytes it takes.
fn one(
    rest: &[u8],
    line: usize,
    before: Option<&Captured>,
) -> Result<(Captured, usize), CaptureError> {
    let wrong = |what: String| CaptureError { line, what };
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let head = match parsed.parse(rest) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => {
            return Err(wrong("the request is cut off before its body".to_owned()));
        }
        Err(error) => {
            let hint = before.map_or(String::new(), |before| {
                format!("; is the `Content-Length` of the one in line {} right?", before.line)
            });
            return Err(wrong(format!("no HTTP/1.1 request begins here ({error}){hint}")));
        }
    };
    let fields = fields(parsed.headers);
    let method = parsed.method.unwrap_or_default().to_owned();
    let target = parsed.path.unwrap_or_default().to_owned();
    let without = matches!(method.as_str(), "GET" | "HEAD");
    let length = Length::of(&fields, if without { Length::Bytes(0) } else { Length::Unsaid });
    let length = length.map_err(wrong)?;
    if matches!(length, Length::Bytes(bytes) if bytes > limits::BODY_BYTES_MAX) {
        return Err(wrong(too_long()));
    }
    let after = rest.get(head..).unwrap_or_default();
    let (body, taken) = length.read(after).map_err(wrong)?;
    if body.len() > limits::BODY_BYTES_MAX {
        return Err(wrong(too_long()));
    }
    Ok((Captured { line, method, target, headers: fields, body }, head + taken))
}

fn too_long() -> String {
    format!("its body is longer than {} bytes, which no webhook is", limits::BODY_BYTES_MAX)
}

/// How many bytes an answer takes.
fn answer(rest: &[u8], line: usize) -> Result<usize, CaptureError> {
    let wrong = |what: String| CaptureError { line, what };
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut headers);
    let head = match parsed.parse(rest) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => {
            return Err(wrong("the answer is cut off before its body".to_owned()));
        }
        Err(error) => return Err(wrong(format!("no HTTP/1.1 answer begins here ({error})"))),
    };
    let without = matches!(parsed.code, Some(100..=199 | 204 | 304));
    let length = if without {
        Length::Bytes(0)
    } else {
        Length::of(&fields(parsed.headers), Length::Unsaid).map_err(wrong)?
    };
    let (_, taken) = length.read(rest.get(head..).unwrap_or_default()).map_err(wrong)?;
    Ok(head + taken)
}

fn fields(headers: &[httparse::Header<'_>]) -> Vec<(String, String)> {
    let text = |value| String::from_utf8_lossy(value).into_owned();
    headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect()
}

/// How long a body is.
#[derive(Clone, Copy)]
enum Length {
    Bytes(usize),
    Chunked,
    Unsaid,
}

impl Length {
    /// What the header fields say of it; `else_it_is`: the result if they say nothing.
    fn of(fields: &[(String, String)], else_it_is: Self) -> Result<Self, String> {
        let said = |name: &str| {
            let field = fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            field.map(|(_, value)| value.trim())
        };
        if let Some(coding) = said("Transfer-Encoding") {
            return if coding.eq_ignore_ascii_case("chunked") {
                Ok(Self::Chunked)
            } else {
                Err("its `Transfer-Encoding` is another than `chunked`".to_owned())
            };
        }
        said("Content-Length").map_or(Ok(else_it_is), |length| {
            length.parse().map(Self::Bytes).map_err(|_| "its `Content-Length` is no number".into())
        })
    }

    /// The body, and how many bytes it takes.
    fn read(self, rest: &[u8]) -> Result<(Vec<u8>, usize), String> {
        match self {
            Self::Bytes(length) => {
                rest.get(..length).map(|body| (body.to_vec(), length)).ok_or(format!(
                    "its `Content-Length` is {length}, and {} bytes follow: it is cut off",
                    rest.len()
                ))
            }
            Self::Chunked => chunks(rest),
            Self::Unsaid => Err("it has no `Content-Length`".to_owned()),
        }
    }
}

/// A body in chunks, and how many bytes these take, with what may follow the last one.
fn chunks(rest: &[u8]) -> Result<(Vec<u8>, usize), String> {
    let cut = || "it is cut off within its chunks".to_owned();
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let from = rest.get(at..).unwrap_or_default();
        let end = from.iter().position(|byte| *byte == b'\n').ok_or_else(cut)?;
        let size = from.get(..end).and_then(|line| std::str::from_utf8(line).ok());
        let size = size.and_then(|line| line.split(';').next()).map_or("", str::trim);
        let size = usize::from_str_radix(size, 16)
            .map_err(|_| "one of its chunks does not say how long it is".to_owned())?;
        at += end + 1;
        if size == 0 {
            break;
        }
        body.extend(rest.get(at..).and_then(|chunk| chunk.get(..size)).ok_or_else(cut)?);
        at += size;
        let after = rest.get(at..).unwrap_or_default();
        at += match after {
            [b'\r', b'\n', ..] => 2,
            [b'\n', ..] => 1,
            [] => return Err(cut()),
            _ => return Err("one of its chunks is longer than it says".to_owned()),
        };
    }
    // Fields may follow, up to an empty line.
    loop {
        let from = rest.get(at..).unwrap_or_default();
        let Some(end) = from.iter().position(|byte| *byte == b'\n') else {
            return if from.is_empty() { Ok((body, at)) } else { Err(cut()) };
        };
        at += end + 1;
        if from.get(..end).is_some_and(|line| line.trim_ascii().is_empty()) {
            return Ok((body, at));
        }
    }
}

/// Where the next request begins: blank lines between them do not count.
fn blank(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}

fn line_of(text: &[u8], at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    before.split(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "POST /twilio/voice HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na=1\r\n\r\nPOST /twilio/turn/x/y HTTP/1.1\nContent-Length: 0\n\n";

    fn wrong(text: &str) -> String {
        read(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn requests_are_read_one_after_the_other() {
        let requests = read(TWO.as_bytes()).unwrap();
        let shown: Vec<_> =
            requests.iter().map(|it| (it.line, it.route(), it.body.len())).collect();
        assert_eq!(
            shown,
            [(1, "POST /twilio/voice".to_owned(), 3), (7, "POST /twilio/turn/…".to_owned(), 0)]
        );
    }

    #[test]
    fn what_is_wrong_is_told_at_its_line() {
        assert_eq!(wrong("\n\n"), "1: there is no request");
        assert_eq!(
            wrong("POST / HTTP/1.1\r\nHost: a\r\n"),
            "1: the request is cut off before its body"
        );
        assert_eq!(
            wrong(&TWO.replace("Content-Length: 0", "A: b")),
            "7: it has no `Content-Length`"
        );
        assert_eq!(
            wrong(&TWO.replace("Content-Length: 0", "Content-Length: 9")),
            "7: its `Content-Length` is 9, and 0 bytes follow: it is cut off"
        );
        let short = wrong(&TWO.replace("Content-Length: 3", "Content-Length: 2"));
        assert!(short.starts_with("5: no HTTP/1.1 request begins here ("), "{short}");
        assert!(
            short.ends_with("; is the `Content-Length` of the one in line 1 right?"),
            "{short}"
        );
        let packed = wrong("POST / HTTP/1.1\nTransfer-Encoding: gzip\n\n");
        assert_eq!(packed, "1: its `Transfer-Encoding` is another than `chunked`");
        let long = limits::BODY_BYTES_MAX + 1;
        let head = format!("POST / HTTP/1.1\nContent-Length: {long}\n\n");
        assert!(wrong(&head).starts_with("1: its body is longer than "), "{}", wrong(&head));
    }

    #[test]
    fn bodies_may_come_in_chunks() {
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n";
        let read_all = |chunks: &str| read(format!("{head}{chunks}").as_bytes());
        for chunks in [
            "3\r\na=1\r\n4;name=value\r\n&b=2\r\n0\r\n\r\n",
            "3\na=1\n4\n&b=2\n0\n",
            "7\r\na=1&b=2\r\n0\r\nDigest: x\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        ] {
            assert_eq!(read_all(chunks).unwrap()[0].body, b"a=1&b=2", "{chunks:?}");
        }
        for (chunks, why) in [
            ("3\r\na=", "it is cut off within its chunks"),
            ("3\r\na=1", "it is cut off within its chunks"),
            ("2\r\na=1\r\n0\r\n\r\n", "one of its chunks is longer than it says"),
            ("\r\na=1\r\n", "one of its chunks does not say how long it is"),
        ] {
            assert_eq!(read_all(chunks).unwrap_err().what, why, "{chunks:?}");
        }
    }

    #[test]
    fn answers_between_the_requests_are_passed_over() {
        let (first, second) = TWO.split_at(TWO.find("POST /twilio/turn").unwrap());
        for answer in [
            "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n<Response/>",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n<Response/>\r\n0\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
        ] {
            let both = format!("{first}{answer}{second}{answer}");
            let requests = read(both.as_bytes()).unwrap();
            assert_eq!(requests.len(), 2, "{answer}");
            assert_eq!(requests[0].body, b"a=1");
        }
        assert_eq!(wrong("HTTP/1.1 200 OK\r\n\r\n<Response/>"), "1: it has no `Content-Length`");
        assert_eq!(wrong("HTTP/1.1 200 OK\r\nA"), "1: the answer is cut off before its body");
    }

    #[test]
    fn an_editor_may_have_saved_it() {
        let requests = read(format!("\u{feff}{TWO}").as_bytes()).unwrap();
        assert_eq!(requests.len(), 2);
        assert_eq!(read(TWO.replace('\r', "").as_bytes()).unwrap()[0].body, b"a=1");
    }
}
