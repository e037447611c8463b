//! What a guest asks of flows: children under its lease, and other flows of its namespace.

use std::collections::BTreeMap;

use engine::{
    CancelFlow, FlowChanged, GrowFlow, MemberRef, StartChildren, WaitFor as EngineWaitFor,
};
use model::{ExecutionId, FlowId, Invalid, Limits, check_range, member_name};
use wasmtime::component::Resource;

use super::Graph;
use super::refusal::{not_cancelled, refused_flow, refused_under};
use crate::host::bindings::flowhost::engine::flows::{
    CancellationPolicy, Cancelled, Changed, Child, Description, FlowError, Host, Input, MemberPage,
    WaitFor,
};
use crate::host::bindings::flowhost::engine::types::Payload;
use crate::host::convert::{
    cancelled, changed, changed_bytes, check_text, child, children_bytes, flow, flow_bytes, input,
    inputs_bytes, member, members_bytes, payload_bytes, policy_of, text_bytes, texts_bytes,
};
use crate::host::store::{Caller, HostResource, refused};
use crate::host::{CallError, FlowCallError, LeaseHandle, State};

/// Most members of one page.
const PAGE_MAX: u32 = 256;
/// What the sandbox is charged for each member that it asks for, before it is known how
/// large they are: the engine reads whole executions.
const MEMBER_BYTES: usize = 2048;

impl Host for State {
    fn convert_flow_error(&mut self, error: FlowCallError) -> wasmtime::Result<FlowError> {
        error.refused()
    }

    async fn start_children(
        &mut self,
        lease: Resource<LeaseHandle>,
        graph: Resource<Graph>,
    ) -> Result<Changed, FlowCallError> {
        self.count_call(0)?;
        let graph = self.delete(graph)?;
        let held = self.held(&lease)?;
        let (backend, _) = self.engine_and_caller()?;
        let carries = graph.owned_bytes();
        let start = StartChildren {
            fence: held.attempt.fence,
            graph: graph.made(&Caller::of(&held)).map_err(refused_flow)?,
        };
        let answer = backend.call(&mut self.meter, carries, |engine| async move {
            engine.start_children(start).await
        });
        let of = |refusal| refused_under(refusal, |lease| refused(&held, lease));
        let answer = answer.await?;
        let made = answer.map_err(|declined| CallError::declined(declined, of))?;
        self.answer_change(made)
    }

    async fn children(
        &mut self,
        lease: Resource<LeaseHandle>,
    ) -> Result<Vec<Child>, FlowCallError> {
        self.count_call(0)?;
        let held = self.held(&lease)?;
        let Some(backend) = self.engine() else {
            return Ok(Vec::new());
        };
        let id = held.attempt.fence.execution_id;
        let answer = backend.call(&mut self.meter, 0, |engine| async move {
            engine.children(id).await
        });
        let children: Vec<_> = answer.await??.into_iter().map(child).collect();
        self.charge_answer(children_bytes(&children))?;
        Ok(children)
    }

    async fn wait_children(
        &mut self,
        lease: Resource<LeaseHandle>,
        wait: WaitFor,
    ) -> Result<(), FlowCallError> {
        let carries = wait.children.as_deref().map_or(0, texts_bytes);
        self.count_call(carries)?;
        let held = self.held(&lease)?;
        let wait = wait_for(wait)?;
        let Some(backend) = self.engine() else {
            let ended = self.ended_locally(&held, "wait-children", &"until they ended");
            return Ok(ended.map_err(FlowError::Lease)?);
        };
        let (fence, report) = (held.attempt.fence, self.report(&backend, &held));
        let answer = backend.call(&mut self.meter, carries, |engine| async move {
            engine.wait_children(fence, report, &wait).await
        });
        let answer = answer.await?;
        let of = |refusal| refused_under(refusal, |lease| self.not_ended(&held, lease));
        answer.map_err(|declined| CallError::declined(declined, of))?;
        self.recorded(&held);
        Ok(())
    }

    async fn inputs(&mut self, lease: Resource<LeaseHandle>) -> Result<Vec<Input>, FlowCallError> {
        self.count_call(0)?;
        let held = self.held(&lease)?;
        let Some(backend) = self.engine() else {
            return Ok(Vec::new());
        };
        let id = held.attempt.fence.execution_id;
        let answer = backend.call(&mut self.meter, 0, |engine| async move {
            engine.flow_inputs(id).await
        });
        let inputs: Vec<_> = answer.await??.into_iter().map(input).collect();
        self.charge_answer(inputs_bytes(&inputs))?;
        Ok(inputs)
    }

    async fn read_input(
        &mut self,
        lease: Resource<LeaseHandle>,
        name: String,
    ) -> Result<Option<Payload>, FlowCallError> {
        self.count_call(name.len())?;
        let held = self.held(&lease)?;
        member_name("name", &name)?;
        let Some(backend) = self.engine() else {
            return Ok(None);
        };
        let id = held.attempt.fence.execution_id;
        let answer = backend.call(&mut self.meter, name.len(), |engine| async move {
            engine.flow_input(id, &name).await
        });
        let payload = answer.await??.map(Payload::from);
        self.charge_answer(payload.as_ref().map_or(0, payload_bytes))?;
        Ok(payload)
    }

    async fn grow(
        &mut self,
        id: String,
        expected_graph_revision: Option<u32>,
        graph: Resource<Graph>,
    ) -> Result<Changed, FlowCallError> {
        self.count_call(id.len())?;
        let graph = self.delete(graph)?;
        let (backend, caller) = self.engine_and_caller()?;
        let carries = graph.owned_bytes();
        let grow = GrowFlow {
            id: read_id(&id)?,
            expected_graph_revision: expected_graph_revision.map(u64::from),
            graph: graph.made(&caller).map_err(refused_flow)?,
            holder: None,
            actor: caller.author(),
            namespace: Some(caller.namespace),
        };
        let answer = backend.call(&mut self.meter, carries, |engine| async move {
            engine.grow_flow(grow).await
        });
        let answer = answer.await?;
        let made = answer.map_err(|declined| CallError::declined(declined, refused_flow))?;
        self.answer_change(made)
    }

    async fn describe(&mut self, id: String) -> Result<Description, FlowCallError> {
        self.count_call(id.len())?;
        let (backend, Caller { namespace, .. }) = self.engine_and_caller()?;
        let id = read_id(&id)?;
        let answer = backend.call(&mut self.meter, 0, |engine| async move {
            let Some(info) = engine.flow(id, Some(&namespace)).await? else {
                return Ok::<_, engine::Error>(None);
            };
            let counters = engine.flow_counters(id).await?;
            Ok(Some((info, counters)))
        });
        let (info, counters) = answer.await??.ok_or(FlowError::FlowNotFound)?;
        let description = flow(info, counters);
        self.charge_answer(flow_bytes(&description))?;
        Ok(description)
    }

    async fn members(
        &mut self,
        id: String,
        after: Option<String>,
        max: u32,
    ) -> Result<MemberPage, FlowCallError> {
        self.count_call(id.len() + text_bytes(after.as_ref()))?;
        check_range("max", max, 1..=PAGE_MAX)?;
        let (backend, Caller { namespace, .. }) = self.engine_and_caller()?;
        let id = read_id(&id)?;
        let after = after.as_deref().map(read_execution).transpose()?;
        let carries = max as usize * MEMBER_BYTES;
        let answer = backend.call(&mut self.meter, carries, |engine| async move {
            match engine.flow(id, Some(&namespace)).await? {
                Some(info) => engine.flow_members(&info, after, max).await.map(Some),
                None => Ok(None),
            }
        });
        let page = answer.await??.ok_or(FlowError::FlowNotFound)?;
        let next = page.next().map(ToString::to_string);
        let page = MemberPage {
            members: page.rows.into_iter().map(member).collect(),
            next,
        };
        self.charge_answer(members_bytes(&page))?;
        Ok(page)
    }

    async fn set_tags(
        &mut self,
        id: String,
        tags: Vec<(String, Option<String>)>,
    ) -> Result<u32, FlowCallError> {
        let label =
            |(key, value): &(String, Option<String>)| key.len() + text_bytes(value.as_ref());
        let carries = size_of_val(tags.as_slice()) + tags.iter().map(label).sum::<usize>();
        self.count_call(id.len() + carries)?;
        let (backend, Caller { namespace, .. }) = self.engine_and_caller()?;
        let id = read_id(&id)?;
        let tags = BTreeMap::from_iter(tags);
        let answer = backend.call(&mut self.meter, carries, |engine| async move {
            engine.tag_flow(id, Some(&namespace), tags).await
        });
        let answer = answer.await?;
        answer.map_err(|declined| CallError::declined(declined, refused_flow))
    }

    async fn cancel(
        &mut self,
        id: String,
        policy: Option<CancellationPolicy>,
        reason: String,
    ) -> Result<Cancelled, FlowCallError> {
        let carries = reason.len();
        self.count_call(id.len() + carries)?;
        check_text("reason", &reason, Limits::REASON_BYTES_MAX)?;
        let (backend, caller) = self.engine_and_caller()?;
        let cancel = CancelFlow {
            id: read_id(&id)?,
            reason: Some(reason).filter(|reason| !reason.is_empty()),
            policy: policy.map(Into::into),
            actor: caller.author(),
            namespace: Some(caller.namespace),
            wait: None,
        };
        let answer = backend.call(&mut self.meter, carries, |engine| async move {
            engine.cancel_flow(cancel).await
        });
        let answer = answer.await?;
        let done = answer.map_err(|declined| CallError::declined(declined, not_cancelled))?;
        Ok(cancelled(done))
    }
}

impl State {
    /// Returns what a flow is after a call, charged to the sandbox.
    pub(super) fn answer_change(&mut self, made: FlowChanged) -> Result<Changed, FlowCallError> {
        let changed = changed(made);
        self.charge_answer(changed_bytes(&changed))?;
        Ok(changed)
    }
}

fn wait_for(wait: WaitFor) -> Result<EngineWaitFor, Invalid> {
    let read = |children: Vec<String>| {
        let children = children.iter();
        let read = children.map(|child| MemberRef::parse("children", child));
        read.collect::<Result<Vec<_>, Invalid>>()
    };
    Ok(EngineWaitFor {
        children: wait.children.map(read).transpose()?,
        policy: policy_of(wait.policy),
        kind: wait.kind.map(Into::into),
    })
}

fn read_id(id: &str) -> Result<FlowId, Invalid> {
    id.parse()
        .map_err(|error: model::IdError| Invalid::new("id", error.to_string()))
}

fn read_execution(id: &str) -> Result<ExecutionId, Invalid> {
    id.parse()
        .map_err(|error: model::IdError| Invalid::new("after", error.to_string()))
}
