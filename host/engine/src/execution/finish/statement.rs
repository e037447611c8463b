//! Finishes a batch of executions with `finish.sql`, and answers those that it did not
//! finish.

use std::collections::HashMap;

use model::{
    AttemptEnd, CancelSource, EngineCode, EventKind, ExecutionId, FlowId, Outcome, Partition,
    SuspensionCloseReason, SuspensionId,
};
use uuid::Uuid;

use crate::batch::{BatchItem, Flush};
use crate::columns::columns;
use crate::row::label;
use crate::statements::{Statements, TRIES, conflict};
use crate::{Engine, Error};

/// One execution that is to finish.
#[derive(Debug)]
pub(crate) struct FinishCall {
    pub(crate) id: ExecutionId,
    pub(crate) guard: FinishGuard,
    pub(crate) outcome: Outcome,
    /// What ended it, which is also its failure.
    pub(crate) code: EngineCode,
    pub(crate) message: Option<String>,
    pub(crate) source: CancelSource,
    /// Why its suspension closes, if it waits in one.
    pub(crate) close_reason: SuspensionCloseReason,
    /// The verb and the actor, when they are kept with the execution.
    pub(crate) operation: Option<(&'static str, String)>,
}

/// What must hold of an execution besides that it has not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FinishGuard {
    /// Nothing: it ends in any state.
    Any,
    /// Its deadline has passed.
    PastDeadline,
    /// It waits in this suspension, whose time limit has passed.
    TimedOut(SuspensionId),
}

impl FinishGuard {
    const fn suspension(self) -> Option<SuspensionId> {
        match self {
            Self::TimedOut(suspension) => Some(suspension),
            Self::Any | Self::PastDeadline => None,
        }
    }
}

impl FinishCall {
    /// Ends an execution as expired, at its deadline or before it.
    pub(crate) fn expired(
        id: ExecutionId,
        guard: FinishGuard,
        code: EngineCode,
        source: CancelSource,
    ) -> Self {
        Self {
            id,
            guard,
            outcome: Outcome::Expired,
            code,
            message: None,
            source,
            close_reason: SuspensionCloseReason::TimedOutExpire,
            operation: None,
        }
    }

    /// Returns how a running attempt ends.
    const fn attempt_end(&self) -> AttemptEnd {
        match (self.guard, self.outcome) {
            (FinishGuard::Any, Outcome::Cancelled) => AttemptEnd::Cancelled,
            _ => AttemptEnd::Expired,
        }
    }

    const fn event(&self) -> EventKind {
        match self.outcome {
            Outcome::Cancelled => EventKind::Cancelled,
            Outcome::Expired => EventKind::ExecutionExpired,
            Outcome::Success | Outcome::Failed | Outcome::Skipped => EventKind::Failed,
        }
    }
}

/// The answer to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FinishVerdict {
    /// It ended the execution.
    Finished { was_active: bool },
    /// The execution had ended.
    Already(Outcome),
    /// There is no such execution.
    Missing,
    /// The guard did not hold.
    NotDue,
}

impl Engine {
    /// Ends executions; returns how many. Of the others, another ended them first.
    pub(crate) async fn finish_all(&self, calls: Vec<FinishCall>) -> Result<u64, Error> {
        let mut finished = 0;
        for verdict in self.inner.batchers.finish.call_all(calls).await {
            let ended = matches!(verdict?, FinishVerdict::Finished { .. });
            finished += u64::from(ended);
        }
        Ok(finished)
    }
}

impl BatchItem for FinishCall {
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
            for row in self.finish(partition, &open).await? {
                let (id, was_active) = (row.id, row.was_active);
                verdicts.insert(id, FinishVerdict::Finished { was_active });
                if was_active {
                    self.wake.lost(id);
                }
                self.wake.flows_due(row.flow_id);
            }
            let ended = open.iter().filter(|call| verdicts.contains_key(&call.id));
            let ended: Vec<_> = ended.map(|call| (call.id, call.outcome)).collect();
            self.wake.finished(&ended);
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
                verdict.ok_or_else(|| conflict(call.id))
            })
            .collect()
    }
}

/// An execution that the statement finished.
struct FinishedRow {
    id: ExecutionId,
    was_active: bool,
    /// The flow that has to take note of it.
    flow_id: Option<FlowId>,
}

impl Statements {
    async fn finish(
        &self,
        partition: Partition,
        calls: &[&FinishCall],
    ) -> Result<Vec<FinishedRow>, Error> {
        let rows = columns!(
            query_file!("src/execution/finish/finish.sql", partition.column());
            for call in calls => {
                ids = call.id.uuid();
                outcomes as &str = call.outcome.as_str();
                failure_classes as &str = call.code.class().as_str();
                failure_codes as &str = call.code.as_str();
                failure_messages as Option<&str> = call.message.as_deref();
                sources as &str = call.source.as_str();
                attempt_ends as &str = call.attempt_end().as_str();
                events as &str = call.event().as_str();
                past_deadline = call.guard == FinishGuard::PastDeadline;
                suspension_ids as Option<Uuid> = call.guard.suspension().map(|id| id.0);
                close_reasons as &str = call.close_reason.as_str();
                verbs as Option<&str> = call.operation.as_ref().map(|(verb, _)| *verb);
                actors as Option<&str> = call.operation.as_ref().map(|(_, actor)| actor.as_str());
            }
        )
        .fetch_all(&self.verbs)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| FinishedRow {
                id: ExecutionId::from_uuid(row.execution_id),
                was_active: row.was_active,
                flow_id: row.flow_id.map(FlowId::from_uuid),
            })
            .collect())
    }

    /// Answers those that are finished, unknown or not due; the others moved to another
    /// table between the snapshot and the lock.
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
            let due = call.is_none_or(|call| match call.guard {
                FinishGuard::Any => true,
                FinishGuard::PastDeadline => row.due,
                FinishGuard::TimedOut(suspension) => row.timed_out == Some(suspension.0),
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
