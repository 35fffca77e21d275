//! What is read of a mail server is bounded: lettre takes a line for as long as it goes on, and before the encryption
//! begins whoever is on the way may write one that does not end.

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
    /// That of one sending.
    pub(super) fn renew(&self) {
        self.0.store(MAIL_READ_BYTES_MAX, Ordering::Relaxed);
    }
}

/// A connection over which no more is read than is allowed.
pub(super) struct Bounded {
    stream: TcpStream,
    left: Allowance,
}

impl Bounded {
    /// Connects, with what one sending may read.
    pub(super) async fn connect(host: &str, port: u16) -> io::Result<(Self, Allowance)> {
        let stream = TcpStream::connect((host, port)).await?;
        let left = Allowance(Arc::new(AtomicUsize::new(MAIL_READ_BYTES_MAX)));
        Ok((Self { stream, left: left.clone() }, left))
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
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
