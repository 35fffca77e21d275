//! A connection that webhooks come in on: it is heard as long as what it was answered is taken.
//!
//! Whoever sends request after request and takes no answer would have the server keep them all: answers without a
//! body are put one after the other in memory, and one that is not taken is waited for without end.

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::limits::{ANSWER_TAKEN_WITHIN, HEARD_AT_ONCE};

#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    /// Answers wait to be taken, and no longer than this.
    waits: Option<Pin<Box<Sleep>>>,
    /// Bytes that were heard without a pause.
    heard: usize,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, waits: None, heard: 0 }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.waits.is_some() {
            // Whoever writes is woken when it can, or has waited for too long.
            return Poll::Pending;
        }
        if self.heard >= HEARD_AT_ONCE {
            // What was heard is answered first.
            self.heard = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut few = [MaybeUninit::uninit(); HEARD_AT_ONCE];
        let room = buffer.remaining().min(HEARD_AT_ONCE);
        let mut few = ReadBuf::uninit(few.split_at_mut(room).0);
        let answer = Pin::new(&mut self.stream).poll_read(context, &mut few);
        let heard = few.filled();
        buffer.put_slice(heard);
        self.heard = if answer.is_pending() { 0 } else { self.heard + heard.len() };
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
                if written == answers.len() && self.waits.take().is_some() {
                    // Now it is heard again.
                    context.waker().wake_by_ref();
                }
                Poll::Ready(Ok(written))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let waits = self.waits.get_or_insert_with(|| Box::pin(sleep(ANSWER_TAKEN_WITHIN)));
                ready!(waits.as_mut().poll(context));
                Poll::Ready(Err(ErrorKind::TimedOut.into()))
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
