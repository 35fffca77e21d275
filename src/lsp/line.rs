//! The line to the editor: messages, each with its length before it.
//!
//! A message that cannot be understood is told so and is the only one lost. Where its length is not known,
//! nobody can say where the next one begins, and the line ends. (`lsp-server` has a reader too. It ends with the
//! first message that it does not understand, and makes room for whatever length it is told.)

use std::io::{self, BufRead, Read as _, Write};
use std::sync::mpsc::{Receiver, Sender, channel};

use lsp_server::{ErrorCode, Message};
use serde_json::{Value, json};

use crate::limits::{LSP_HEAD_BYTES_MAX, LSP_MESSAGE_BYTES_MAX};

/// Why nothing more can be read.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// A line before a message that is none of a name and a value.
    #[error("what stands before a message is no header of the language server protocol")]
    Header,
    /// No length, or one that is no number.
    #[error("a message does not say how long it is (`Content-Length`)")]
    Length,
    /// No text that somebody edits is as long.
    #[error("a message says that it has {0} bytes; it may have {LSP_MESSAGE_BYTES_MAX}")]
    TooLong(u64),
    /// The end came in the middle of a message.
    #[error("a message is cut off")]
    Cut,
    /// Standard input failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Something that the editor has sent.
#[derive(Debug)]
pub(super) enum Came {
    /// A message.
    Message(Message),
    /// Something that is none: why, and under which name it wants to be answered (null if it has none).
    Garbled { id: Value, code: ErrorCode },
    /// The line has ended where no message had begun.
    End,
}

/// Reads the line on a thread of its own, so that who types fast need not be answered for each letter. Nothing
/// comes after an error or the end.
pub(super) fn listen() -> io::Result<Receiver<Result<Came, LineError>>> {
    let (sender, receiver) = channel();
    std::thread::Builder::new().name("editor".into()).spawn(move || hear(&sender))?;
    Ok(receiver)
}

fn hear(sender: &Sender<Result<Came, LineError>>) {
    let mut input = io::stdin().lock();
    loop {
        let came = read(&mut input);
        let more = match &came {
            Ok(Came::Message(Message::Notification(told))) => told.method != "exit",
            Ok(Came::End) | Err(_) => false,
            Ok(_) => true,
        };
        if sender.send(came).is_err() || !more {
            return;
        }
    }
}

/// Answers what could not be understood.
pub(super) fn refuse(output: &mut impl Write, id: &Value, code: ErrorCode) -> io::Result<()> {
    let message = match code {
        ErrorCode::ParseError => "that is no JSON",
        _ => "that is no message of the language server protocol",
    };
    let error = json!({ "code": code as i32, "message": message });
    let text = json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string();
    write!(output, "Content-Length: {}\r\n\r\n{text}", text.len())?;
    output.flush()
}

fn read(input: &mut impl BufRead) -> Result<Came, LineError> {
    let Some(length) = head(input)? else { return Ok(Came::End) };
    let mut body = Vec::new();
    // What it says is reserved nowhere: as much is kept as comes.
    let read = input.by_ref().take(length).read_to_end(&mut body)?;
    if u64::try_from(read).is_ok_and(|read| read < length) {
        return Err(LineError::Cut);
    }
    Ok(understood(&body))
}

/// The length of the message that follows; `None`: none follows.
fn head(input: &mut impl BufRead) -> Result<Option<u64>, LineError> {
    let mut length = None;
    let mut left = LSP_HEAD_BYTES_MAX;
    let mut begun = false;
    loop {
        let mut line = Vec::new();
        let read = input.by_ref().take(left).read_until(b'\n', &mut line)?;
        left = left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        let Some(line) = line.strip_suffix(b"\n") else {
            let is_end = left > 0;
            return match (is_end, begun || read > 0) {
                (true, false) => Ok(None),
                (true, true) => Err(LineError::Cut),
                (false, _) => Err(LineError::Header),
            };
        };
        begun = true;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        let line = std::str::from_utf8(line).map_err(|_| LineError::Header)?;
        let (name, value) = line.split_once(':').ok_or(LineError::Header)?;
        if name.eq_ignore_ascii_case("Content-Length") {
            length = Some(value.trim().parse().map_err(|_| LineError::Length)?);
        }
    }
    match length.ok_or(LineError::Length)? {
        length if length > LSP_MESSAGE_BYTES_MAX => Err(LineError::TooLong(length)),
        length => Ok(Some(length)),
    }
}

fn understood(body: &[u8]) -> Came {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return Came::Garbled { id: Value::Null, code: ErrorCode::ParseError };
    };
    let id = value.get("id").filter(|id| id.is_string() || id.is_number()).cloned();
    match serde_json::from_value(value) {
        // What has a name that is no request's waits for an answer all the same.
        Ok(Message::Notification(_)) if id.is_some() => {}
        Ok(message) => return Came::Message(message),
        Err(_) => {}
    }
    Came::Garbled { id: id.unwrap_or_default(), code: ErrorCode::InvalidRequest }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        let mut input = text.as_bytes();
        let mut seen = Vec::new();
        loop {
            match read(&mut input) {
                Ok(Came::Message(Message::Request(request))) => {
                    seen.push(format!("{} {}", request.id, request.method));
                }
                Ok(Came::Message(other)) => seen.push(format!("{other:?}")),
                Ok(Came::Garbled { id, code }) => seen.push(format!("{code:?} {id}")),
                Ok(Came::End) => return seen,
                Err(error) => {
                    seen.push(error.to_string());
                    return seen;
                }
            }
        }
    }

    fn framed(body: &str) -> String {
        format!("Content-Length: {}\r\n\r\n{body}", body.len())
    }

    #[test]
    fn what_cannot_be_understood_is_the_only_message_lost() {
        let good = framed(r#"{"jsonrpc":"2.0","id":1,"method":"a"}"#);
        for (wrong, told) in [
            ("{", "ParseError null"),
            ("", "ParseError null"),
            ("\u{0}", "ParseError null"),
            ("[]", "InvalidRequest null"),
            ("7", "InvalidRequest null"),
            (r#"{"jsonrpc":"2.0","id":"x"}"#, "InvalidRequest \"x\""),
            (r#"{"id":1.5,"method":"a"}"#, "InvalidRequest 1.5"),
            (r#"{"id":5000000000,"method":"a"}"#, "InvalidRequest 5000000000"),
        ] {
            let seen = all(&[good.clone(), framed(wrong), good.clone()].concat());
            assert_eq!(seen, ["1 a", told, "1 a"], "{wrong:?}");
        }
        let lower = good.replace("Content-Length: ", "content-type: x\r\ncontent-length:");
        assert_eq!(all(&lower), ["1 a"]);
        assert_eq!(all(&good.replace('\r', "")), ["1 a"]);
    }

    #[test]
    fn what_has_no_length_ends_the_line() {
        let good = framed(r#"{"id":1,"method":"a"}"#);
        let unlike = "what stands before a message is no header of the language server protocol";
        let no_length = "a message does not say how long it is (`Content-Length`)";
        for (wrong, told) in [
            ("{\"id\":1}\r\n\r\n", no_length),
            ("GET / HTTP/1.1\r\n\r\n", unlike),
            ("\r\n", no_length),
            ("Content-Length: -1\r\n\r\n", no_length),
            ("Content-Length: \r\n\r\n", no_length),
            ("Content-Length: 99999999999999999999\r\n\r\n", no_length),
            ("Content-Length: 3\r\n\r\n{", "a message is cut off"),
            ("Content-Length: 3\r\n", "a message is cut off"),
            ("Content-Len", "a message is cut off"),
        ] {
            assert_eq!(all(&format!("{good}{wrong}")), ["1 a", told], "{wrong:?}");
        }
        let long = "a".repeat(100_000);
        assert_eq!(all(&long), [unlike]);
        assert_eq!(all(&format!("a: {long}\r\n\r\n")), [unlike]);
        let huge = format!("Content-Length: {}\r\n\r\n", u64::MAX);
        assert_eq!(
            all(&huge),
            [format!(
                "a message says that it has {} bytes; it may have {LSP_MESSAGE_BYTES_MAX}",
                u64::MAX
            )]
        );
    }
}
