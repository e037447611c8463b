//! Creates batches of executions: the arrays of `create.sql`, and what became of each
//! request.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use model::{
    AttemptType, CreateRefusal, ExecutionId, ExecutionPolicy, Fence, FlowId, LeaseId, Moment,
    Partition, PublicState,
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::create::{Create, Created};
use super::request::policy_text;
use super::{Claimed, Statements, existing, moving};
use crate::coalesce::{Flush, Rider};
use crate::standby::{Needs, Seat};
use crate::{Answer, Error};

/// A checked request on its way to the statement.
pub(crate) struct CreateCall {
    pub(super) id: ExecutionId,
    /// Whether the id was made here, so that no other request can have used it.
    pub(super) minted: bool,
    /// Whether a worker may take it now.
    pub(super) at_once: bool,
    pub(super) digest: Option<Vec<u8>>,
    pub(super) create: Create,
}

/// An error: what was in the way is gone, and the call may be made again.
pub(crate) type CreateVerdict = Answer<Created, CreateRefusal>;

/// Two requests of one statement may not share a key; those with one may share an
/// id, see [`repeats`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum CreateKey {
    Keyed(String, String),
    Keyless(ExecutionId),
}

impl Rider for CreateCall {
    type Key = CreateKey;

    fn partition(&self) -> Partition {
        self.id.partition()
    }

    fn key(&self) -> CreateKey {
        match &self.create.idempotency_key {
            Some(key) => CreateKey::Keyed(self.create.namespace.clone(), key.clone()),
            None => CreateKey::Keyless(self.id),
        }
    }
}

impl Flush<CreateCall> for Statements {
    type Verdict = CreateVerdict;

    async fn flush(
        &self,
        partition: Partition,
        batch: &[Box<CreateCall>],
        retried: bool,
    ) -> Result<Vec<CreateVerdict>, Error> {
        let sent = Instant::now();
        let repeats = repeats(batch);
        let calls: Vec<&CreateCall> = batch
            .iter()
            .zip(&repeats)
            .filter(|(_, repeat)| !**repeat)
            .map(|(call, _)| call.as_ref())
            .collect();
        let seats = self
            .standbys
            .seats(calls.iter().map(|call| call.at_once.then(|| call.needs())));
        let made = self.insert(partition, &calls, &seats).await?;
        // In a second statement: the first one's snapshot cannot see a concurrent
        // winner.
        let misses: Vec<&CreateCall> = batch
            .iter()
            .zip(&repeats)
            .filter(|(call, repeat)| **repeat || !made.contains_key(&call.id))
            .map(|(call, _)| call.as_ref())
            .collect();
        let known = existing::look(&self.verbs, partition, &misses).await?;
        if made.values().any(|made| *made == Made::Queued) {
            self.wake.ready();
        }
        let mut known = known.into_iter();
        let mut seats = seats.into_iter();
        Ok(batch
            .iter()
            .zip(repeats)
            .map(|(call, repeat)| {
                let seat = if repeat { None } else { seats.next().flatten() };
                match made.get(&call.id).filter(|_| !repeat) {
                    Some(made) => {
                        if let (Made::Leased(lease_id, expires_at), Some(seat)) = (made, seat) {
                            seat.take(call.claimed(*lease_id, *expires_at), sent);
                        }
                        Ok(Ok(Created::Created {
                            id: call.id,
                            state: match made {
                                Made::Queued => PublicState::Waiting,
                                Made::PutOff => PublicState::Delayed,
                                Made::Leased(..) => PublicState::Active,
                            },
                        }))
                    }
                    None => known
                        .next()
                        .and_then(|known| call.made_before(&known, retried))
                        .ok_or_else(|| moving(call.id)),
                }
            })
            .collect())
    }
}

/// Marks the calls that name an id which a call before them names: only one of
/// them can go into a statement, and the others are answered by what it made.
fn repeats(batch: &[Box<CreateCall>]) -> Vec<bool> {
    let mut named = HashSet::new();
    batch
        .iter()
        .map(|call| !call.minted && !named.insert(call.id))
        .collect()
}

/// Where a new execution went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    Queued,
    PutOff,
    Leased(LeaseId, OffsetDateTime),
}

impl CreateCall {
    /// Returns what a worker must offer.
    fn needs(&self) -> Needs<'_> {
        let routing = &self.create.policy.routing_requirements;
        Needs {
            lane: &self.create.lane,
            kind: &self.create.kind,
            capabilities: &routing.required_capabilities,
        }
    }

    /// Returns the execution under its first lease, as a claim would.
    fn claimed(&self, lease_id: LeaseId, lease_expires_at: OffsetDateTime) -> Claimed {
        let create = &self.create;
        Claimed {
            fence: Fence {
                execution_id: self.id,
                lease_id,
                epoch: 1,
                attempt: 0,
            },
            lease_expires_at,
            namespace: create.namespace.clone(),
            kind: create.kind.clone(),
            lane: create.lane.clone(),
            flow_id: create.flow_id,
            traceparent: create.traceparent.clone(),
            attempt_type: AttemptType::Initial,
            resumes: false,
            input: create.input.clone(),
            tags: create.tags.clone().into_iter().collect(),
            attempt_timeout_ms: create.policy.timeout_policy.attempt_timeout_ms,
            policy: Arc::new(create.policy.clone()),
            retries: 0,
            resumption: None,
        }
    }
}

impl Statements {
    async fn insert(
        &self,
        partition: Partition,
        batch: &[&CreateCall],
        seats: &[Option<Seat>],
    ) -> Result<HashMap<ExecutionId, Made>, Error> {
        let create = |f: for<'a> fn(&'a Create) -> &'a str| -> Vec<&str> {
            batch.iter().map(|c| f(&c.create)).collect()
        };
        let maybe = |f: for<'a> fn(&'a Create) -> Option<&'a str>| -> Vec<Option<&str>> {
            batch.iter().map(|c| f(&c.create)).collect()
        };
        let written = |f: fn(&Create) -> Option<String>| -> Vec<Option<String>> {
            batch.iter().map(|c| f(&c.create)).collect()
        };
        let millis = |f: fn(&Create) -> Option<u64>| -> Vec<Option<i64>> {
            batch
                .iter()
                .map(|c| f(&c.create).map(|ms| ms as i64))
                .collect()
        };
        let ids: Vec<Uuid> = batch.iter().map(|c| c.id.uuid()).collect();
        let named: Vec<bool> = batch.iter().map(|c| !c.minted).collect();
        let priorities: Vec<i16> = batch.iter().map(|c| c.create.priority as i16).collect();
        let flows: Vec<Option<Uuid>> = batch
            .iter()
            .map(|c| c.create.flow_id.map(FlowId::uuid))
            .collect();
        let digests: Vec<Option<&[u8]>> = batch.iter().map(|c| c.digest.as_deref()).collect();
        let windows: Vec<i64> = batch
            .iter()
            .map(|c| c.create.policy.dedup_window_ms.0 as i64)
            .collect();
        let inputs: Vec<&[u8]> = batch
            .iter()
            .map(|c| c.create.input.data.as_slice())
            .collect();
        let reclaims: Vec<i32> = batch
            .iter()
            .map(|c| c.create.policy.timeout_policy.max_reclaim_count as i32)
            .collect();
        let due: Vec<Option<OffsetDateTime>> = batch
            .iter()
            .map(|c| c.create.delay_until.map(Moment::utc))
            .collect();
        let deadlines: Vec<Option<OffsetDateTime>> = batch
            .iter()
            .map(|c| c.create.deadline_at.map(Moment::utc))
            .collect();
        let takers: Vec<Option<&str>> = seats
            .iter()
            .map(|seat| seat.as_ref().map(Seat::worker_instance_id))
            .collect();
        let lives: Vec<Option<i32>> = seats
            .iter()
            .map(|seat| seat.as_ref().map(Seat::lease_ttl_ms))
            .collect();
        let mut tags: (Vec<Uuid>, Vec<&str>, Vec<&str>) = Default::default();
        for call in batch {
            for (key, value) in &call.create.tags {
                tags.0.push(call.id.uuid());
                tags.1.push(key);
                tags.2.push(value);
            }
        }
        let rows = sqlx::query_file!(
            "src/execution/create.sql",
            partition.column(),
            &ids,
            &named,
            &create(|c| &c.namespace) as &[&str],
            &create(|c| &c.lane) as &[&str],
            &create(|c| &c.kind) as &[&str],
            &priorities,
            &flows as &[Option<Uuid>],
            &maybe(|c| c.creator.as_deref()) as &[Option<&str>],
            &maybe(|c| c.idempotency_key.as_deref()) as &[Option<&str>],
            &digests as &[Option<&[u8]>],
            &windows,
            &maybe(|c| c.traceparent.as_deref()) as &[Option<&str>],
            &written(|c| required_capabilities(&c.policy)) as &[Option<String>],
            &inputs as &[&[u8]],
            &create(|c| &c.input.content_type) as &[&str],
            &written(|c| policy_text(&c.policy)) as &[Option<String>],
            &millis(|c| c.policy.timeout_policy.attempt_timeout_ms) as &[Option<i64>],
            &reclaims,
            &millis(|c| c.delay_ms) as &[Option<i64>],
            &due as &[Option<OffsetDateTime>],
            &millis(|c| c.policy.timeout_policy.execution_deadline_ms) as &[Option<i64>],
            &deadlines as &[Option<OffsetDateTime>],
            &takers as &[Option<&str>],
            &lives as &[Option<i32>],
            &millis(|c| c.policy.retention_ms) as &[Option<i64>],
            &tags.0,
            &tags.1 as &[&str],
            &tags.2 as &[&str],
        )
        .fetch_all(&self.verbs)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let made = match (row.lease_id, row.lease_expires_at) {
                    (Some(lease_id), Some(at)) => Made::Leased(LeaseId(lease_id), at),
                    _ if row.delayed => Made::PutOff,
                    _ => Made::Queued,
                };
                (ExecutionId::from_uuid(row.id), made)
            })
            .collect())
    }
}

fn required_capabilities(policy: &ExecutionPolicy) -> Option<String> {
    let required = &policy.routing_requirements.required_capabilities;
    if required.is_empty() {
        return None;
    }
    Some(required.iter().cloned().collect::<Vec<_>>().join(","))
}
