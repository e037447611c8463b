//! The interface `log`, and the standard streams of a guest: both end up in the log of
//! its attempt.

use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use super::bindings::flowhost::engine::log::{Host, Level};
use super::{Role, State};
use crate::attempt::LogSource;

impl Host for State {
    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        // CallCount as bytes of the log when those are added up.
        self.count_call(0)?;
        let name = match level {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        self.role.log(name, message.as_bytes());
        Ok(())
    }
}

/// A standard stream of a guest, recorded in the log it writes to.
#[derive(Clone)]
pub(super) struct GuestStream {
    pub(super) role: Role,
    pub(super) source: LogSource,
}

impl GuestStream {
    fn add(&self, bytes: &[u8]) {
        self.role
            .with_log(|log, at_ms| log.write(at_ms, self.source, bytes));
    }
}

impl IsTerminal for GuestStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestStream {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for this form, and that is not linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for GuestStream {
    async fn ready(&mut self) {}
}

#[wasmtime_wasi::async_trait]
impl OutputStream for GuestStream {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        self.add(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 * 1024)
    }
}
