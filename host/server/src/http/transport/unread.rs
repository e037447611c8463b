//! Cuts off connections whose other end does not read.
//!
//! A client that takes nothing keeps the answer, and for a stream the reading of it, in
//! memory for as long as it likes. Any byte that it takes begins its time again.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::OptionalFromRequestParts;
use axum::http::request::Parts;
use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::time::{Sleep, sleep};

/// Longest a connection may take nothing of what is to be written.
pub const UNREAD_MAX: Duration = Duration::from_secs(30);

/// Whether a connection was cut off because its other end did not read.
#[derive(Debug, Clone, Default)]
pub struct Unread(Arc<AtomicBool>);

impl Unread {
    /// Returns whether it was.
    pub fn is_cut(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Unread {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> Result<Option<Self>, std::convert::Infallible> {
        Ok(parts.extensions.get().cloned())
    }
}

/// A connection that ends when its other end does not read.
#[derive(Debug)]
pub struct MustRead<S> {
    stream: S,
    unread: Unread,
    /// Runs while something is to be written and cannot be.
    over: Option<Pin<Box<Sleep>>>,
}

impl<S> MustRead<S> {
    /// Wraps a connection, and notes in `unread` that it was cut off.
    pub const fn new(stream: S, unread: Unread) -> Self {
        Self {
            stream,
            unread,
            over: None,
        }
    }

    fn watched<T>(
        &mut self,
        context: &mut Context<'_>,
        poll: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.over = None;
            return poll;
        }
        let over = self.over.get_or_insert_with(|| Box::pin(sleep(UNREAD_MAX)));
        ready!(over.as_mut().poll(context));
        self.unread.0.store(true, Ordering::Release);
        let error = "the other end does not read";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, error)))
    }
}

impl<S: Read + Unpin> Read for MustRead<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: Write + Unpin> Write for MustRead<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        written: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(context, written);
        self.watched(context, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        written: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(context, written);
        self.watched(context, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(context);
        self.watched(context, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watched(context, poll)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper_util::rt::TokioIo;
    use std::future::poll_fn;
    use tokio::io::AsyncReadExt as _;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_takes_nothing_is_cut_off_and_a_slow_one_is_not() {
        let (near, mut far) = tokio::io::duplex(8);
        let unread = Unread::default();
        let mut near = MustRead::new(TokioIo::new(near), unread.clone());
        let mut write = async || poll_fn(|it| Pin::new(&mut near).poll_write(it, &[0; 8])).await;
        assert_eq!(write().await.expect("room"), 8);
        for _ in 0..3 {
            let reads = async {
                sleep(UNREAD_MAX - Duration::from_secs(1)).await;
                far.read_exact(&mut [0; 4]).await.expect("bytes");
            };
            let (wrote, ()) = tokio::join!(write(), reads);
            assert_eq!(wrote.expect("room"), 4, "it reads slowly");
        }
        let began = Instant::now();
        let cut = write().await.expect_err("nothing reads");
        assert_eq!(cut.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), UNREAD_MAX.as_secs());
        assert!(unread.is_cut());
    }
}
