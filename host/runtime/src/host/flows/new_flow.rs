//! A flow that a guest creates.

use std::collections::BTreeMap;

use engine::{CreateFlow, Graph as EngineGraph};
use model::{FlowCancellationPolicy, Invalid, Limits};
use wasmtime::component::Resource;

use super::Graph;
use super::refusal::refused_flow;
use crate::host::bindings::flowhost::engine::flows::{CancellationPolicy, Changed, HostNewFlow};
use crate::host::convert::{Bounds, check_label, text_bytes};
use crate::host::setters::setters;
use crate::host::store::{Caller, HostResource};
use crate::host::{CallError, FlowCallError, State};

/// A flow about to be created.
pub struct NewFlow {
    kind: String,
    idempotency_key: Option<String>,
    cancellation_policy: FlowCancellationPolicy,
    tags: BTreeMap<String, String>,
    used: bool,
    bounds: Bounds,
}

impl HostResource for NewFlow {
    fn owned_bytes(&self) -> usize {
        let tag =
            |(key, value): (&String, &String)| 2 * size_of::<String>() + key.len() + value.len();
        self.kind.len()
            + text_bytes(self.idempotency_key.as_ref())
            + self.tags.iter().map(tag).sum::<usize>()
            + self.bounds.owned_bytes()
    }
}

impl NewFlow {
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
    fn take(&mut self, caller: &Caller, graph: EngineGraph) -> Result<CreateFlow, Invalid> {
        if std::mem::replace(&mut self.used, true) {
            return Err(Invalid::new("new_flow", "was used already"));
        }
        self.bounds.check()?;
        Ok(CreateFlow {
            namespace: caller.namespace.clone(),
            creator: Some(caller.creator()),
            idempotency_key: self.idempotency_key.take(),
            tags: std::mem::take(&mut self.tags),
            cancellation_policy: self.cancellation_policy,
            graph,
            ..CreateFlow::new(std::mem::take(&mut self.kind))
        })
    }
}

impl HostNewFlow for State {
    fn new(&mut self, kind: String) -> wasmtime::Result<Resource<NewFlow>> {
        self.count_call(kind.len())?;
        let mut bounds = Bounds::default();
        let kind = bounds.keep(model::kind_name(&kind).map(|()| kind));
        self.push(NewFlow {
            kind: kind.unwrap_or_default(),
            idempotency_key: None,
            cancellation_policy: FlowCancellationPolicy::default(),
            tags: BTreeMap::new(),
            used: false,
            bounds,
        })
    }

    setters! { NewFlow:
        set_idempotency_key(key: String, key.len()) flow => {
            let max = Limits::KEY_BYTES_MAX;
            flow.idempotency_key = flow.bounds.text("idempotency_key", key, max);
        };
        set_cancellation_policy(policy: CancellationPolicy, 0) flow => {
            flow.cancellation_policy = policy.into();
        };
    }

    fn set_tag(
        &mut self,
        flow: Resource<NewFlow>,
        key: String,
        value: String,
    ) -> wasmtime::Result<()> {
        self.count_call(key.len() + value.len())?;
        self.change(&flow, |flow| flow.set_tag(key, value))
    }

    async fn create(
        &mut self,
        flow: Resource<NewFlow>,
        graph: Resource<Graph>,
    ) -> Result<Changed, FlowCallError> {
        self.count_call(0)?;
        let graph = self.delete(graph)?;
        let (backend, caller) = self.engine_and_caller()?;
        let carries = graph.owned_bytes() + self.get(&flow)?.owned_bytes();
        let graph = graph.made(&caller).map_err(refused_flow)?;
        let create = self.change(&flow, |flow| flow.take(&caller, graph))??;
        let answer = backend.call(&mut self.meter, carries, |engine| async move {
            engine.create_flow(create).await
        });
        let answer = answer.await?;
        let made = answer.map_err(|declined| CallError::declined(declined, refused_flow))?;
        self.answer_change(made)
    }

    fn drop(&mut self, flow: Resource<NewFlow>) -> wasmtime::Result<()> {
        self.delete(flow)?;
        Ok(())
    }
}
