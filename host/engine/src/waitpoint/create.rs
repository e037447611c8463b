//! create-waitpoint: (none) → pending, before a suspension waits at it.
//!
//! Locks: the waitpoint, then the lease row. No event.

use model::{Fence, Invalid, LeaseRefusal, Limits, SuspendRefusal, WaitpointId};
use time::OffsetDateTime;

use super::key::{MintWaitpointToken, WaitpointToken, WaitpointTokenExpiry};
use super::snapshot::{NamedWaitpoints, read_snapshot};
use crate::row::{bigint, int};
use crate::statements::{TRIES, conflict};
use crate::{Declined, Engine, random};

/// Begins the key of a waitpoint that was given none.
pub(crate) const DEFAULT_KEY_PREFIX: &str = "wpk:";

/// The holder's request for a waitpoint before it suspends.
#[derive(Debug, Clone)]
pub struct CreateWaitpoint {
    /// Fence of the lease it is asked for under.
    pub fence: Fence,
    /// Its key within the execution, see [`model::waitpoint_key`]; empty: `wpk:` and its
    /// id. If a waitpoint with that key is open, that one is returned, so that a retried
    /// attempt finds the signals that were already delivered to it.
    pub key: String,
    /// How long it waits for its suspension, in milliseconds, up to ten years; absent:
    /// [`Limits::WAITPOINT_PENDING_MS_DEFAULT`].
    pub expires_in_ms: Option<u64>,
    /// Names of signals its token may send; empty: any.
    pub signal_names: Vec<String>,
}

/// A waitpoint that takes signals, and a token that opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenWaitpoint {
    /// Id of the waitpoint.
    pub id: WaitpointId,
    /// Its key within the execution.
    pub key: String,
    /// Anyone who carries this token may send signals here. It is stored nowhere.
    pub token: WaitpointToken,
    /// While the waitpoint is pending, until when it waits for its suspension; of a token
    /// that an operator asked for, until when that is valid. Absent: without limit.
    pub expires_at: Option<OffsetDateTime>,
    /// Whether the waitpoint existed before this request.
    pub existing: bool,
}

impl Engine {
    /// Creates a pending waitpoint, so that its token can be sent out before the handler
    /// suspends; signals that arrive early are stored. If a waitpoint with the same key is
    /// open, that one is returned with a new token, and stays open at least as long.
    ///
    /// # Refusals
    /// See [`SuspendRefusal`].
    pub async fn create_waitpoint(
        &self,
        create: CreateWaitpoint,
    ) -> Result<OpenWaitpoint, Declined<SuspendRefusal>> {
        create.check()?;
        let fence = create.fence;
        let new_id = WaitpointId(random::ordered_uuid());
        let ttl_ms = create
            .expires_in_ms
            .unwrap_or(Limits::WAITPOINT_PENDING_MS_DEFAULT);
        for _ in 0..TRIES {
            let named = NamedWaitpoints::default();
            let snapshot = read_snapshot(&self.inner.verbs, fence.execution_id, &named).await?;
            let snapshot = snapshot.ok_or(LeaseRefusal::ExecutionNotFound)?;
            let unclosed = &snapshot.target.waitpoints;
            let existing = unclosed.iter().find(|it| it.key == create.key);
            let existing = existing.map(|it| it.id);
            let max = Limits::WAITPOINTS_OPEN_MAX;
            if existing.is_none() && unclosed.len() >= max {
                return Err(SuspendRefusal::WaitpointLimitExceeded { max }.into());
            }
            let token = MintWaitpointToken {
                namespace: snapshot.namespace,
                execution_id: fence.execution_id,
                waitpoint_id: existing.unwrap_or(new_id),
                signal_names: create.signal_names.clone(),
                expiry: WaitpointTokenExpiry::Never,
            };
            let minted = self.mint_with(&self.signing_waitpoint_key().await?, &token)?;
            let key = new_waitpoint_key(new_id, &create.key);
            let written = sqlx::query_file!(
                "src/waitpoint/create.sql",
                fence.execution_id.partition().column(),
                Limits::WAITPOINTS_OPEN_MAX as i32,
                fence.execution_id.uuid(),
                fence.lease_id.0,
                bigint(fence.epoch),
                int(fence.attempt),
                existing.map(|id| id.0),
                new_id.0,
                key,
                bigint(ttl_ms),
                minted.kid,
                minted.fingerprint,
            )
            .fetch_optional(&self.inner.verbs)
            .await?;
            if let Some(written) = written {
                return Ok(OpenWaitpoint {
                    id: WaitpointId(written.id),
                    key,
                    token: minted.token,
                    expires_at: written.expires_at,
                    existing: written.existing,
                });
            }
            // Another request may have created or closed it meanwhile.
            let look = self.observe(fence).await?;
            let look = look.ok_or(LeaseRefusal::ExecutionNotFound)?;
            if !look.observed.holds(&fence, false) {
                return Err(look.observed.refusal(&fence).into());
            }
        }
        Err(conflict(fence.execution_id).into())
    }
}

impl CreateWaitpoint {
    fn check(&self) -> Result<(), Invalid> {
        if !self.key.is_empty() {
            model::waitpoint_key(&self.key)?;
        }
        model::time_limit("expires_in_ms", self.expires_in_ms)
    }
}

/// Returns the key of a new waitpoint: the one asked for, or one made of its id.
pub(crate) fn new_waitpoint_key(id: WaitpointId, asked: &str) -> String {
    match asked {
        "" => format!("{DEFAULT_KEY_PREFIX}{id}"),
        key => key.to_owned(),
    }
}
