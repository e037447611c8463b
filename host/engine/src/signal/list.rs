//! What people read of signals.

use model::{ExecutionId, Limits, SignalEffect, SignalId, WaitpointId};

use crate::checks::Payload;
use crate::lease::ReceivedSignal;
use crate::row::{StoredTime, bigint, label};
use crate::{Engine, Error, Page};

/// A signal as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalInfo {
    /// The signal, as its receiver sees it.
    pub signal: ReceivedSignal,
    /// What it did when it was accepted.
    pub effect: SignalEffect,
    /// The key that a repeat is recognized by; absent: repeats are not recognized.
    pub idempotency_key: Option<String>,
    /// Id of the key that signed the token it came with; absent for an operator's signal.
    pub token_kid: Option<String>,
}

impl Engine {
    /// Lists signals of an execution in the order they were accepted, after the signal of
    /// a number; at most `limit`, which is at most [`Limits::SIGNALS_MAX`], and
    /// [`Limits::SIGNALS_BYTES_MAX`] before the last of them. `None` if the namespace has
    /// no such execution.
    pub async fn signals(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Option<Page<SignalInfo, u64>>, Error> {
        let limit = limit.min(Limits::SIGNALS_MAX);
        let mut rows = sqlx::query_file!(
            "src/signal/list.sql",
            id.partition().column(),
            id.uuid(),
            bigint(after.unwrap_or(0)),
            i64::from(limit) + 1,
            i64::from(Limits::SIGNALS_BYTES_MAX),
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let found = rows.first().map_or(0, |row| row.found);
        rows.truncate(limit as usize);
        let more = found > rows.len() as i64;
        let read = rows.into_iter().map(|row| {
            let read = || {
                Ok(SignalInfo {
                    signal: ReceivedSignal {
                        id: SignalId(row.id),
                        waitpoint_id: WaitpointId(row.waitpoint_id),
                        waitpoint_key: row.waitpoint_key,
                        name: row.name,
                        category: row.category,
                        source_type: row.source_type,
                        source_identity: row.source_identity,
                        correlation_id: row.correlation_id,
                        payload: row
                            .payload
                            .zip(row.payload_type)
                            .map(|(data, content_type)| Payload::new(content_type, data)),
                        accepted_at: row.accepted_at.read("signal", "accepted_at", row.id)?,
                    },
                    effect: label("signal", "effect", row.id, &row.effect)?,
                    idempotency_key: row.idempotency_key,
                    token_kid: row.token_kid,
                })
            };
            (row.seq.unsigned_abs(), read())
        });
        self.of_execution(id, namespace, Page::cut(more, read)?)
            .await
    }
}
