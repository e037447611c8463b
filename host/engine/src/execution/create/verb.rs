//! Requests to create executions, and their answers.

use std::collections::{BTreeMap, HashSet};

use model::{
    CreateRefusal, ExecutionId, ExecutionPolicy, Invalid, LANE_DEFAULT, Moment, NAMESPACE_DEFAULT,
    Partition, Partitions, PublicState,
};

use super::check::{check, request_digest};
use super::existing::{self, Existing};
use super::statement::CreateCall;
use crate::checks::Payload;
use crate::{Declined, Engine, Error, random};

/// A request for one execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create {
    /// Its id, for callers that make their own: a version 7 UUID on a partition of
    /// the instance, and on that of the idempotency key if there is one.
    pub id: Option<ExecutionId>,
    /// The namespace it belongs to, which must be a valid name.
    pub namespace: String,
    /// The queue it joins; must exist and take work.
    pub lane: String,
    /// The kind of handler it needs; some component must offer it.
    pub kind: String,
    /// 0 to 9000; within its partition a higher one is served first.
    pub priority: u16,
    /// What the handler is given; bounded by [`model::Limits::input_bytes_max`].
    pub input: Payload,
    /// Who asks, for people; at most 255 bytes.
    pub creator: Option<String>,
    /// Makes the request safe to repeat, for as long as the policy's window.
    pub idempotency_key: Option<String>,
    /// Labels by key, at most [`model::Limits::TAGS_MAX`].
    pub tags: BTreeMap<String, String>,
    /// How it is retried, bounded and routed; frozen from now on.
    pub policy: ExecutionPolicy,
    /// Becomes due after this many milliseconds; excludes `delay_until`.
    pub delay_ms: Option<u64>,
    /// Becomes due at this time; excludes `delay_ms`.
    pub delay_until: Option<Moment>,
    /// Expires at this time unless it has finished; absent: as the policy says.
    pub deadline_at: Option<Moment>,
    /// W3C trace context of the caller; at most 128 bytes.
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
            traceparent: None,
        }
    }
}

/// The answer to a creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The request made a new execution.
    Created {
        /// The id it has been given, or came with.
        id: ExecutionId,
        /// Waiting, delayed, or active when a worker got it immediately.
        state: PublicState,
    },
    /// The same request was made before with the same key, or the same id.
    Duplicate {
        /// The execution that the first request made.
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

/// Returns whether no request before had the key or the id of this one.
fn is_first(seen: &mut HashSet<(String, String)>, create: &Create) -> bool {
    let key = create.idempotency_key.as_ref();
    let key = key.map(|key| (create.namespace.clone(), key.clone()));
    // No namespace is empty.
    let id = create.id.map(|id| (String::new(), id.to_string()));
    let new_key = key.is_none_or(|key| seen.insert(key));
    let new_id = id.is_none_or(|id| seen.insert(id));
    new_key && new_id
}

impl Engine {
    /// Creates an execution. Durable when it returns.
    ///
    /// # Refusals
    /// See [`CreateRefusal`]. A repeat with the same idempotency key, or the same
    /// id of the caller's, and the same request is [`Created::Duplicate`].
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`]: unknown whether it was created; ask again with
    /// the same key or id.
    pub async fn create(&self, create: Create) -> Result<Created, Declined<CreateRefusal>> {
        match self.prepare(create).await? {
            Prepared::Call(call) => self.inner.batchers.create.call(*call).await?,
            Prepared::Made(created) => Ok(created),
        }
    }

    /// Creates many executions, each with its own answer, in order. Of those with one key or
    /// one id the first makes the execution.
    pub async fn create_batch(
        &self,
        creates: Vec<Create>,
    ) -> Vec<Result<Created, Declined<CreateRefusal>>> {
        let mut seen = HashSet::new();
        let (firsts, repeats): (Vec<_>, Vec<_>) = creates
            .into_iter()
            .enumerate()
            .partition(|(_, create)| is_first(&mut seen, create));
        let made = firsts
            .into_iter()
            .map(async |(at, create)| (at, self.create(create).await));
        let mut answers = futures::future::join_all(made).await;
        // At the same time as the first, one of these could overtake it.
        for (at, create) in repeats {
            answers.push((at, self.create(create).await));
        }
        answers.sort_unstable_by_key(|(at, _)| *at);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    /// Checks a request. Where this host would refuse its kind or its lane, the engine
    /// first looks for what the request made before, by its key and its id, and answers
    /// with that: kind and lane may have changed since.
    pub(in crate::execution) async fn prepare(
        &self,
        mut create: Create,
    ) -> Result<Prepared, Declined<CreateRefusal>> {
        if let Some(field) = create.policy.not_offered() {
            return Err(CreateRefusal::NotOffered { field }.into());
        }
        check(&mut create, &self.limits())?;
        let partitions = self.instance().partitions;
        let key = create.idempotency_key.as_deref();
        let id = match create.id {
            Some(id) => {
                let of_key = key.map(|key| partitions.of_key(&create.namespace, key));
                check_id(id, partitions, of_key)?;
                id
            }
            None => random::execution_id(partitions, &create.namespace, key),
        };
        let minted = create.id.is_none();
        let may_repeat = key.is_some() || !minted;
        let mut call = CreateCall {
            minted,
            due_now: false,
            id,
            digest: may_repeat.then(|| request_digest(&create)),
            create,
        };
        let Some(refusal) = self.refuses_kind_or_lane(&mut call).await? else {
            return Ok(Prepared::Call(Box::new(call)));
        };
        if may_repeat {
            let found = existing::find(&self.inner.verbs, id.partition(), &[&call]).await?;
            let before = found.into_iter().next().map(Existing::while_remembered);
            if let Some(answer) = before.and_then(|it| call.made_before(&it, false)) {
                return Ok(Prepared::Made(answer?));
            }
        }
        Err(refusal.into())
    }
}

impl Engine {
    /// Checks a request for an execution that another statement creates, under this id.
    ///
    /// # Refusals
    /// As [`Self::create`], but for those about what was created before.
    pub(crate) async fn prepare_member(
        &self,
        mut create: Create,
        id: ExecutionId,
    ) -> Result<CreateCall, Declined<CreateRefusal>> {
        if let Some(field) = create.policy.not_offered() {
            return Err(CreateRefusal::NotOffered { field }.into());
        }
        check(&mut create, &self.limits())?;
        let mut call = CreateCall {
            minted: true,
            due_now: false,
            id,
            digest: Some(request_digest(&create)),
            create,
        };
        match self.refuses_kind_or_lane(&mut call).await? {
            Some(refusal) => Err(refusal.into()),
            None => Ok(call),
        }
    }

    /// Returns why this host would not create it, because of its kind or its lane; otherwise
    /// notes whether a worker may get it immediately.
    async fn refuses_kind_or_lane(
        &self,
        call: &mut CreateCall,
    ) -> Result<Option<CreateRefusal>, Error> {
        if !self.kind_is_known(&call.create.kind).await? {
            return Ok(Some(CreateRefusal::UnknownKind(call.create.kind.clone())));
        }
        let state = self.lane_state(&call.create.lane).await?;
        call.due_now =
            state.serves() && call.create.delay_ms.is_none() && call.create.delay_until.is_none();
        Ok((!state.takes_work()).then(|| CreateRefusal::LaneDisabled {
            lane: call.create.lane.clone(),
            state,
        }))
    }
}

/// A request that may be made, or was made before.
pub(in crate::execution) enum Prepared {
    Call(Box<CreateCall>),
    Made(Created),
}

/// Checks an id that a caller made: of the form of this server, on a partition of
/// this instance, and on that of the idempotency key, if there is one.
fn check_id(
    id: ExecutionId,
    partitions: Partitions,
    of_key: Option<Partition>,
) -> Result<(), Invalid> {
    let number = id.partition().number();
    let detail = match of_key {
        _ if !id.is_routed() => format!(
            "`{id}` is not an id of the form that this server gives out: a version 7 UUID whose 12 bits after the version number its partition; leave it out to have one made"
        ),
        _ if number >= partitions.count() => format!(
            "`{id}` is on partition {number}, and this instance has {}, from 0; leave it out to have one made",
            partitions.count()
        ),
        Some(of) if of != id.partition() => format!(
            "`{id}` is on partition {number}, and idempotency_key on {}; leave the id out to have one made",
            of.number()
        ),
        _ => return Ok(()),
    };
    Err(Invalid::new("id", detail))
}
