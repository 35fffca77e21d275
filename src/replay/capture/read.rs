//! HTTP/1.1 as text: requests one after the other, each with as long a body as it says.

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
    let mut requests: Vec<Captured> = Vec::new();
    let mut at = blank(text, 0);
    while at < text.len() {
        let line = line_of(text, at);
        let (request, end) = one(text, at, line, requests.last())?;
        requests.push(request);
        at = blank(text, end);
    }
    if requests.is_empty() {
        return Err(CaptureError { line: 1, what: "there is no request".to_owned() });
    }
    Ok(requests)
}

fn one(
    text: &[u8],
    at: usize,
    line: usize,
    before: Option<&Captured>,
) -> Result<(Captured, usize), CaptureError> {
    let wrong = |what: String| CaptureError { line, what };
    let rest = text.get(at..).unwrap_or_default();
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
    let fields = parsed
        .headers
        .iter()
        .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()));
    let mut request = Captured {
        line,
        method: parsed.method.unwrap_or_default().to_owned(),
        target: parsed.path.unwrap_or_default().to_owned(),
        headers: fields.collect(),
        body: Vec::new(),
    };
    if request.header("Transfer-Encoding").is_some() {
        return Err(wrong(
            "it has a `Transfer-Encoding`: capture it with a `Content-Length`".into(),
        ));
    }
    let length = match request.header("Content-Length").map(str::trim) {
        Some(length) => length
            .parse::<usize>()
            .map_err(|_| wrong("its `Content-Length` is no number".to_owned()))?,
        None if request.method == "GET" => 0,
        None => return Err(wrong("it has no `Content-Length`".to_owned())),
    };
    if length > limits::BODY_BYTES_MAX {
        let most = limits::BODY_BYTES_MAX;
        return Err(wrong(format!("its body is longer than {most} bytes, which no webhook is")));
    }
    let body = rest.get(head..).unwrap_or_default();
    let left = body.len();
    request.body = body
        .get(..length)
        .ok_or_else(|| {
            wrong(format!(
                "its `Content-Length` is {length}, and {left} bytes follow: it is cut off"
            ))
        })?
        .to_vec();
    Ok((request, at + head + length))
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
        let chunked = wrong("POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n");
        assert!(chunked.contains("`Transfer-Encoding`"), "{chunked}");
    }
}
