//! create: nothing → waiting, delayed or, handed to a worker that stands by,
//! active.
//!
//! Locks: idempotency row, new rows. Events: `created`, and `acquired` for what
//! is handed over.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use model::{
    AttemptType, CreateRefusal, ExecutionId, ExecutionPolicy, Fence, FlowId, Invalid, LANE_DEFAULT,
    LeaseId, NAMESPACE_DEFAULT, Partition, PublicState,
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::request::{check, request_digest};
use super::{Claimed, Payload, Statements};
use crate::coalesce::{Flush, Rider};
use crate::standby::{Needs, Seat};
use crate::{Answer, Engine, Error, mint};

/// A request for one execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create {
    /// Its id, for callers that make their own; on the partition of the
    /// idempotency key if there is one.
    pub id: Option<ExecutionId>,
    /// Where it lives.
    pub namespace: String,
    /// Which queue it joins.
    pub lane: String,
    /// Which handler it needs.
    pub kind: String,
    /// 0 to 9000, higher first.
    pub priority: u16,
    /// What the handler gets.
    pub input: Payload,
    /// Who asks, for people.
    pub creator: Option<String>,
    /// Makes the request safe to repeat.
    pub idempotency_key: Option<String>,
    /// Labels.
    pub tags: BTreeMap<String, String>,
    /// How it is retried, bounded and routed; frozen from now on.
    pub policy: ExecutionPolicy,
    /// Becomes due after this many milliseconds.
    pub delay_ms: Option<u64>,
    /// Becomes due at this time.
    pub delay_until: Option<OffsetDateTime>,
    /// Expires at this time.
    pub deadline_at: Option<OffsetDateTime>,
    /// Flow it is a member of.
    pub flow_id: Option<FlowId>,
    /// W3C trace context of the caller.
    pub traceparent: Option<String>,
}

impl Create {
    /// Returns a request with every default.
    pub fn new(kind: impl Into<String>, input: Payload) -> Self {
        Self {
            id: None,
            namespace: NAMESPACE_DEFAULT.to_owned(),
            lane: LANE_DEFAULT.to_owned(),
            kind: kind.into(),
            priority: 0,
            input,
            creator: None,
            idempotency_key: None,
            tags: BTreeMap::new(),
            policy: ExecutionPolicy::default(),
            delay_ms: None,
            delay_until: None,
            deadline_at: None,
            flow_id: None,
            traceparent: None,
        }
    }
}

/// The answer to a creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// A new execution.
    Created {
        /// Its id.
        id: ExecutionId,
        /// Waiting, delayed, or active when a worker took it at once.
        state: PublicState,
    },
    /// The same request was made before with the same key, or the same id.
    Duplicate {
        /// What it made.
        id: ExecutionId,
    },
}

impl Created {
    /// Returns the execution.
    pub const fn id(&self) -> ExecutionId {
        match self {
            Self::Created { id, .. } | Self::Duplicate { id } => *id,
        }
    }
}

impl Engine {
    /// Creates an execution. Durable when it returns.
    ///
    /// # Refusals
    /// See [`CreateRefusal`]. A repeat with the same idempotency key and the
    /// same request is [`Created::Duplicate`].
    ///
    /// # Errors
    /// [`Error::Unavailable`]: unknown whether it was created; ask again with
    /// the same key or id.
    pub async fn create(&self, create: Create) -> Answer<Created, CreateRefusal> {
        let call = match self.prepare(create).await? {
            Ok(call) => call,
            Err(refused) => return Ok(Err(refused)),
        };
        self.inner.create.call(call).await
    }

    /// Creates many executions, each with its own answer, in order.
    pub async fn create_batch(&self, creates: Vec<Create>) -> Vec<Answer<Created, CreateRefusal>> {
        futures::future::join_all(creates.into_iter().map(|create| self.create(create))).await
    }

    pub(super) async fn prepare(&self, mut create: Create) -> Answer<CreateCall, CreateRefusal> {
        if let Err(invalid) = check(&mut create, &self.limits()) {
            return Ok(Err(invalid.into()));
        }
        if !self.kind_is_known(&create.kind).await? {
            return Ok(Err(CreateRefusal::UnknownKind(create.kind)));
        }
        let lane = self.lane_state(&create.lane).await?;
        if !lane.takes_work() {
            return Ok(Err(CreateRefusal::LaneDisabled(create.lane)));
        }
        let partitions = self.instance().partitions;
        let key = create.idempotency_key.as_deref();
        let id = match create.id {
            None => match create.flow_id {
                None => mint::execution_id(partitions, &create.namespace, key),
                Some(flow) => mint::execution_id_on(flow.partition()),
            },
            Some(id) => {
                let right = match key {
                    Some(key) => id.partition() == partitions.of_key(&create.namespace, key),
                    None => id.partition().number() < partitions.count(),
                };
                if !right {
                    return Ok(Err(Invalid::new(
                        "id",
                        "is on another partition than its idempotency key, or on none of this instance; leave it out to have one made",
                    )
                    .into()));
                }
                id
            }
        };
        let digest = key.map(|_| request_digest(&create));
        Ok(Ok(CreateCall {
            minted: create.id.is_none(),
            at_once: lane.serves() && create.delay_ms.is_none() && create.delay_until.is_none(),
            id,
            digest,
            create,
        }))
    }
}

pub(super) fn policy_text(policy: &ExecutionPolicy) -> Option<String> {
    if policy.is_default() {
        None
    } else {
        Some(serde_json::to_string(policy).expect("a policy is plain data"))
    }
}

/// A checked request on its way to the statement.
pub(crate) struct CreateCall {
    pub(super) id: ExecutionId,
    /// Whether the id was made here, so that nobody else can have used it.
    minted: bool,
    /// Whether a worker may take it now.
    at_once: bool,
    digest: Option<Vec<u8>>,
    create: Create,
}

pub(crate) type CreateVerdict = Result<Created, CreateRefusal>;

/// Two requests of one statement may share neither a key nor an id.
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
        let seats = self
            .standbys
            .seats(batch.iter().map(|call| call.at_once.then(|| call.needs())));
        let made = self.insert(partition, batch, &seats).await?;
        let misses: Vec<&CreateCall> = batch
            .iter()
            .map(Box::as_ref)
            .filter(|c| !made.contains_key(&c.id))
            .collect();
        let known = self.lookup(partition, &misses).await?;
        if made.values().any(|made| *made == Made::Queued) {
            self.wake.ready();
        }
        Ok(batch
            .iter()
            .zip(seats)
            .map(|(call, seat)| match made.get(&call.id) {
                Some(made) => {
                    if let (Made::Leased(lease_id, expires_at), Some(seat)) = (made, seat) {
                        seat.take(call.claimed(*lease_id, *expires_at), sent);
                    }
                    Ok(Created::Created {
                        id: call.id,
                        state: match made {
                            Made::Queued => PublicState::Waiting,
                            Made::PutOff => PublicState::Delayed,
                            Made::Leased(..) => PublicState::Active,
                        },
                    })
                }
                None => call.missed(&known, retried),
            })
            .collect())
    }
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

    /// Answers a request that inserted nothing.
    fn missed(
        &self,
        known: &HashMap<ExecutionId, (ExecutionId, Vec<u8>)>,
        retried: bool,
    ) -> CreateVerdict {
        let (existing, digest) = match known.get(&self.id) {
            Some((existing, digest)) => (*existing, Some(digest)),
            None => (self.id, None),
        };
        // An id made here exists only if an earlier try of this very call
        // committed without its reply reaching us.
        if retried && self.minted && existing == self.id {
            let delayed = self.create.delay_ms.is_some() || self.create.delay_until.is_some();
            return Ok(Created::Created {
                id: self.id,
                state: if delayed {
                    PublicState::Delayed
                } else {
                    PublicState::Waiting
                },
            });
        }
        if digest.is_some() && digest != self.digest.as_ref() {
            return Err(CreateRefusal::IdempotencyConflict { existing });
        }
        Ok(Created::Duplicate { id: existing })
    }
}

impl Statements {
    async fn insert(
        &self,
        partition: Partition,
        batch: &[Box<CreateCall>],
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
        let due: Vec<Option<OffsetDateTime>> = batch.iter().map(|c| c.create.delay_until).collect();
        let deadlines: Vec<Option<OffsetDateTime>> =
            batch.iter().map(|c| c.create.deadline_at).collect();
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

    /// Finds what the keys of these requests made. In a second statement: the
    /// first one's snapshot cannot see a concurrent winner.
    async fn lookup(
        &self,
        partition: Partition,
        misses: &[&CreateCall],
    ) -> Result<HashMap<ExecutionId, (ExecutionId, Vec<u8>)>, Error> {
        if misses.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<Uuid> = misses.iter().map(|c| c.id.uuid()).collect();
        let namespaces: Vec<String> = misses.iter().map(|c| c.create.namespace.clone()).collect();
        let keys: Vec<Option<String>> = misses
            .iter()
            .map(|c| c.create.idempotency_key.clone())
            .collect();
        let rows = sqlx::query!(
            r#"SELECT w.id AS "id!", i.execution_id, i.request_digest
               FROM unnest($2::uuid[], $3::text[], $4::text[]) AS w(id, namespace, key)
               CROSS JOIN LATERAL (
                   SELECT i.execution_id, i.request_digest FROM idempotency i
                   WHERE i.partition = $1 AND i.namespace = w.namespace AND i.key = w.key OFFSET 0
               ) AS i"#,
            partition.column(),
            &ids,
            &namespaces,
            &keys as &[Option<String>],
        )
        .fetch_all(&self.verbs)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let existing = ExecutionId::from_uuid(row.execution_id);
                (
                    ExecutionId::from_uuid(row.id),
                    (existing, row.request_digest),
                )
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
