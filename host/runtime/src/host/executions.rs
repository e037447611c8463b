//! The interface `executions`: other executions of the guest's namespace.
//!
//! The namespace follows from the store, whatever the guest says; an execution of
//! another one is answered like one that does not exist.

use std::collections::BTreeMap;

use engine::{Cancel, Create, Created as EngineCreated};
use model::{
    CancelRefusal, CancelSource, CreateRefusal, ExecutionId, Invalid, Limits, PublicState,
};
use wasmtime::component::Resource;

use super::State;
use super::backend::{CallerError, EngineBackend, unavailable};
use super::bindings::flowhost::engine::executions::{
    Created, Description, Error, Host, HostRequest, State as GuestState,
};
use super::bindings::flowhost::engine::types::Payload;
use super::convert::{Bounds, given, payload, payload_bytes, text_bytes, timestamp_ms};
use super::handles::HostResource;
use super::role::Caller;

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
        let checked = checked_tag(&key, &value).and_then(|()| {
            if self.tags.len() >= Limits::TAGS_MAX && !self.tags.contains_key(&key) {
                return Err(Invalid::new(
                    "tags",
                    format!("at most {}", Limits::TAGS_MAX),
                ));
            }
            Ok((key, value))
        });
        self.tags.extend(self.bounds.hold(checked));
    }

    /// Takes out what the engine is asked to create.
    fn take(&mut self, caller: Caller) -> Result<Create, Invalid> {
        if std::mem::replace(&mut self.used, true) {
            return Err(Invalid::new("request", "was used already"));
        }
        self.bounds.check()?;
        let input = std::mem::replace(&mut self.input, nothing());
        let mut create = Create::new(&self.kind, payload(input));
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

fn nothing() -> Payload {
    Payload {
        content_type: String::new(),
        data: Vec::new(),
    }
}

fn checked_tag(key: &str, value: &str) -> Result<(), Invalid> {
    model::tag_key(key)?;
    let max = Limits::TAG_VALUE_BYTES_MAX;
    if value.len() > max {
        return Err(Invalid::new(
            "tags",
            format!("a value of at most {max} bytes"),
        ));
    }
    Ok(())
}

impl HostRequest for State {
    fn new(&mut self, kind: String, input: Payload) -> wasmtime::Result<Resource<Request>> {
        self.called(kind.len() + payload_bytes(&input))?;
        let mut bounds = Bounds::default();
        let kind = bounds.hold(model::kind_name(&kind).map(|()| kind));
        let max = self.instance_limits.input_bytes_max;
        let input = bounds.payload("input", input, max);
        self.push(Request {
            kind: kind.unwrap_or_default(),
            input: input.unwrap_or_else(nothing),
            lane: None,
            priority: 0,
            idempotency_key: None,
            delay_ms: None,
            tags: BTreeMap::new(),
            used: false,
            bounds,
        })
    }

    fn set_lane(&mut self, request: Resource<Request>, lane: String) -> wasmtime::Result<()> {
        self.called(lane.len())?;
        self.change(&request, |request| {
            request.lane = request.bounds.hold(model::lane_name(&lane).map(|()| lane));
        })
    }

    fn set_priority(&mut self, request: Resource<Request>, priority: u16) -> wasmtime::Result<()> {
        self.called(0)?;
        self.change(&request, |request| request.priority = priority)
    }

    fn set_idempotency_key(
        &mut self,
        request: Resource<Request>,
        key: String,
    ) -> wasmtime::Result<()> {
        self.called(key.len())?;
        self.change(&request, |request| {
            let max = Limits::KEY_BYTES_MAX;
            request.idempotency_key = request.bounds.text("idempotency_key", key, max);
        })
    }

    fn set_delay_ms(&mut self, request: Resource<Request>, delay_ms: u32) -> wasmtime::Result<()> {
        self.called(0)?;
        self.change(&request, |request| request.delay_ms = Some(delay_ms))
    }

    fn set_tag(
        &mut self,
        request: Resource<Request>,
        key: String,
        value: String,
    ) -> wasmtime::Result<()> {
        self.called(key.len() + value.len())?;
        self.change(&request, |request| request.set_tag(key, value))
    }

    async fn create(
        &mut self,
        request: Resource<Request>,
    ) -> wasmtime::Result<Result<Created, Error>> {
        self.called(0)?;
        let (backend, caller) = match self.engine_and_caller() {
            Ok(found) => found,
            Err(error) => return Ok(Err(error.into())),
        };
        let carries = self.get(&request)?.owned_bytes();
        let create = match self.change(&request, |request| request.take(caller))? {
            Ok(create) => create,
            Err(invalid) => return Ok(Err(Error::Invalid(invalid.to_string()))),
        };
        let engine = backend.engine.clone();
        let answer = backend
            .on_main(&mut self.meter, carries, async move {
                engine.create(create).await
            })
            .await?;
        Ok(match answer {
            Ok(Ok(EngineCreated::Created { id, .. })) => Ok(Created::Created(id.to_string())),
            Ok(Ok(EngineCreated::Duplicate { id })) => Ok(Created::Duplicate(id.to_string())),
            Ok(Err(CreateRefusal::IdempotencyConflict { .. })) => Err(Error::IdempotencyConflict),
            Ok(Err(CreateRefusal::UnknownKind(_))) => Err(Error::UnknownKind),
            Ok(Err(other)) => Err(Error::Invalid(other.to_string())),
            Err(error) => Err(Error::Unavailable(unavailable(&error))),
        })
    }

    fn drop(&mut self, request: Resource<Request>) -> wasmtime::Result<()> {
        self.delete(request)?;
        Ok(())
    }
}

impl Host for State {
    async fn describe(&mut self, id: String) -> wasmtime::Result<Result<Description, Error>> {
        self.called(id.len())?;
        let (backend, caller, id) = match self.asked(&id) {
            Ok(asked) => asked,
            Err(error) => return Ok(Err(error)),
        };
        let (engine, namespace) = (backend.engine.clone(), caller.namespace);
        let answer = backend
            .on_main(&mut self.meter, 0, async move {
                engine.get(id, Some(&namespace)).await
            })
            .await?;
        Ok(match answer {
            Ok(Some(info)) => Ok(Description {
                id: info.id.to_string(),
                kind: info.kind,
                lane: info.lane,
                state: guest_state(info.public_state),
                attempts: info.attempts,
                created_at: timestamp_ms(info.created_at),
                finished_at: info.finished_at.map(timestamp_ms),
            }),
            Ok(None) => Err(Error::NotFound),
            Err(error) => Err(Error::Unavailable(unavailable(&error))),
        })
    }

    async fn result(&mut self, id: String) -> wasmtime::Result<Result<Payload, Error>> {
        self.called(id.len())?;
        let (backend, caller, id) = match self.asked(&id) {
            Ok(asked) => asked,
            Err(error) => return Ok(Err(error)),
        };
        let (engine, namespace) = (backend.engine.clone(), caller.namespace);
        let answer = backend
            .on_main(&mut self.meter, 0, async move {
                match engine.result(id, Some(&namespace)).await {
                    // Only now is it of interest why there is none.
                    Ok(None) => Ok(match engine.get(id, Some(&namespace)).await? {
                        Some(_) => Err(Error::NoResult),
                        None => Err(Error::NotFound),
                    }),
                    Ok(Some(payload)) => Ok(Ok(payload)),
                    Err(error) => Err(error),
                }
            })
            .await?;
        Ok(match answer {
            Ok(Ok(payload)) => {
                let payload = given(payload);
                self.answered(payload_bytes(&payload))?;
                Ok(payload)
            }
            Ok(Err(error)) => Err(error),
            Err(error) => Err(Error::Unavailable(unavailable(&error))),
        })
    }

    async fn cancel(&mut self, id: String, reason: String) -> wasmtime::Result<Result<(), Error>> {
        let carries = reason.len();
        self.called(id.len() + carries)?;
        let max = Limits::REASON_BYTES_MAX;
        if carries > max {
            return Ok(Err(Error::Invalid(format!("reason: at most {max} bytes"))));
        }
        let (backend, caller, id) = match self.asked(&id) {
            Ok(asked) => asked,
            Err(error) => return Ok(Err(error)),
        };
        let request = Cancel {
            id,
            source: CancelSource::Custom(caller.author()),
            namespace: Some(caller.namespace),
            reason: Some(reason),
            actor: None,
        };
        let engine = backend.engine.clone();
        let answer = backend
            .on_main(&mut self.meter, carries, async move {
                engine.cancel(request).await
            })
            .await?;
        Ok(match answer {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(CancelRefusal::ExecutionNotFound)) => Err(Error::NotFound),
            Ok(Err(CancelRefusal::ExecutionNotActive { .. })) => Err(Error::ExecutionNotActive),
            Ok(Err(CancelRefusal::Invalid(invalid))) => Err(Error::Invalid(invalid.to_string())),
            Err(error) => Err(Error::Unavailable(unavailable(&error))),
        })
    }
}

impl State {
    fn asked(&self, id: &str) -> Result<(EngineBackend, Caller, ExecutionId), Error> {
        let (backend, caller) = self.engine_and_caller()?;
        let id = id
            .parse::<ExecutionId>()
            .map_err(|error| Error::Invalid(error.to_string()))?;
        Ok((backend, caller, id))
    }
}

impl From<CallerError> for Error {
    fn from(error: CallerError) -> Self {
        match error {
            CallerError::NoEngine => Self::Unavailable(error.to_string()),
            CallerError::NoIdentity(_) => Self::Invalid(error.to_string()),
        }
    }
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
