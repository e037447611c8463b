//! What people read of signals.

use model::{ExecutionId, Limits, SignalEffect, SignalId, WaitpointId};

use crate::checks::Payload;
use crate::lease::ReceivedSignal;
use crate::row::{StoredTime, label};
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
    /// Lists signals of an execution in the order they were accepted, after one of
    /// them; at most [`Limits::SIGNALS_MAX`] and [`Limits::SIGNALS_BYTES_MAX`]. The
    /// page after one that names a next may be empty. `None` if there is no such
    /// execution in the namespace.
    pub async fn signals(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
        after: Option<SignalId>,
        limit: u32,
    ) -> Result<Option<Page<SignalInfo, SignalId>>, Error> {
        let limit = limit.min(Limits::SIGNALS_MAX);
        if !self.exists(id, namespace).await? {
            return Ok(None);
        }
        let rows = sqlx::query!(
            r#"SELECT g.id, g.waitpoint_id, t.key AS waitpoint_key, g.name, g.category,
                      g.source_type, g.source_identity, g.correlation_id, g.payload,
                      g.payload_type, g.accepted_at AS "accepted_at: StoredTime", g.effect, g.idempotency_key, g.token_kid
               FROM (
                   SELECT g.*, sum(coalesce(octet_length(g.payload), 0)) OVER (ORDER BY g.seq)
                               - coalesce(octet_length(g.payload), 0) AS before
                   FROM (SELECT g.* FROM signal g
                         WHERE g.partition = $1 AND g.execution_id = $2
                           AND g.seq > coalesce((SELECT a.seq FROM signal a
                                                 WHERE a.partition = $1 AND a.execution_id = $2
                                                   AND a.id = $3), 0)
                         ORDER BY g.seq LIMIT $4) AS g
               ) AS g
               JOIN waitpoint t
                   ON t.partition = $1 AND t.execution_id = $2 AND t.id = g.waitpoint_id
               WHERE g.before < $5
               ORDER BY g.seq"#,
            id.partition().column(),
            id.uuid(),
            after.map(|id| id.0),
            i64::from(limit),
            i64::from(Limits::SIGNALS_BYTES_MAX),
        )
        .fetch_all(&self.inner.reads)
        .await?;
        // There may be more if the page is full, or if the largest signal would not have
        // fitted any more.
        let payloads = rows.iter().filter_map(|row| row.payload.as_ref());
        let bytes: usize = payloads.map(Vec::len).sum();
        let room = (Limits::SIGNALS_BYTES_MAX as usize).saturating_sub(bytes);
        let more = rows.len() == limit as usize || room < Limits::SIGNAL_BYTES_MAX as usize;
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
            (SignalId(row.id), read())
        });
        Page::cut(more, read).map(Some)
    }
}
