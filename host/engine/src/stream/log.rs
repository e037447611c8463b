//! The log of an attempt while it runs.

use std::time::Duration;

use model::{AppendRefusal, Fence, StreamRefusal};

use super::{LogPage, ReadLog};
use crate::{Declined, Engine};

impl Engine {
    /// Appends what an attempt has logged since `offset` bytes of its log under this lease.
    /// What was appended before is recognized, so that a call may be repeated.
    ///
    /// # Refusals
    /// See [`AppendRefusal`]; a text of more than 64 KiB, or an offset beyond 1 GiB, is
    /// invalid.
    pub async fn append_log(
        &self,
        fence: Fence,
        offset: u64,
        text: Vec<u8>,
    ) -> Result<(), Declined<AppendRefusal>> {
        let _ = (fence, offset, text);
        unimplemented!()
    }

    /// Reads the log of an attempt after a place: what was recorded with the end of each
    /// lease, and what was appended under one that is held or was lost.
    ///
    /// # Refusals
    /// See [`StreamRefusal`].
    pub async fn read_log(&self, request: &ReadLog) -> Result<LogPage, Declined<StreamRefusal>> {
        let _ = request;
        unimplemented!()
    }

    /// Reads the log after a place, and waits for more if there is none: until there is
    /// some, until the attempt has ended, or for `wait`, at most 30 seconds.
    ///
    /// # Refusals
    /// See [`StreamRefusal`].
    pub async fn tail_log(
        &self,
        request: &ReadLog,
        wait: Duration,
    ) -> Result<LogPage, Declined<StreamRefusal>> {
        let _ = (request, wait);
        unimplemented!()
    }
}
