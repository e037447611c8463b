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
use tokio::time::{Sleep, sleep};

use super::wrapped::Writes;

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

/// Ends a connection when its other end does not read.
#[derive(Debug)]
pub struct MustRead {
    unread: Unread,
    /// Runs while something is to be written and cannot be.
    over: Option<Pin<Box<Sleep>>>,
}

impl MustRead {
    /// Notes in `unread` that the connection was cut off.
    pub const fn noting(unread: Unread) -> Self {
        Self { unread, over: None }
    }
}

impl Writes for MustRead {
    fn wrote<T>(
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::transport::wrapped::Wrapped;
    use hyper::rt::Write as _;
    use hyper_util::rt::TokioIo;
    use std::future::poll_fn;
    use tokio::io::AsyncReadExt as _;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_takes_nothing_is_cut_off_and_a_slow_one_is_not() {
        let (near, mut far) = tokio::io::duplex(8);
        let unread = Unread::default();
        let mut near = Wrapped::new(TokioIo::new(near), MustRead::noting(unread.clone()));
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
