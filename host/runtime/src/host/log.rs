//! The interface `log`: records of the guest.

use super::State;
use crate::attempt_log::Source;
use crate::bindings::flowhost::engine::log::{Host, Level};

impl Host for State {
    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        // Counted as bytes of the log when those are added up.
        self.called(0)?;
        let name = match level {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        self.role
            .with_log(|log, at_ms| log.record(at_ms, Source::Level(name), message.as_bytes()));
        Ok(())
    }
}
