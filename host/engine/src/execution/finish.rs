//! The end of an execution from outside: waiting, parked or active → finished.
//!
//! cancel, expire, the execution deadline and a suspension whose time is over end
//! here. Locks: lease, ready, parked, timer, then the suspension and the waitpoints.
//! Event: the one the caller names.

use std::collections::HashMap;

use model::{AttemptEnd, EngineCode, EventKind, ExecutionId, Outcome, Partition, SuspensionId};
use uuid::Uuid;

use super::Statements;
use super::observe::TRIES;
use super::operator::moving;
use super::row::label;
use crate::Error;
use crate::coalesce::{Flush, Rider};

/// One execution on its way to its end.
#[derive(Debug)]
pub(crate) struct FinishCall {
    pub(crate) id: ExecutionId,
    /// How a running attempt ends.
    pub(crate) ended: AttemptEnd,
    pub(crate) outcome: Outcome,
    /// What ended it, which is also its failure.
    pub(crate) code: EngineCode,
    pub(crate) message: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) event: EventKind,
    /// Whether only if its deadline has passed.
    pub(crate) only_due: bool,
    /// The suspension it must still wait in, and be due.
    pub(crate) suspension: Option<SuspensionId>,
    /// The verb and the actor, when they are kept with the execution.
    pub(crate) operation: Option<(&'static str, String)>,
}

/// What a call met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FinishVerdict {
    /// It ended the execution.
    Finished { was_active: bool },
    /// The execution had ended.
    Already(Outcome),
    /// No such execution.
    Missing,
    /// The condition did not hold.
    NotDue,
}

impl Rider for FinishCall {
    type Key = ExecutionId;

    fn partition(&self) -> Partition {
        self.id.partition()
    }

    fn key(&self) -> ExecutionId {
        self.id
    }
}

impl Flush<FinishCall> for Statements {
    type Verdict = FinishVerdict;

    async fn flush(
        &self,
        partition: Partition,
        batch: &[Box<FinishCall>],
        _retried: bool,
    ) -> Result<Vec<FinishVerdict>, Error> {
        let mut verdicts: HashMap<ExecutionId, FinishVerdict> = HashMap::new();
        for _ in 0..TRIES {
            let open: Vec<&FinishCall> = batch
                .iter()
                .map(Box::as_ref)
                .filter(|call| !verdicts.contains_key(&call.id))
                .collect();
            if open.is_empty() {
                break;
            }
            for (id, was_active) in self.finish(partition, &open).await? {
                verdicts.insert(id, FinishVerdict::Finished { was_active });
                if was_active {
                    self.wake.lost(id);
                }
                self.wake.finished([id]);
            }
            let left: Vec<&FinishCall> = open
                .into_iter()
                .filter(|call| !verdicts.contains_key(&call.id))
                .collect();
            self.settle(partition, &left, &mut verdicts).await?;
        }
        batch
            .iter()
            .map(|call| {
                let verdict = verdicts.get(&call.id).copied();
                verdict.ok_or_else(|| moving(call.id))
            })
            .collect()
    }
}

impl Statements {
    async fn finish(
        &self,
        partition: Partition,
        calls: &[&FinishCall],
    ) -> Result<Vec<(ExecutionId, bool)>, Error> {
        let ids: Vec<Uuid> = calls.iter().map(|c| c.id.uuid()).collect();
        let ended: Vec<&str> = calls.iter().map(|c| c.ended.as_str()).collect();
        let outcomes: Vec<&str> = calls.iter().map(|c| c.outcome.as_str()).collect();
        let codes: Vec<&str> = calls.iter().map(|c| c.code.as_str()).collect();
        let classes: Vec<&str> = calls.iter().map(|c| c.code.class().as_str()).collect();
        let messages: Vec<Option<&str>> = calls.iter().map(|c| c.message.as_deref()).collect();
        let sources: Vec<Option<&str>> = calls.iter().map(|c| c.source.as_deref()).collect();
        let events: Vec<&str> = calls.iter().map(|c| c.event.as_str()).collect();
        let only_due: Vec<bool> = calls.iter().map(|c| c.only_due).collect();
        let suspensions: Vec<Option<Uuid>> = calls
            .iter()
            .map(|c| c.suspension.map(|suspension| suspension.0))
            .collect();
        let verbs: Vec<Option<&str>> = calls
            .iter()
            .map(|c| c.operation.as_ref().map(|(verb, _)| *verb))
            .collect();
        let actors: Vec<Option<&str>> = calls
            .iter()
            .map(|c| c.operation.as_ref().map(|(_, actor)| actor.as_str()))
            .collect();
        let rows = sqlx::query_file!(
            "src/execution/finish.sql",
            partition.column(),
            &ids,
            &ended as &[&str],
            &outcomes as &[&str],
            &codes as &[&str],
            &messages as &[Option<&str>],
            &sources as &[Option<&str>],
            &events as &[&str],
            &only_due,
            &verbs as &[Option<&str>],
            &actors as &[Option<&str>],
            &suspensions as &[Option<Uuid>],
            &classes as &[&str],
        )
        .fetch_all(&self.verbs)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| (ExecutionId::from_uuid(row.execution_id), row.was_active))
            .collect())
    }

    /// Answers those that are finished, unknown or not due; the others moved
    /// between the snapshot and the lock.
    async fn settle(
        &self,
        partition: Partition,
        calls: &[&FinishCall],
        verdicts: &mut HashMap<ExecutionId, FinishVerdict>,
    ) -> Result<(), Error> {
        if calls.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = calls.iter().map(|c| c.id.uuid()).collect();
        let rows = sqlx::query!(
            r#"SELECT w.id AS "id!",
                      coalesce((SELECT true FROM execution e
                                WHERE e.partition = $1 AND e.id = w.id), false) AS "exists!",
                      (SELECT f.outcome::text FROM finished f
                       WHERE f.partition = $1 AND f.execution_id = w.id) AS outcome,
                      coalesce((SELECT t.due_at <= clock_timestamp() FROM timer t
                                WHERE t.partition = $1 AND t.execution_id = w.id
                                  AND t.kind = 'execution_deadline'), false) AS "due!",
                      (SELECT p.suspension_id FROM parked p
                       WHERE p.partition = $1 AND p.execution_id = w.id
                         AND p.wake_at <= clock_timestamp()) AS timed_out
               FROM unnest($2::uuid[]) AS w(id)"#,
            partition.column(),
            &ids
        )
        .fetch_all(&self.verbs)
        .await?;
        for row in rows {
            let id = ExecutionId::from_uuid(row.id);
            let call = calls.iter().find(|call| call.id == id);
            let due = call.is_none_or(|call| {
                (!call.only_due || row.due)
                    && (call.suspension.is_none()
                        || call.suspension == row.timed_out.map(SuspensionId))
            });
            let verdict = match row.outcome {
                Some(text) => FinishVerdict::Already(label("finished", "outcome", id, &text)?),
                None if !row.exists => FinishVerdict::Missing,
                None if !due => FinishVerdict::NotDue,
                None => continue,
            };
            verdicts.insert(id, verdict);
        }
        Ok(())
    }
}
