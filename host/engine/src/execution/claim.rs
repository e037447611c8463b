//! claim: waiting → active.
//!
//! Charges the attempt before any guest code runs: the lease row is durable when
//! the claim returns. Locks: the ready rows taken. Event: `acquired`, or
//! `reclaimed` after a lost lease.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use model::{AttemptType, ExecutionId, ExecutionPolicy, Fence, FlowId, LeaseId, Limits, Partition};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Payload;
use super::row::{count, epoch, label};
use crate::{Engine, Error};

/// A request for work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Who asks; kept with the lease.
    pub worker_instance_id: String,
    /// Lanes to serve; empty for every lane that serves.
    pub lanes: Vec<String>,
    /// Kinds the worker can run; absent for any.
    pub kinds: Option<Vec<String>>,
    /// What the worker offers; an execution must require no more.
    pub capabilities: BTreeSet<String>,
    /// Most executions, bounded by [`Limits::BATCH_MAX`].
    pub max: u32,
    /// Life of the leases in milliseconds, within [`Limits::LEASE_TTL_MS`].
    pub lease_ttl_ms: u32,
}

impl Claim {
    /// Returns the life of the leases within bounds.
    pub(crate) fn ttl_ms(&self) -> i32 {
        lease_ttl_ms(self.lease_ttl_ms)
    }
}

/// Returns the life of a lease within bounds.
fn lease_ttl_ms(wanted: u32) -> i32 {
    let bounds = Limits::LEASE_TTL_MS;
    wanted.clamp(*bounds.start(), *bounds.end()) as i32
}

/// An execution under a lease.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// What every write must carry.
    pub fence: Fence,
    /// When the lease ends, unless renewed.
    pub lease_expires_at: OffsetDateTime,
    /// Where it lives.
    pub namespace: String,
    /// What it is.
    pub kind: String,
    /// Where it was claimed from.
    pub lane: String,
    /// Flow it is a member of.
    pub flow_id: Option<FlowId>,
    /// W3C trace context of whoever created it.
    pub traceparent: Option<String>,
    /// Why this attempt exists.
    pub attempt_type: AttemptType,
    /// Whether this lease goes on with an attempt that was put down.
    pub resumes: bool,
    /// What the handler gets.
    pub input: Payload,
    /// Labels, ordered by key.
    pub tags: Vec<(String, String)>,
    /// Longest the attempt may run.
    pub attempt_timeout_ms: Option<u64>,
    /// The frozen policy.
    pub policy: Arc<ExecutionPolicy>,
    /// Failures so far.
    pub retries: u32,
}

/// What one statement takes: the first of these lanes that fit, and what one
/// grant promises.
struct Wanted<'a> {
    lanes: &'a [String],
    kinds: Option<&'a [String]>,
    capabilities: &'a [String],
    max: usize,
    /// Execution and grant.
    granted: Option<(Uuid, Uuid)>,
}

/// Where the next claim begins among lanes and partitions, so that none is
/// always served last.
static TURN: AtomicUsize = AtomicUsize::new(0);

impl Engine {
    /// Claims up to `max` ready executions for a worker, by lane, priority
    /// (high first) and time.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: leases may have been granted that nobody holds;
    /// they lapse and are claimed again.
    pub async fn claim(&self, claim: Claim) -> Result<Vec<Claimed>, Error> {
        let mut lanes = self.lanes_that_serve(&claim.lanes).await?;
        let max = (claim.max as usize).min(Limits::BATCH_MAX);
        if lanes.is_empty() || max == 0 || claim.kinds.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Vec::new());
        }
        let turn = TURN.fetch_add(1, Ordering::Relaxed);
        let first = turn % lanes.len();
        lanes.rotate_left(first);
        let partitions: Vec<Partition> = self.instance().partitions.all().collect();
        let mut claimed = Vec::new();
        for offset in 0..partitions.len() {
            let partition = partitions[(turn + offset) % partitions.len()];
            let wanted = max - claimed.len();
            claimed.extend(self.claim_on(partition, &claim, &lanes, wanted).await?);
            if claimed.len() == max {
                break;
            }
        }
        Ok(claimed)
    }

    async fn claim_on(
        &self,
        partition: Partition,
        claim: &Claim,
        lanes: &[String],
        max: usize,
    ) -> Result<Vec<Claimed>, Error> {
        let capabilities: Vec<String> = claim.capabilities.iter().cloned().collect();
        let wanted = Wanted {
            lanes,
            kinds: claim.kinds.as_deref(),
            capabilities: &capabilities,
            max,
            granted: None,
        };
        self.take(partition, wanted, &claim.worker_instance_id, claim.ttl_ms())
            .await
    }

    /// Claims the execution a grant promises, if the grant still holds.
    pub(crate) async fn claim_granted(
        &self,
        id: ExecutionId,
        grant_id: Uuid,
        worker_instance_id: &str,
        ttl_ms: u32,
    ) -> Result<Option<Claimed>, Error> {
        let wanted = Wanted {
            lanes: &[],
            kinds: None,
            capabilities: &[],
            max: 1,
            granted: Some((id.uuid(), grant_id)),
        };
        let ttl_ms = lease_ttl_ms(ttl_ms);
        let taken = self.take(id.partition(), wanted, worker_instance_id, ttl_ms);
        Ok(taken.await?.pop())
    }

    async fn take(
        &self,
        partition: Partition,
        wanted: Wanted<'_>,
        worker_instance_id: &str,
        ttl_ms: i32,
    ) -> Result<Vec<Claimed>, Error> {
        let (promised, grants): (Vec<Uuid>, Vec<Uuid>) = wanted.granted.into_iter().unzip();
        let rows = sqlx::query_file!(
            "src/execution/claim.sql",
            partition.column(),
            wanted.lanes,
            wanted.kinds,
            wanted.capabilities,
            wanted.max as i64,
            worker_instance_id,
            ttl_ms,
            &promised,
            &grants,
        )
        .fetch_all(&self.inner.verbs)
        .await?;
        let standard = Arc::new(ExecutionPolicy::default());
        rows.into_iter()
            .map(|row| {
                let id = row.execution_id;
                let policy = match &row.policy {
                    None => Arc::clone(&standard),
                    Some(text) => Arc::new(policy(id, text)?),
                };
                let flat = row.tags.unwrap_or_default();
                Ok(Claimed {
                    fence: Fence {
                        execution_id: ExecutionId::from_uuid(id),
                        lease_id: LeaseId(row.lease_id),
                        epoch: epoch(row.epoch),
                        attempt: count(row.attempt),
                    },
                    lease_expires_at: row.expires_at,
                    namespace: row.namespace,
                    kind: row.kind,
                    lane: row.lane,
                    flow_id: row.flow_id.map(FlowId::from_uuid),
                    traceparent: row.traceparent,
                    attempt_type: label("ready", "next_type", id, &row.attempt_type)?,
                    resumes: row.resumes,
                    input: Payload::new(row.input_type, row.input),
                    tags: flat
                        .chunks_exact(2)
                        .map(|pair| (pair[0].clone(), pair[1].clone()))
                        .collect(),
                    attempt_timeout_ms: row.attempt_timeout_ms.map(|ms| ms.unsigned_abs()),
                    policy,
                    retries: count(row.retries),
                })
            })
            .collect()
    }
}

/// Reads a frozen policy.
pub(crate) fn policy(id: Uuid, text: &str) -> Result<ExecutionPolicy, Error> {
    serde_json::from_str(text).map_err(|error| Error::corrupt("execution", "policy", id, error))
}
