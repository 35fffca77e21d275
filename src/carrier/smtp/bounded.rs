//! Limits what is read of a mail server before the encryption begins, while anybody on the way may say anything.
//! lettre reads a line for as long as it goes on: here it ends. And lettre takes what came unencrypted, together
//! with the server's reply to `STARTTLS`, for what the server says afterwards: here nothing may follow that reply
//! (RFC 3207, section 5, and the response injection of <https://nostarttls.secvuln.info/>).

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::limits::MAIL_READ_BYTES_MAX;

/// How much may still be read over a connection.
#[derive(Clone)]
pub(super) struct Allowance(Arc<AtomicUsize>);

impl Allowance {
    /// The limit of one sending.
    pub(super) fn renew(&self) {
        self.0.store(MAIL_READ_BYTES_MAX, Ordering::Relaxed);
    }
}

/// The command that asks for the encryption, as lettre writes it.
const STARTTLS: &[u8] = b"STARTTLS\r\n";

/// A connection over which no more is read than is allowed.
pub(super) struct Bounded {
    stream: TcpStream,
    left: Allowance,
    /// What was read after the encryption was asked for and before it begins.
    reply: Option<Vec<u8>>,
}

/// Whether more has come than one whole reply.
fn goes_on_after_its_end(reply: &[u8]) -> bool {
    let mut lines = reply.split_inclusive(|byte| *byte == b'\n');
    // The last line of a reply has no `-` after its code (RFC 5321, section 4.2.1).
    lines.any(|line| line.ends_with(b"\n") && line.get(3) != Some(&b'-')) && lines.next().is_some()
}

impl Bounded {
    /// Connects, with what one sending may read.
    pub(super) async fn connect(host: &str, port: u16) -> io::Result<(Self, Allowance)> {
        let stream = TcpStream::connect((host, port)).await?;
        let left = Allowance(Arc::new(AtomicUsize::new(MAIL_READ_BYTES_MAX)));
        Ok((Self { stream, left: left.clone(), reply: None }, left))
    }
}

impl fmt::Debug for Bounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bounded").finish_non_exhaustive()
    }
}

impl AsyncTokioStream for Bounded {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let read = buffer.filled().len().saturating_sub(before);
        let left = self.left.0.load(Ordering::Relaxed).checked_sub(read);
        let Some(left) = left else {
            return Poll::Ready(Err(io::Error::other("the mail server does not come to an end")));
        };
        self.left.0.store(left, Ordering::Relaxed);
        if let Some(reply) = &mut self.reply {
            reply.extend(buffer.filled().iter().skip(before));
            if goes_on_after_its_end(reply) {
                let error = "something was said beside the mail server's reply to STARTTLS";
                return Poll::Ready(Err(io::Error::other(error)));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.reply = (bytes == STARTTLS).then(Vec::new);
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_may_follow_a_reply() {
        for whole in ["", "220", "220 go", "220 go\r\n", "220-well\r\n220 go\r\n", "220-well\r\n22"]
        {
            assert!(!goes_on_after_its_end(whole.as_bytes()), "{whole}");
        }
        for more in ["220 go\r\n2", "220 go\r\n250 ok\r\n", "220-well\r\n220 go\r\n\r\n"] {
            assert!(goes_on_after_its_end(more.as_bytes()), "{more}");
        }
    }
}
