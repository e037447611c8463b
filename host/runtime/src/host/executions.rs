//! The interface `executions`: other executions of the guest's namespace.
//!
//! The namespace comes from the store, never from an argument; an execution of another
//! namespace is answered like one that does not exist.

use std::collections::BTreeMap;

use engine::{Cancel, Create, Created as EngineCreated};
use model::{
    CancelRefusal, CancelSource, CreateRefusal, ExecutionId, Invalid, Limits, PublicState,
};
use wasmtime::component::Resource;

use super::bindings::flowhost::engine::executions::{
    Created, Description, Error, Host, HostRequest, State as GuestState,
};
use super::bindings::flowhost::engine::types::Payload;
use super::convert::{Bounds, check_text, payload_bytes, text_bytes, timestamp_ms};
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
    delay_ms: Option<u32>,
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
            + self.bounds.owned_bytes()
    }
}

impl Request {
    fn set_tag(&mut self, key: String, value: String) {
        let checked = check_tag(&key, &value).and_then(|()| {
            if self.tags.len() >= Limits::TAGS_MAX && !self.tags.contains_key(&key) {
                let detail = format!("at most {}", Limits::TAGS_MAX);
                return Err(Invalid::new("tags", detail));
            }
            Ok((key, value))
        });
        self.tags.extend(self.bounds.keep(checked));
    }

    /// Takes out the request to the engine.
    fn take(&mut self, caller: Caller) -> Result<Create, Invalid> {
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
        create.delay_ms = self.delay_ms.map(u64::from);
        create.tags = std::mem::take(&mut self.tags);
        create.creator = Some(caller.author());
        create.namespace = caller.namespace;
        Ok(create)
    }
}

fn empty() -> Payload {
    Payload {
        content_type: String::new(),
        data: Vec::new(),
    }
}

fn check_tag(key: &str, value: &str) -> Result<(), Invalid> {
    model::tag_key(key)?;
    let max = Limits::TAG_VALUE_BYTES_MAX;
    if value.len() > max {
        let detail = format!("a value of at most {max} bytes");
        return Err(Invalid::new("tags", detail));
    }
    Ok(())
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
            delay_ms: None,
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
        set_delay_ms(delay_ms: u32, 0) request => request.delay_ms = Some(delay_ms);
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
        let create = self.change(&request, |request| request.take(caller))??;
        let answer = backend.call(&mut self.meter, carries, |engine| async move {
            engine.create(create).await
        });
        let of = |refusal| match refusal {
            CreateRefusal::IdempotencyConflict { .. } => Error::IdempotencyConflict,
            CreateRefusal::UnknownKind(_) => Error::UnknownKind,
            other => Error::Invalid(other.to_string()),
        };
        let answer = answer.await?;
        let created = answer.map_err(|declined| CallError::declined(declined, of))?;
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
        let id = parse(&id)?;
        let answer = backend.call(&mut self.meter, 0, |engine| async move {
            engine.get(id, Some(&namespace)).await
        });
        let info = answer.await??.ok_or(Error::NotFound)?;
        Ok(Description {
            id: info.id.to_string(),
            kind: info.kind,
            lane: info.lane,
            state: guest_state(info.public_state),
            attempts: info.attempts,
            created_at: timestamp_ms(info.created_at),
            finished_at: info.finished_at.map(timestamp_ms),
        })
    }

    async fn result(&mut self, id: String) -> Result<Payload, ExecutionsCallError> {
        self.count_call(id.len())?;
        let (backend, Caller { namespace, .. }) = self.engine_and_caller()?;
        let id = parse(&id)?;
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

    async fn cancel(&mut self, id: String, reason: String) -> Result<(), ExecutionsCallError> {
        let carries = reason.len();
        self.count_call(id.len() + carries)?;
        check_text("reason", &reason, Limits::REASON_BYTES_MAX)?;
        let (backend, caller) = self.engine_and_caller()?;
        let request = Cancel {
            id: parse(&id)?,
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
            CancelRefusal::Invalid(invalid) => Error::Invalid(invalid.to_string()),
        };
        let answer = answer.await?;
        answer.map_err(|declined| CallError::declined(declined, of))?;
        Ok(())
    }
}

fn parse(id: &str) -> Result<ExecutionId, Error> {
    id.parse::<ExecutionId>()
        .map_err(|error| Error::Invalid(error.to_string()))
}

fn guest_state(state: PublicState) -> GuestState {
    match state {
        PublicState::Waiting => GuestState::Waiting,
        PublicState::Delayed => GuestState::Delayed,
        PublicState::RateLimited => GuestState::RateLimited,
        PublicState::WaitingChildren => GuestState::WaitingChildren,
        PublicState::Active => GuestState::Active,
        PublicState::Suspended => GuestState::Suspended,
        PublicState::Resumable => GuestState::Resumable,
        PublicState::Completed => GuestState::Completed,
        PublicState::Failed => GuestState::Failed,
        PublicState::Cancelled => GuestState::Cancelled,
        PublicState::Expired => GuestState::Expired,
        PublicState::Skipped => GuestState::Skipped,
    }
}
