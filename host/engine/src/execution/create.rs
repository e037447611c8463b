//! create: nothing → waiting, delayed or, handed to a worker that stands by,
//! active.
//!
//! Locks: idempotency row, new rows. Events: `created`, and `acquired` for what
//! is handed over.

use std::collections::BTreeMap;

use model::{
    CreateRefusal, ExecutionId, ExecutionPolicy, FlowId, Invalid, LANE_DEFAULT, NAMESPACE_DEFAULT,
    PublicState,
};
use time::OffsetDateTime;

use super::Payload;
use super::insert::CreateCall;
use super::request::{check, request_digest};
use crate::{Answer, Engine, mint};

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
