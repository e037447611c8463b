//! What was delivered before: signals with the same idempotency key, and calls of this
//! very batch that an earlier try has written.

use std::collections::HashMap;

use model::{ExecutionId, Partition, SignalEffect, SignalId, WaitpointId};
use sqlx::PgConnection;

use super::request::{DeliverCall, DeliverRequest, DeliverVerdict, Delivered};
use crate::Error;
use crate::columns::columns;
use crate::row::label;
use crate::statements::Statements;
use crate::waitpoint::Snapshots;

/// A signal that was delivered before.
pub(super) struct ExistingSignal {
    pub(super) id: SignalId,
    pub(super) effect: SignalEffect,
}

/// Finds signals that were delivered before with the idempotency key of a call; returns
/// them by the place of that call in the batch.
pub(super) async fn existing_signals(
    on: &mut PgConnection,
    partition: Partition,
    batch: &[Box<DeliverCall>],
    open: &[usize],
    snapshots: &Snapshots,
) -> Result<HashMap<usize, ExistingSignal>, Error> {
    let keyed: Vec<(usize, WaitpointId, &str)> = open
        .iter()
        .filter_map(|&at| {
            let call = &batch[at];
            let DeliverRequest::Signal(signal) = &call.request else {
                return None;
            };
            let key = signal.request.idempotency_key.as_deref()?;
            let snapshot = snapshots.found.get(&call.execution_id)?;
            let waitpoint = snapshot.target.find(&signal.waitpoint).ok()?;
            Some((at, waitpoint.id, key))
        })
        .collect();
    if keyed.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = columns!(
        query_file!("src/signal/deliver/existing.sql", partition.column());
        for (_, waitpoint, key) in &keyed => {
            waitpoint_ids = waitpoint.0;
            keys as &str = *key;
        }
    )
    .fetch_all(on)
    .await?;
    rows.into_iter()
        .map(|row| {
            let place = usize::try_from(row.number - 1).unwrap_or(0);
            let effect = label("signal", "effect", row.id, &row.effect)?;
            let id = SignalId(row.id);
            Ok((keyed[place].0, ExistingSignal { id, effect }))
        })
        .collect()
}

impl Statements {
    /// Answers the calls that an earlier try of this very batch has written.
    pub(super) async fn answer_written(
        &self,
        partition: Partition,
        batch: &[Box<DeliverCall>],
        verdicts: &mut [Option<DeliverVerdict>],
    ) -> Result<(), Error> {
        let signals = batch.iter().filter_map(|call| match &call.request {
            DeliverRequest::Signal(signal) => Some((call.execution_id, signal.id)),
            DeliverRequest::Resume(_) => None,
        });
        let stored = columns!(
            query!(
                "SELECT g.execution_id, g.id, g.waitpoint_id, g.effect
                 FROM unnest($2::uuid[], $3::uuid[]) AS i(execution_id, id)
                 CROSS JOIN LATERAL (
                     SELECT g.* FROM signal g
                     WHERE g.partition = $1 AND g.execution_id = i.execution_id AND g.id = i.id
                     OFFSET 0
                 ) AS g",
                partition.column()
            );
            for (execution, signal) in signals => {
                execution_ids = execution.uuid();
                ids = signal.0;
            }
        )
        .fetch_all(&self.verbs)
        .await?;
        let resumes = batch.iter().filter_map(|call| match &call.request {
            DeliverRequest::Signal(_) => None,
            DeliverRequest::Resume(resume) => Some((call.execution_id, resume.suspension)),
        });
        let ended = columns!(
            query!(
                r#"SELECT s.id, s.close_reason AS "close_reason!"
                   FROM unnest($2::uuid[], $3::uuid[]) AS i(execution_id, id)
                   CROSS JOIN LATERAL (
                       SELECT s.* FROM suspension s
                       WHERE s.partition = $1 AND s.execution_id = i.execution_id AND s.id = i.id
                       OFFSET 0
                   ) AS s
                   WHERE s.closed_at IS NOT NULL"#,
                partition.column()
            );
            for (execution, suspension) in resumes => {
                execution_ids = execution.uuid();
                ids = suspension.0;
            }
        )
        .fetch_all(&self.verbs)
        .await?;
        for (call, verdict) in batch.iter().zip(verdicts) {
            match &call.request {
                DeliverRequest::Signal(signal) => {
                    let Some(row) = stored.iter().find(|row| row.id == signal.id.0) else {
                        continue;
                    };
                    *verdict = Some(DeliverVerdict::Signal(Ok(Delivered {
                        signal_id: signal.id,
                        execution_id: ExecutionId::from_uuid(row.execution_id),
                        waitpoint_id: WaitpointId(row.waitpoint_id),
                        effect: label("signal", "effect", row.id, &row.effect)?,
                        duplicate: false,
                    })));
                }
                DeliverRequest::Resume(resume) => {
                    if ended.iter().any(|row| {
                        row.id == resume.suspension.0 && row.close_reason == resume.reason.as_str()
                    }) {
                        *verdict = Some(DeliverVerdict::Resume(true));
                    }
                }
            }
        }
        Ok(())
    }
}
