//! Executions: one verb per file, its SQL beside it.

mod block;
mod cancel;
mod claim;
mod claimed;
mod complete;
mod context;
mod create;
mod delay;
mod existing;
mod expire;
mod expired;
mod fail;
mod finish;
mod insert;
mod list;
mod observe;
mod operation;
mod operator;
mod prioritise;
mod progress;
mod read;
mod reclaim;
mod release;
mod renew;
mod replay;
mod report;
mod request;
mod revoke;
mod row;
mod suspended;
mod tag;
mod timeline;
mod wait;
mod wait_children;

pub use block::Block;
pub use cancel::{Cancel, CancelHeld, Cancelled};
pub use claim::Claim;
pub use claimed::Claimed;
pub use complete::Complete;
pub use context::ExecutionContext;
pub use create::{Create, Created};
pub use delay::Delay;
pub use expired::ExpiredLease;
pub use fail::{Fail, Failed};
pub use list::{ListFilter, ListPage};
pub use operation::OperationEntry;
pub use operator::{Operate, Operator};
pub use read::{Counts, ExecutionInfo, LeaseSummary, Progress};
pub use replay::Replayed;
pub use report::Report;
pub use revoke::{Revoke, Revoked};
pub use suspended::SuspendedExecution;
pub use timeline::{Attempt, AttemptLease, HistoryEntry};

pub(crate) use claimed::{ClaimedRow, claimed, policy as frozen_policy};

pub(crate) use fail::failed;
pub(crate) use finish::{FinishCall, FinishVerdict};
pub(crate) use insert::{CreateCall, CreateVerdict};
pub(crate) use observe::{Look, TRIES};
pub(crate) use operator::{Operation, Place, moving};
pub(crate) use progress::{ProgressCall, ProgressVerdict};
pub(crate) use reclaim::{lapsed, revoked};
pub(crate) use release::{Condition, Goes, ReleaseCall, ReleaseVerdict};
pub(crate) use report::Reports;
pub(crate) use row::{bigint, count, epoch, int, label, readable};
pub(crate) use wait::LookCall;

use crate::pool::Pool;
use sha2::{Digest as _, Sha256};

use crate::standby::Standbys;
use crate::wake::Wake;

/// Bytes with the media type their producer gave them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// Such as `application/json`; never empty.
    pub content_type: String,
    /// The bytes.
    pub data: Vec<u8>,
}

impl Payload {
    /// Builds a payload.
    pub fn new(content_type: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        Self {
            content_type: content_type.into(),
            data: data.into(),
        }
    }

    /// Returns what tells it from another payload: SHA-256 of the media type, a zero
    /// byte and the bytes, as `observe.sql` computes it.
    pub(crate) fn digest(&self) -> [u8; 32] {
        Sha256::new()
            .chain_update(&self.content_type)
            .chain_update([0])
            .chain_update(&self.data)
            .finalize()
            .into()
    }
}

/// What the coalesced statements run on.
#[derive(Clone)]
pub(crate) struct Statements {
    pub(crate) verbs: Pool,
    pub(crate) wake: Wake,
    pub(crate) standbys: Standbys,
}

/// Checks a media type: printable ASCII of bounded length; an empty one means
/// `application/octet-stream`.
pub(crate) fn content_type(field: &'static str, text: &mut String) -> Result<(), model::Invalid> {
    if text.is_empty() {
        "application/octet-stream".clone_into(text);
    }
    model::media_type(field, text)
}

/// Checks the length of a payload.
pub(crate) fn payload_bytes(
    field: &'static str,
    bytes: usize,
    max: u32,
) -> Result<(), model::Invalid> {
    if bytes <= max as usize {
        Ok(())
    } else {
        Err(model::Invalid::new(
            field,
            format!("{bytes} bytes exceed the limit of {max}"),
        ))
    }
}

/// Checks a text for people that a caller gives: bounded, and without the one
/// character that the database cannot hold.
pub(crate) fn text(field: &'static str, text: &str, max: usize) -> Result<(), model::Invalid> {
    if text.len() > max {
        Err(model::Invalid::new(
            field,
            format!("{} bytes exceed the limit of {max}", text.len()),
        ))
    } else if text.contains('\0') {
        Err(model::Invalid::new(
            field,
            "holds U+0000, which cannot be stored",
        ))
    } else {
        Ok(())
    }
}
