//! The interface `executions`: other executions of the guest's namespace.
//!
//! The namespace follows from the store, whatever the guest says; an execution of
//! another one is answered like one that does not exist.

use engine::{Cancel, Create, Created as EngineCreated};
use model::{CancelRefusal, CancelSource, CreateRefusal, ExecutionId, Limits, PublicState};
use wasmtime::component::Resource;

use super::State;
use super::role::Acting;
use super::side::{Apart, EngineSide, unavailable};
use crate::bindings::flowhost::engine::executions::{
    Created, Description, Error, Host, HostRequest, State as Stands,
};
use crate::bindings::flowhost::engine::types::Payload;
use crate::task::timestamp_ms;

/// An execution about to be created.
pub struct Request {
    kind: String,
    input: Payload,
    lane: Option<String>,
    priority: u16,
    idempotency_key: Option<String>,
    delay_ms: Option<u32>,
    tags: Vec<(String, String)>,
    used: bool,
}

impl HostRequest for State {
    fn new(&mut self, kind: String, input: Payload) -> wasmtime::Result<Resource<Request>> {
        self.called(kind.len() + input.data.len())?;
        self.push(Request {
            kind,
            input,
            lane: None,
            priority: 0,
            idempotency_key: None,
            delay_ms: None,
            tags: Vec::new(),
            used: false,
        })
    }

    fn set_lane(&mut self, request: Resource<Request>, lane: String) -> wasmtime::Result<()> {
        self.called(lane.len())?;
        self.table.get_mut(&request)?.lane = Some(lane);
        Ok(())
    }

    fn set_priority(&mut self, request: Resource<Request>, priority: u16) -> wasmtime::Result<()> {
        self.called(0)?;
        self.table.get_mut(&request)?.priority = priority;
        Ok(())
    }

    fn set_idempotency_key(
        &mut self,
        request: Resource<Request>,
        key: String,
    ) -> wasmtime::Result<()> {
        self.called(key.len())?;
        self.table.get_mut(&request)?.idempotency_key = Some(key);
        Ok(())
    }

    fn set_delay_ms(&mut self, request: Resource<Request>, delay_ms: u32) -> wasmtime::Result<()> {
        self.called(0)?;
        self.table.get_mut(&request)?.delay_ms = Some(delay_ms);
        Ok(())
    }

    fn set_tag(
        &mut self,
        request: Resource<Request>,
        key: String,
        value: String,
    ) -> wasmtime::Result<()> {
        self.called(key.len() + value.len())?;
        let tags = &mut self.table.get_mut(&request)?.tags;
        // One more than may be created is kept, so that `create` refuses.
        if tags.len() <= Limits::TAGS_MAX {
            tags.push((key, value));
        }
        Ok(())
    }

    async fn create(
        &mut self,
        request: Resource<Request>,
    ) -> wasmtime::Result<Result<Created, Error>> {
        self.called(0)?;
        let (side, acting) = match self.engine_side() {
            Ok(found) => found,
            Err(apart) => return Ok(Err(apart.into())),
        };
        let request = self.table.get_mut(&request)?;
        if std::mem::replace(&mut request.used, true) {
            return Ok(Err(Error::Invalid("the request was used already".into())));
        }
        if request.tags.len() > Limits::TAGS_MAX {
            let detail = format!("tags: at most {}", Limits::TAGS_MAX);
            return Ok(Err(Error::Invalid(detail)));
        }
        let input = std::mem::replace(
            &mut request.input,
            Payload {
                content_type: String::new(),
                data: Vec::new(),
            },
        );
        let mut create = Create::new(&request.kind, crate::task::payload(input));
        if let Some(lane) = request.lane.take() {
            create.lane = lane;
        }
        create.priority = request.priority;
        create.idempotency_key = request.idempotency_key.take();
        create.delay_ms = request.delay_ms.map(u64::from);
        create.tags = std::mem::take(&mut request.tags).into_iter().collect();
        create.creator = Some(acting.author());
        create.namespace = acting.namespace;
        let engine = side.engine.clone();
        let answer = side
            .on_main(async move { engine.create(create).await })
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
        self.table.delete(request)?;
        Ok(())
    }
}

impl Host for State {
    async fn describe(&mut self, id: String) -> wasmtime::Result<Result<Description, Error>> {
        self.called(id.len())?;
        let (side, acting, id) = match self.asked(&id) {
            Ok(asked) => asked,
            Err(error) => return Ok(Err(error)),
        };
        let (engine, namespace) = (side.engine.clone(), acting.namespace);
        let answer = side
            .on_main(async move { engine.get(id, Some(&namespace)).await })
            .await?;
        Ok(match answer {
            Ok(Some(info)) => Ok(Description {
                id: info.id.to_string(),
                kind: info.kind,
                lane: info.lane,
                state: stands(info.public_state),
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
        let (side, acting, id) = match self.asked(&id) {
            Ok(asked) => asked,
            Err(error) => return Ok(Err(error)),
        };
        let (engine, namespace) = (side.engine.clone(), acting.namespace);
        let answer = side
            .on_main(async move {
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
            Ok(Ok(payload)) => Ok(Payload {
                content_type: payload.content_type,
                data: payload.data,
            }),
            Ok(Err(error)) => Err(error),
            Err(error) => Err(Error::Unavailable(unavailable(&error))),
        })
    }

    async fn cancel(&mut self, id: String, reason: String) -> wasmtime::Result<Result<(), Error>> {
        self.called(id.len() + reason.len())?;
        let (side, acting, id) = match self.asked(&id) {
            Ok(asked) => asked,
            Err(error) => return Ok(Err(error)),
        };
        let request = Cancel {
            id,
            source: CancelSource::Custom(acting.author()),
            namespace: Some(acting.namespace),
            reason: Some(reason),
            actor: None,
        };
        let engine = side.engine.clone();
        let answer = side
            .on_main(async move { engine.cancel(request).await })
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
    fn asked(&self, id: &str) -> Result<(EngineSide, Acting, ExecutionId), Error> {
        let (side, acting) = self.engine_side()?;
        let id = id
            .parse::<ExecutionId>()
            .map_err(|error| Error::Invalid(error.to_string()))?;
        Ok((side, acting, id))
    }
}

impl From<Apart> for Error {
    fn from(apart: Apart) -> Self {
        match apart {
            Apart::NoEngine => Self::Unavailable(apart.to_string()),
            Apart::Nobody(_) => Self::Invalid(apart.to_string()),
        }
    }
}

fn stands(state: PublicState) -> Stands {
    match state {
        PublicState::Waiting => Stands::Waiting,
        PublicState::Delayed => Stands::Delayed,
        PublicState::RateLimited => Stands::RateLimited,
        PublicState::WaitingChildren => Stands::WaitingChildren,
        PublicState::Active => Stands::Active,
        PublicState::Suspended => Stands::Suspended,
        PublicState::Resumable => Stands::Resumable,
        PublicState::Completed => Stands::Completed,
        PublicState::Failed => Stands::Failed,
        PublicState::Cancelled => Stands::Cancelled,
        PublicState::Expired => Stands::Expired,
        PublicState::Skipped => Stands::Skipped,
    }
}
