//! Creates a batch of executions with `create.sql`, and answers each request.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use model::{
    AttemptType, CreateRefusal, ExecutionId, ExecutionPolicy, Fence, LeaseId, Moment, Partition,
    PublicState,
};
use time::OffsetDateTime;

use super::check::policy_text;
use super::existing;
use super::verb::{Create, Created};
use crate::batch::{BatchItem, Flush};
use crate::columns::columns;
use crate::dispatch::{Requirements, ReservedSlot};
use crate::event::ClassName;
use crate::lease::Claimed;
use crate::row::{bigint, int};
use crate::statements::{Statements, conflict};
use crate::{Declined, Error};

/// A checked request on its way to the statement.
#[derive(Debug, Clone)]
pub(crate) struct CreateCall {
    pub(crate) id: ExecutionId,
    /// Whether the id was made here, so that no other request can have used it.
    pub(super) minted: bool,
    /// Whether a worker may get it immediately: its lane serves, and it is not delayed.
    pub(crate) due_now: bool,
    pub(crate) digest: Option<Vec<u8>>,
    pub(crate) create: Create,
}

/// An error: what was in the way is gone, and the call may be made again.
pub(crate) type CreateVerdict = Result<Created, Declined<CreateRefusal>>;

/// Two requests of one statement may not share a key; those with one may share an
/// id, see [`repeats`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum CreateKey {
    Keyed(String, String),
    Keyless(ExecutionId),
}

impl BatchItem for CreateCall {
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

    fn payload_bytes(&self) -> usize {
        self.create.input.data.len()
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
            .idle_workers
            .reserve(calls.iter().map(|call| call.due_now.then(|| call.needs())));
        let classes = calls.iter().map(|call| call.class()).collect::<Vec<_>>();
        let classes = self.classes.of(&self.verbs, &classes).await?;
        let made = self.insert(partition, &calls, &classes, &seats).await?;
        // In a second statement: the first one's snapshot cannot see a concurrent
        // winner.
        let misses: Vec<&CreateCall> = batch
            .iter()
            .zip(&repeats)
            .filter(|(call, repeat)| **repeat || !made.contains_key(&call.id))
            .map(|(call, _)| call.as_ref())
            .collect();
        let existing = existing::find(&self.verbs, partition, &misses).await?;
        if made.values().any(|made| *made == Made::Queued) {
            self.wake.ready();
        }
        let mut existing = existing.into_iter();
        let mut seats = seats.into_iter();
        Ok(batch
            .iter()
            .zip(repeats)
            .map(|(call, repeat)| {
                let seat = if repeat { None } else { seats.next().flatten() };
                match made.get(&call.id).filter(|_| !repeat) {
                    Some(made) => {
                        if let (Made::Leased(lease_id, expires_at), Some(seat)) = (made, seat) {
                            seat.dispatch(call.claimed(*lease_id, *expires_at), sent);
                        }
                        Ok(Created::Created {
                            id: call.id,
                            state: match made {
                                Made::Queued => PublicState::Waiting,
                                Made::Delayed => PublicState::Delayed,
                                Made::Leased(..) => PublicState::Active,
                            },
                        })
                    }
                    None => {
                        let existing = existing.next();
                        let before = existing.and_then(|it| call.made_before(&it, retried));
                        Ok(before.ok_or_else(|| conflict(call.id))??)
                    }
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

/// The state a new execution is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    Queued,
    Delayed,
    Leased(LeaseId, OffsetDateTime),
}

impl CreateCall {
    /// Returns what filters of events ask of it.
    pub(crate) fn class(&self) -> ClassName {
        let Create {
            namespace,
            lane,
            kind,
            ..
        } = &self.create;
        (namespace.clone(), lane.clone(), kind.clone())
    }

    /// Returns the lane, kind and capabilities that a worker must offer.
    pub(crate) fn needs(&self) -> Requirements<'_> {
        let routing = &self.create.policy.routing_requirements;
        Requirements {
            lane: &self.create.lane,
            kind: &self.create.kind,
            capabilities: &routing.required_capabilities,
        }
    }

    /// Returns the execution under its first lease, as a claim would.
    pub(crate) fn claimed(&self, lease_id: LeaseId, lease_expires_at: OffsetDateTime) -> Claimed {
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
            creator: create.creator.clone(),
            flow_id: None,
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
        classes: &[i32],
        seats: &[Option<ReservedSlot>],
    ) -> Result<HashMap<ExecutionId, Made>, Error> {
        let rows = columns!(
            query_file!("src/execution/create/create.sql", partition.column());
            for ((call, class), seat) in batch.iter().zip(classes).zip(seats) => {
                ids = call.id.uuid();
                named = !call.minted;
                namespaces as &str = &call.create.namespace;
                lanes as &str = &call.create.lane;
                kinds as &str = &call.create.kind;
                class_ids as Option<i32> = Some(*class);
                priorities = call.create.priority as i16;
                creators as Option<&str> = call.create.creator.as_deref();
                traceparents as Option<&str> = call.create.traceparent.as_deref();
                required_capabilities as Option<String> = capabilities_text(&call.create.policy);
                inputs as &[u8] = &call.create.input.data;
                input_types as &str = &call.create.input.content_type;
                policies as Option<String> = policy_text(&call.create.policy);
                attempt_timeouts_ms as Option<i64> =
                    call.create.policy.timeout_policy.attempt_timeout_ms.map(bigint);
                reclaims_max = int(call.create.policy.timeout_policy.max_reclaim_count);
                idempotency_keys as Option<&str> = call.create.idempotency_key.as_deref();
                digests as Option<&[u8]> = call.digest.as_deref();
                dedup_windows_ms = bigint(call.create.policy.dedup_window_ms);
                delays_ms as Option<i64> = call.create.delay_ms.map(bigint);
                due_at as Option<OffsetDateTime> = call.create.delay_until.map(Moment::utc);
                deadlines_ms as Option<i64> =
                    call.create.policy.timeout_policy.execution_deadline_ms.map(bigint);
                deadlines_at as Option<OffsetDateTime> = call.create.deadline_at.map(Moment::utc);
                retentions_ms as Option<i64> = call.create.policy.retention_ms.map(bigint);
                worker_instance_ids as Option<&str> = seat.as_ref().map(ReservedSlot::worker_instance_id);
                lease_ttls_ms as Option<i32> = seat.as_ref().map(ReservedSlot::lease_ttl_ms);
            }
            for (id, (key, value)) in batch.iter().flat_map(|call| {
                call.create.tags.iter().map(|tag| (call.id.uuid(), tag))
            }) => {
                tagged_ids = id;
                tag_keys as &str = key;
                tag_values as &str = value;
            }
        )
        .fetch_all(&self.verbs)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let made = match (row.lease_id, row.lease_expires_at) {
                    (Some(lease_id), Some(at)) => Made::Leased(LeaseId(lease_id), at),
                    _ if row.delayed => Made::Delayed,
                    _ => Made::Queued,
                };
                (ExecutionId::from_uuid(row.id), made)
            })
            .collect())
    }
}

pub(crate) fn capabilities_text(policy: &ExecutionPolicy) -> Option<String> {
    let required = &policy.routing_requirements.required_capabilities;
    (!required.is_empty()).then(|| required.iter().cloned().collect::<Vec<_>>().join(","))
}
