//! Ends a batch of leases with `end.sql`, and answers the calls that it did not end.

use std::collections::HashMap;

use model::{
    AttemptType, CancelSource, ExecutionId, Fence, FlowId, LeaseRefusal, Outcome, Partition,
};
use time::OffsetDateTime;

use super::end_lease::{EndLease, LeaseGuard, NextState};
use crate::Error;
use crate::batch::{BatchItem, Flush};
use crate::checks::Payload;
use crate::columns::columns;
use crate::lease::{Due, Observation};
use crate::row::{bigint, int};
use crate::statements::{Statements, TRIES};

/// When the execution becomes due, if it was delayed; or why nothing happened.
pub(crate) type EndLeaseVerdict = Result<Option<OffsetDateTime>, LeaseRefusal>;

impl BatchItem for EndLease {
    type Key = ExecutionId;

    fn partition(&self) -> Partition {
        self.fence.execution_id.partition()
    }

    fn key(&self) -> ExecutionId {
        self.fence.execution_id
    }

    fn payload_bytes(&self) -> usize {
        let result = match &self.next {
            NextState::Finished { result, .. } => result.as_ref(),
            _ => None,
        };
        self.report.bytes() + result.map_or(0, |result| result.data.len())
    }
}

impl Flush<EndLease> for Statements {
    type Verdict = EndLeaseVerdict;

    async fn flush(
        &self,
        partition: Partition,
        batch: &[Box<EndLease>],
        retried: bool,
    ) -> Result<Vec<EndLeaseVerdict>, Error> {
        let mut ended = HashMap::with_capacity(batch.len());
        let mut observed = HashMap::new();
        let mut open: Vec<&EndLease> = batch.iter().map(Box::as_ref).collect();
        for _ in 0..TRIES {
            ended.extend(self.end_leases(partition, &open).await?);
            open.retain(|call| !ended.contains_key(&call.fence.execution_id));
            if open.is_empty() {
                break;
            }
            let misses: Vec<Fence> = open.iter().map(|call| call.fence).collect();
            observed.extend(self.observe(partition, &misses).await?);
            open.retain(|call| call.still_applies(observed.get(&call.fence.execution_id)));
            if open.is_empty() {
                break;
            }
        }
        self.notify(batch, &ended);
        Ok(batch
            .iter()
            .map(|call| match ended.get(&call.fence.execution_id) {
                Some(due_at) => Ok(*due_at),
                None => call.answer_miss(observed.get(&call.fence.execution_id), retried),
            })
            .collect())
    }
}

impl EndLease {
    /// Whether the call would be applied now, although it was not: the row was renewed
    /// between the read and the write.
    fn still_applies(&self, observation: Option<&Observation>) -> bool {
        let also_expired = match self.guard {
            LeaseGuard::Held => false,
            LeaseGuard::Any => true,
            // The next sweep finds it.
            LeaseGuard::Expired | LeaseGuard::Overdue => return false,
        };
        observation.is_some_and(|it| it.observed.holds(&self.fence, also_expired))
    }
}

impl Statements {
    /// Wakes those who wait for what happened to the executions.
    fn notify(
        &self,
        batch: &[Box<EndLease>],
        ended: &HashMap<ExecutionId, Option<OffsetDateTime>>,
    ) {
        let done: Vec<(ExecutionId, &EndLease)> = batch
            .iter()
            .map(|call| (call.fence.execution_id, call.as_ref()))
            .filter(|(id, _)| ended.contains_key(id))
            .collect();
        let ends: Vec<(ExecutionId, Outcome)> = done
            .iter()
            .filter_map(|(id, call)| match call.next {
                NextState::Finished { outcome, .. } => Some((*id, outcome)),
                _ => None,
            })
            .collect();
        self.wake.finished(&ends);
        // Ends that leave the execution unfinished end its attempt all the same.
        self.wake.streamed(done.iter().map(|(id, _)| *id));
        if done
            .iter()
            .any(|(_, call)| matches!(call.next, NextState::Ready { .. } | NextState::Resumes))
        {
            self.wake.ready();
        }
        for (id, _) in done.iter().filter(|(_, call)| call.is_involuntary()) {
            self.wake.lost(*id);
        }
    }

    async fn end_leases(
        &self,
        partition: Partition,
        calls: &[&EndLease],
    ) -> Result<HashMap<ExecutionId, Option<OffsetDateTime>>, Error> {
        let rows = columns!(
            query_file!("src/lease/end/end.sql", partition.column());
            for (call, next, failure, usage, operation) in calls.iter().map(|call| (
                call,
                call.next.columns(),
                call.failure.as_ref(),
                call.report.usage,
                call.operation.as_ref(),
            )) => {
                execution_ids = call.fence.execution_id.uuid();
                lease_ids = call.fence.lease_id.0;
                epochs = call.fence.epoch as i64;
                attempts = call.fence.attempt as i32;
                guards as &str = call.guard.as_str();
                ended as &str = call.ended.as_str();
                events as &str = call.event.as_str();
                failure_classes as Option<&str> = failure.map(|failure| failure.class.as_str());
                failure_codes as Option<&str> = failure.map(|failure| failure.code.as_str());
                failure_messages as Option<&str> = failure.map(|failure| failure.message.as_str());
                backtraces as Option<&str> = failure.and_then(|it| it.backtrace.as_deref());
                logs as Option<&[u8]> = call.report.log.as_deref();
                component_ids as Option<i32> = call.report.component_id;
                cpu_ticks as Option<i32> = usage.map(|usage| int(usage.cpu_ticks));
                memory_peaks as Option<i64> = usage.map(|usage| bigint(usage.memory_peak_bytes));
                host_calls as Option<i32> = usage.map(|usage| int(usage.host_calls));
                bytes_out as Option<i64> = usage.map(|usage| bigint(usage.bytes_out));
                wall_us as Option<i64> = usage.map(|usage| bigint(usage.wall_us));
                outcomes as Option<&str> = next.outcome;
                results as Option<&[u8]> = next.result.map(|result| result.data.as_slice());
                result_types as Option<&str> = next.result.map(|it| it.content_type.as_str());
                sources as Option<&str> = next.source;
                states as Option<&str> = next.state;
                reasons as Option<&str> = next.reason;
                delays_ms as Option<i64> = next.delay_ms;
                dues_at as Option<OffsetDateTime> = next.due_at;
                next_types as Option<&str> = next.attempt_type.map(AttemptType::as_str);
                reclaims_add = next.reclaims_add;
                verbs as Option<&str> = operation.map(|operation| operation.verb);
                actors as Option<&str> = operation.map(|operation| operation.by.actor.as_str());
                operation_reasons as Option<&str> = operation.and_then(|it| it.by.reason.as_deref());
            }
        )
        .fetch_all(&self.verbs)
        .await?;
        let flows = rows.iter().filter_map(|row| row.flow_id);
        self.wake.flows_due(flows.map(FlowId::from_uuid));
        Ok(rows
            .into_iter()
            .map(|row| (ExecutionId::from_uuid(row.execution_id), row.due_at))
            .collect())
    }
}

/// A next state as the columns of the statement; all absent but the attempt's type for
/// an execution that is ready.
#[derive(Default)]
struct NextColumns<'a> {
    outcome: Option<&'static str>,
    result: Option<&'a Payload>,
    source: Option<&'a str>,
    state: Option<&'static str>,
    reason: Option<&'static str>,
    delay_ms: Option<i64>,
    due_at: Option<OffsetDateTime>,
    attempt_type: Option<AttemptType>,
    reclaims_add: i32,
}

impl NextState {
    fn columns(&self) -> NextColumns<'_> {
        match self {
            Self::Finished {
                outcome,
                result,
                source,
            } => NextColumns {
                outcome: Some(outcome.as_str()),
                result: result.as_ref(),
                source: source.as_ref().map(CancelSource::as_str),
                ..NextColumns::default()
            },
            Self::Ready { reclaims_add } => NextColumns {
                attempt_type: Some(AttemptType::Reclaim),
                reclaims_add: int(*reclaims_add),
                ..NextColumns::default()
            },
            Self::Resumes => NextColumns::default(),
            Self::Parked {
                state,
                reason,
                due,
                next_type,
            } => NextColumns {
                state: Some(state.as_str()),
                reason: Some(reason.as_str()),
                delay_ms: match due {
                    Some(Due::InMs(ms)) => Some(bigint(*ms)),
                    _ => None,
                },
                due_at: match due {
                    Some(Due::At(at)) => Some(at.utc()),
                    _ => None,
                },
                attempt_type: *next_type,
                ..NextColumns::default()
            },
        }
    }
}
