//! The interface `executions`: other executions of the guest's namespace.
//!
//! The namespace comes from the store, never from an argument; an execution of another
//! namespace is answered like one that does not exist.

use std::collections::{BTreeMap, BTreeSet};

use engine::{Cancel, Create, Created as EngineCreated, Operate, Operator};
use model::{
    CancelRefusal, CancelSource, CreateRefusal, ExecutionId, ExecutionPolicy, Invalid, Limits,
    Moment, OperateRefusal, PublicState,
};
use wasmtime::component::Resource;

use super::bindings::flowhost::engine::executions::{
    Created, Description, Error, Host, HostRequest,
};
use super::bindings::flowhost::engine::types::Payload;
use super::convert::said;
use super::convert::{
    self, Bounds, check_label, check_text, description_bytes, payload_bytes, text_bytes,
    texts_bytes,
};
use super::setters::setters;
use super::store::{Caller, HostResource};
use super::{CallError, ExecutionsCallError, State};

/// An execution about to be created.
pub struct Request {
    kind: String,
    input: Payload,
    lane: Option<String>,
    priority: u16,
    idempotency_key: Option<String>,
    policy: Option<ExecutionPolicy>,
    required_capabilities: Option<BTreeSet<String>>,
    id: Option<ExecutionId>,
    deadline_at: Option<Moment>,
    delay_ms: Option<u64>,
    delay_until: Option<Moment>,
    tags: BTreeMap<String, String>,
    used: bool,
    bounds: Bounds,
}

impl HostResource for Request {
    fn owned_bytes(&self) -> usize {
        let tag =
            |(key, value): (&String, &String)| 2 * size_of::<String>() + key.len() + value.len();
        self.kind.len()
            + payload_bytes(&self.input)
            + text_bytes(self.lane.as_ref())
            + text_bytes(self.idempotency_key.as_ref())
            + self.tags.iter().map(tag).sum::<usize>()
            + self.policy.as_ref().map_or(0, |policy| {
                set_bytes(&policy.routing_requirements.required_capabilities)
            })
            + self.required_capabilities.as_ref().map_or(0, set_bytes)
            + self.bounds.owned_bytes()
    }
}

impl Request {
    fn set_tag(&mut self, key: String, value: String) {
        let checked = check_label(&key, &value).and_then(|()| {
            if self.tags.len() >= Limits::TAGS_MAX && !self.tags.contains_key(&key) {
                let detail = format!("at most {}", Limits::TAGS_MAX);
                return Err(Invalid::new("tags", detail));
            }
            Ok((key, value))
        });
        self.tags.extend(self.bounds.keep(checked));
    }

    /// Takes out the request to the engine.
    pub(super) fn take(&mut self, caller: &Caller) -> Result<Create, Invalid> {
        if std::mem::replace(&mut self.used, true) {
            return Err(Invalid::new("request", "was used already"));
        }
        self.bounds.check()?;
        let input = std::mem::replace(&mut self.input, empty());
        let mut create = Create::new(&self.kind, input.into());
        if let Some(lane) = self.lane.take() {
            create.lane = lane;
        }
        create.priority = self.priority;
        create.idempotency_key = self.idempotency_key.take();
        create.policy = self.policy.take().unwrap_or_default();
        if let Some(capabilities) = self.required_capabilities.take() {
            create.policy.routing_requirements.required_capabilities = capabilities;
        }
        create.id = self.id;
        create.deadline_at = self.deadline_at;
        create.delay_ms = self.delay_ms;
        create.delay_until = self.delay_until;
        create.tags = std::mem::take(&mut self.tags);
        create.creator = Some(caller.creator());
        create.namespace.clone_from(&caller.namespace);
        Ok(create)
    }
}

/// Returns the bytes that a set of texts owns.
fn set_bytes(texts: &BTreeSet<String>) -> usize {
    let text = |text: &String| size_of::<String>() + text.len();
    texts.iter().map(text).sum()
}

fn empty() -> Payload {
    Payload {
        content_type: String::new(),
        data: Vec::new(),
    }
}

impl HostRequest for State {
    fn new(&mut self, kind: String, input: Payload) -> wasmtime::Result<Resource<Request>> {
        self.count_call(kind.len() + payload_bytes(&input))?;
        let mut bounds = Bounds::default();
        let kind = bounds.keep(model::kind_name(&kind).map(|()| kind));
        let max = self.instance_limits.input_bytes_max;
        let input = bounds.payload("input", input, max);
        self.push(Request {
            kind: kind.unwrap_or_default(),
            input: input.unwrap_or_else(empty),
            lane: None,
            priority: 0,
            idempotency_key: None,
            policy: None,
            required_capabilities: None,
            id: None,
            deadline_at: None,
            delay_ms: None,
            delay_until: None,
            tags: BTreeMap::new(),
            used: false,
            bounds,
        })
    }

    setters! { Request:
        set_lane(lane: String, lane.len()) request => {
            request.lane = request.bounds.keep(model::lane_name(&lane).map(|()| lane));
        };
        set_priority(priority: u16, 0) request => request.priority = priority;
        set_idempotency_key(key: String, key.len()) request => {
            let max = Limits::KEY_BYTES_MAX;
            request.idempotency_key = request.bounds.text("idempotency_key", key, max);
        };
        set_policy(policy: String, policy.len()) request => {
            request.policy = request.bounds.keep(read_policy(&policy));
        };
        set_required_capabilities(capabilities: Vec<String>, texts_bytes(&capabilities)) request => {
            let set = BTreeSet::from_iter(capabilities);
            let checked = model::capabilities("required_capabilities", &set).map(|()| set);
            request.required_capabilities = request.bounds.keep(checked);
        };
        set_id(id: String, id.len()) request => {
            request.id = request.bounds.keep(read_id(&id));
        };
        set_deadline(deadline_at: f64, 0) request => {
            let at = convert::time_of("deadline_at", deadline_at);
            request.deadline_at = request.bounds.keep(at);
        };
        set_delay_ms(delay_ms: u64, 0) request => request.delay_ms = Some(delay_ms);
        set_delay_until(delay_until: f64, 0) request => {
            let at = convert::time_of("delay_until", delay_until);
            request.delay_until = request.bounds.keep(at);
        };
    }

    fn set_tag(
        &mut self,
        request: Resource<Request>,
        key: String,
        value: String,
    ) -> wasmtime::Result<()> {
        self.count_call(key.len() + value.len())?;
        self.change(&request, |request| request.set_tag(key, value))
    }

    async fn create(&mut self, request: Resource<Request>) -> Result<Created, ExecutionsCallError> {
        self.count_call(0)?;
        let (backend, caller) = self.engine_and_caller()?;
        let carries = self.get(&request)?.owned_bytes();
        let create = self.change(&request, |request| request.take(&caller))??;
        let answer = backend.call(&mut self.meter, carries, |engine| async move {
            engine.create(create).await
        });
        let answer = answer.await?;
        let created = answer.map_err(|declined| CallError::declined(declined, create_refusal))?;
        Ok(match created {
            EngineCreated::Created { id, .. } => Created::Created(id.to_string()),
            EngineCreated::Duplicate { id } => Created::Duplicate(id.to_string()),
        })
    }

    fn drop(&mut self, request: Resource<Request>) -> wasmtime::Result<()> {
        self.delete(request)?;
        Ok(())
    }
}

impl Host for State {
    fn convert_error(&mut self, error: ExecutionsCallError) -> wasmtime::Result<Error> {
        error.refused()
    }

    async fn describe(&mut self, id: String) -> Result<Description, ExecutionsCallError> {
        self.count_call(id.len())?;
        let (backend, Caller { namespace, .. }) = self.engine_and_caller()?;
        let id = read_id(&id)?;
        let answer = backend.call(&mut self.meter, 0, |engine| async move {
            let Some(info) = engine.get(id, Some(&namespace)).await? else {
                return Ok::<_, engine::Error>(None);
            };
            let waitpoints = match info.public_state {
                PublicState::Suspended => engine.active_waitpoints(id).await?,
                _ => Vec::new(),
            };
            Ok(Some((info, waitpoints)))
        });
        let (info, waitpoints) = answer.await??.ok_or(Error::NotFound)?;
        let description = convert::description(info, waitpoints);
        self.charge_answer(description_bytes(&description))?;
        Ok(description)
    }

    async fn result(&mut self, id: String) -> Result<Payload, ExecutionsCallError> {
        self.count_call(id.len())?;
        let (backend, Caller { namespace, .. }) = self.engine_and_caller()?;
        let id = read_id(&id)?;
        let answer = backend.call(&mut self.meter, 0, |engine| async move {
            let result = engine.result(id, Some(&namespace)).await?;
            // Whether the execution exists matters only if it has no result.
            let exists = result.is_some() || engine.get(id, Some(&namespace)).await?.is_some();
            Ok::<_, engine::Error>((result, exists))
        });
        match answer.await?? {
            (Some(payload), _) => {
                let payload = Payload::from(payload);
                self.charge_answer(payload_bytes(&payload))?;
                Ok(payload)
            }
            (None, true) => Err(Error::NoResult.into()),
            (None, false) => Err(Error::NotFound.into()),
        }
    }

    async fn set_tags(
        &mut self,
        id: String,
        tags: Vec<(String, Option<String>)>,
    ) -> Result<u32, ExecutionsCallError> {
        let label =
            |(key, value): &(String, Option<String>)| key.len() + text_bytes(value.as_ref());
        let carries = size_of_val(tags.as_slice()) + tags.iter().map(label).sum::<usize>();
        self.count_call(id.len() + carries)?;
        let (backend, caller) = self.engine_and_caller()?;
        let operate = Operate {
            id: read_id(&id)?,
            by: Operator {
                actor: caller.author(),
                reason: None,
            },
            namespace: Some(caller.namespace),
        };
        let answer = backend.call(&mut self.meter, carries, |engine| async move {
            engine.tag(operate, BTreeMap::from_iter(tags)).await
        });
        let of = |refusal| match refusal {
            OperateRefusal::Invalid(invalid) => Error::Invalid(said(&invalid)),
            // Labels change in every state.
            _ => Error::NotFound,
        };
        let answer = answer.await?;
        answer.map_err(|declined| CallError::declined(declined, of))
    }

    async fn cancel(&mut self, id: String, reason: String) -> Result<(), ExecutionsCallError> {
        let carries = reason.len();
        self.count_call(id.len() + carries)?;
        check_text("reason", &reason, Limits::REASON_BYTES_MAX)?;
        let (backend, caller) = self.engine_and_caller()?;
        let request = Cancel {
            id: read_id(&id)?,
            source: CancelSource::Custom(caller.author()),
            namespace: Some(caller.namespace),
            reason: Some(reason),
            actor: None,
        };
        let answer = backend.call(&mut self.meter, carries, |engine| async move {
            engine.cancel(request).await
        });
        let of = |refusal| match refusal {
            CancelRefusal::ExecutionNotFound => Error::NotFound,
            CancelRefusal::ExecutionNotActive { .. } => Error::ExecutionNotActive,
            CancelRefusal::Invalid(invalid) => Error::Invalid(said(&invalid)),
        };
        let answer = answer.await?;
        answer.map_err(|declined| CallError::declined(declined, of))?;
        Ok(())
    }
}

/// Converts why an execution was not created.
pub(super) fn create_refusal(refusal: CreateRefusal) -> Error {
    match refusal {
        CreateRefusal::IdempotencyConflict { existing } => {
            Error::IdempotencyConflict(existing.to_string())
        }
        CreateRefusal::IdConflict { .. } => Error::IdConflict,
        CreateRefusal::UnknownKind(_) => Error::UnknownKind,
        CreateRefusal::LaneDisabled { .. } => Error::LaneDisabled,
        refusal @ (CreateRefusal::NotOffered { .. } | CreateRefusal::Invalid(_)) => {
            Error::Invalid(said(&refusal))
        }
    }
}

fn read_id(id: &str) -> Result<ExecutionId, Invalid> {
    id.parse()
        .map_err(|error: model::IdError| Invalid::new("id", error.to_string()))
}

/// Reads and checks a policy; members that are not offered are refused by the engine.
fn read_policy(policy: &str) -> Result<ExecutionPolicy, Invalid> {
    let policy = ExecutionPolicy::read(policy.as_bytes())?;
    policy.check()?;
    Ok(policy)
}
