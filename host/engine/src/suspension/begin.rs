//! Begins suspensions: the arrays of `suspend.sql`.

use std::collections::HashMap;

use model::{ExecutionId, Fence, Partition, SuspensionId, WaitpointId};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Error;
use crate::checks::Payload;
use crate::coalesce::{Flush, Rider};
use crate::lease::{Observation, Report, Reports};
use crate::row::bigint;
use crate::statements::Statements;

/// One lease on its way into a suspension.
#[derive(Debug)]
pub(crate) struct SuspendCall {
    pub(super) fence: Fence,
    pub(super) suspension_id: SuspensionId,
    pub(super) reason: &'static str,
    pub(super) shown_reason: &'static str,
    pub(super) requested_by: &'static str,
    pub(super) condition: String,
    pub(super) resume_policy: Option<String>,
    pub(super) timeout_ms: Option<u64>,
    pub(super) timeout_at: Option<OffsetDateTime>,
    pub(super) timeout_behavior: &'static str,
    pub(super) state: Option<Payload>,
    pub(super) idempotency_key: Option<String>,
    pub(super) report: Report,
    /// Pending waitpoints, and what they have heard.
    pub(super) bound: Vec<(WaitpointId, i32)>,
    pub(super) fresh: Vec<Fresh>,
    /// Whether it holds only while no waitpoint is open.
    pub(super) alone: bool,
}

/// A waitpoint that is made with the suspension.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) id: WaitpointId,
    pub(super) key: String,
    pub(super) kid: String,
    pub(super) fingerprint: String,
}

/// When it times out; or what was met instead.
pub(crate) type SuspendVerdict = Result<Option<OffsetDateTime>, Option<Box<Observation>>>;

impl Rider for SuspendCall {
    type Key = ExecutionId;

    fn partition(&self) -> Partition {
        self.fence.execution_id.partition()
    }

    fn key(&self) -> ExecutionId {
        self.fence.execution_id
    }
}

impl Flush<SuspendCall> for Statements {
    type Verdict = SuspendVerdict;

    async fn flush(
        &self,
        partition: Partition,
        batch: &[Box<SuspendCall>],
        _retried: bool,
    ) -> Result<Vec<SuspendVerdict>, Error> {
        let suspended = self.begin_suspensions(partition, batch).await?;
        let misses: Vec<Fence> = batch
            .iter()
            .map(|call| call.fence)
            .filter(|fence| !suspended.contains_key(&fence.execution_id))
            .collect();
        let mut looks = match misses.is_empty() {
            true => HashMap::new(),
            false => self.observe(partition, &misses).await?,
        };
        Ok(batch
            .iter()
            .map(|call| {
                let id = call.fence.execution_id;
                match suspended.get(&id) {
                    Some(timeout_at) => Ok(*timeout_at),
                    None => Err(looks.remove(&id).map(Box::new)),
                }
            })
            .collect())
    }
}

impl Statements {
    async fn begin_suspensions(
        &self,
        partition: Partition,
        calls: &[Box<SuspendCall>],
    ) -> Result<HashMap<ExecutionId, Option<OffsetDateTime>>, Error> {
        let mut c = Columns::default();
        for call in calls {
            c.push(call);
        }
        let rows = sqlx::query_file!(
            "src/suspension/suspend.sql",
            partition.column(),
            &c.execution_ids,
            &c.lease_ids,
            &c.epochs,
            &c.attempts,
            &c.bound_counts,
            &c.suspension_ids,
            &c.reasons as &[&str],
            &c.shown_reasons as &[&str],
            &c.requesters as &[&str],
            &c.conditions as &[&str],
            &c.policies as &[Option<&str>],
            &c.timeouts_ms as &[Option<i64>],
            &c.timeouts_at as &[Option<OffsetDateTime>],
            &c.behaviors as &[&str],
            &c.states as &[Option<&[u8]>],
            &c.state_types as &[Option<&str>],
            &c.keys as &[Option<&str>],
            &c.reports.logs as &[Option<&[u8]>],
            &c.reports.components as &[Option<i32>],
            &c.reports.cpu_ticks as &[Option<i32>],
            &c.reports.memory as &[Option<i64>],
            &c.reports.host_calls as &[Option<i32>],
            &c.reports.bytes_out as &[Option<i64>],
            &c.reports.wall_us as &[Option<i64>],
            &c.bound_executions,
            &c.bound_ids,
            &c.bound_signals,
            &c.fresh_executions,
            &c.fresh_ids,
            &c.fresh_keys as &[&str],
            &c.fresh_kids as &[&str],
            &c.fresh_fingerprints as &[&str],
            &c.alone,
        )
        .fetch_all(&self.verbs)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| (ExecutionId::from_uuid(row.execution_id), row.times_out_at))
            .collect())
    }
}

/// The arrays of the statement.
#[derive(Default)]
struct Columns<'a> {
    execution_ids: Vec<Uuid>,
    lease_ids: Vec<Uuid>,
    epochs: Vec<i64>,
    attempts: Vec<i32>,
    bound_counts: Vec<i32>,
    suspension_ids: Vec<Uuid>,
    reasons: Vec<&'a str>,
    shown_reasons: Vec<&'a str>,
    requesters: Vec<&'a str>,
    conditions: Vec<&'a str>,
    policies: Vec<Option<&'a str>>,
    timeouts_ms: Vec<Option<i64>>,
    timeouts_at: Vec<Option<OffsetDateTime>>,
    behaviors: Vec<&'a str>,
    states: Vec<Option<&'a [u8]>>,
    state_types: Vec<Option<&'a str>>,
    keys: Vec<Option<&'a str>>,
    reports: Reports<'a>,
    bound_executions: Vec<Uuid>,
    bound_ids: Vec<Uuid>,
    bound_signals: Vec<i32>,
    fresh_executions: Vec<Uuid>,
    fresh_ids: Vec<Uuid>,
    fresh_keys: Vec<&'a str>,
    fresh_kids: Vec<&'a str>,
    fresh_fingerprints: Vec<&'a str>,
    alone: Vec<bool>,
}

impl<'a> Columns<'a> {
    fn push(&mut self, call: &'a SuspendCall) {
        let id = call.fence.execution_id.uuid();
        self.execution_ids.push(id);
        self.lease_ids.push(call.fence.lease_id.0);
        self.epochs.push(call.fence.epoch as i64);
        self.attempts.push(call.fence.attempt as i32);
        self.bound_counts
            .push(i32::try_from(call.bound.len()).unwrap_or(i32::MAX));
        self.suspension_ids.push(call.suspension_id.0);
        self.reasons.push(call.reason);
        self.shown_reasons.push(call.shown_reason);
        self.requesters.push(call.requested_by);
        self.conditions.push(&call.condition);
        self.policies.push(call.resume_policy.as_deref());
        self.timeouts_ms.push(call.timeout_ms.map(bigint));
        self.timeouts_at.push(call.timeout_at);
        self.behaviors.push(call.timeout_behavior);
        let state = call.state.as_ref();
        self.states.push(state.map(|state| state.data.as_slice()));
        self.state_types
            .push(state.map(|state| state.content_type.as_str()));
        self.keys.push(call.idempotency_key.as_deref());
        self.reports.push(&call.report);
        self.alone.push(call.alone);
        for (waitpoint, signals) in &call.bound {
            self.bound_executions.push(id);
            self.bound_ids.push(waitpoint.0);
            self.bound_signals.push(*signals);
        }
        for fresh in &call.fresh {
            self.fresh_executions.push(id);
            self.fresh_ids.push(fresh.id.0);
            self.fresh_keys.push(&fresh.key);
            self.fresh_kids.push(&fresh.kid);
            self.fresh_fingerprints.push(&fresh.fingerprint);
        }
    }
}
