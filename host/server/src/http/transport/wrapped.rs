//! A connection on which what is written is watched or replaced; what is read passes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};

/// What is done with what is written to a connection. Without more, it is written.
pub trait Writes {
    /// Judges a write, a flush or the end of writing by what became of it.
    fn wrote<T>(
        &mut self,
        _context: &mut Context<'_>,
        poll: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        poll
    }

    /// Writes bytes; returns how many of them were.
    fn write<S: Write + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
        written: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(stream).poll_write(context, written);
        self.wrote(context, poll)
    }

    /// Writes pieces of bytes; returns how many bytes were.
    fn write_vectored<S: Write + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
        written: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(stream).poll_write_vectored(context, written);
        self.wrote(context, poll)
    }
}

/// A connection, and what is done with what is written to it.
#[derive(Debug)]
pub struct Wrapped<S, W> {
    stream: S,
    writes: W,
}

impl<S, W> Wrapped<S, W> {
    /// Wraps a connection.
    pub const fn new(stream: S, writes: W) -> Self {
        Self { stream, writes }
    }
}

impl<S: Read + Unpin, W: Unpin> Read for Wrapped<S, W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: Write + Unpin, W: Writes + Unpin> Write for Wrapped<S, W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        written: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, writes } = &mut *self;
        writes.write(stream, context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        written: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, writes } = &mut *self;
        writes.write_vectored(stream, context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(context);
        self.writes.wrote(context, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_shutdown(context);
        self.writes.wrote(context, poll)
    }
}
