//! A connection for webhooks: the server goes on reading only while the client takes its answers, and while what
//! it sends makes up whole requests.
//!
//! A client that sends request after request and takes no answer would make the server keep them all: answers
//! without a body are queued in memory, and the server would wait for ever for one to be taken. A client that
//! sends a body without end is told that it is too large and then listened to for a while, so that the answer
//! arrives; without a limit that, too, would last for ever, at the speed of the network. And nobody else checks
//! whether the head of a second request on the same connection ever ends.

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::limits::{HEARD_AT_ONCE, UNANSWERED_BYTES_MAX, UNANSWERED_FOR};

#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    /// Bytes that were read without a pause.
    heard: usize,
    /// Bytes that were read since the last answer.
    unanswered: usize,
    /// An answer is waiting to be taken.
    answer_waits: bool,
    /// When the first unanswered byte was read, or an answer had to wait.
    waits_since: Option<Instant>,
    /// Wakes whoever has waited too long. When the wait is over it is left running, and looked at again when it
    /// runs out: most waits are over at once.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            heard: 0,
            unanswered: 0,
            answer_waits: false,
            waits_since: None,
            alarm: None,
        }
    }

    /// Whether somebody has waited too long; if not, the task is woken when somebody has.
    fn has_waited(&mut self, context: &mut Context<'_>) -> bool {
        let Some(since) = self.waits_since else { return false };
        let until = since + UNANSWERED_FOR;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(until)));
        while alarm.as_mut().poll(context).is_ready() {
            if until <= Instant::now() {
                return true;
            }
            // It belonged to an earlier wait.
            alarm.as_mut().reset(until);
        }
        false
    }

    /// Reads on, but no more than is answered at once.
    fn poll_few(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut few = [MaybeUninit::uninit(); HEARD_AT_ONCE];
        let room = buffer.remaining().min(HEARD_AT_ONCE);
        let mut few = ReadBuf::uninit(few.split_at_mut(room).0);
        let answer = Pin::new(&mut self.stream).poll_read(context, &mut few);
        let few = few.filled();
        buffer.put_slice(few);
        if !few.is_empty() {
            self.unanswered += few.len();
            self.waits_since.get_or_insert_with(Instant::now);
        }
        self.heard = if answer.is_pending() { 0 } else { self.heard + few.len() };
        answer
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.answer_waits {
            // The writer is woken when it can write, or has waited too long.
            return Poll::Pending;
        }
        if self.unanswered >= UNANSWERED_BYTES_MAX {
            // As if nothing more had been sent.
            return Poll::Ready(Ok(()));
        }
        if self.heard >= HEARD_AT_ONCE {
            // What was read is answered first.
            self.heard = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let answer = self.poll_few(context, buffer);
        if answer.is_pending() && self.has_waited(context) {
            return Poll::Ready(Ok(()));
        }
        answer
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        answers: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(context, answers) {
            Poll::Ready(Ok(written)) => {
                self.unanswered = 0;
                if written == answers.len() {
                    self.waits_since = None;
                    if std::mem::take(&mut self.answer_waits) {
                        // Now the connection is read again.
                        context.waker().wake_by_ref();
                    }
                }
                Poll::Ready(Ok(written))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                if !std::mem::replace(&mut self.answer_waits, true) {
                    self.waits_since = Some(Instant::now());
                }
                if self.has_waited(context) {
                    return Poll::Ready(Err(ErrorKind::TimedOut.into()));
                }
                Poll::Pending
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
