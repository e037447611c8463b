//! start-children: the handler of a member adds members to its flow, as their parent.

use model::{ExecutionId, Fence, FlowCancellationPolicy, FlowId, FlowRefusal, LeaseRefusal};

use crate::flow::request::{FlowChanged, Graph, GrowFlow};
use crate::{Declined, Engine, Error};

/// A request of a holder to start children.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartChildren {
    /// The lease under which it is asked; its execution becomes the parent.
    pub fence: Fence,
    /// The children, and edges between members of the flow.
    pub graph: Graph,
}

impl Engine {
    /// Starts executions as children of one that runs, in its flow; one that is of no flow
    /// gets a flow whose id is its own. A child of a name that was started before by the same
    /// request is that child again, so an attempt that is repeated starts nothing twice.
    ///
    /// # Refusals
    /// See [`FlowRefusal`]; those of a lease that does not hold.
    pub async fn start_children(
        &self,
        start: StartChildren,
    ) -> Result<FlowChanged, Declined<FlowRefusal>> {
        let StartChildren { fence, mut graph } = start;
        let parent = fence.execution_id;
        let flow = match self.flow_of(parent).await? {
            Some(flow) => flow,
            None => {
                self.refuse_beside_old_hosts().await?;
                let flow = self.flow_for(parent).await?;
                graph.added.push(parent);
                flow
            }
        };
        self.grow_flow(GrowFlow {
            id: flow,
            namespace: None,
            expected_graph_revision: None,
            graph,
            holder: Some(fence),
            actor: format!("execution/{parent}"),
        })
        .await
    }

    /// Reads the flow of an execution; `None` if it is of none, or there is no such execution.
    pub(in crate::flow) async fn flow_of(&self, id: ExecutionId) -> Result<Option<FlowId>, Error> {
        let flow = sqlx::query_scalar!(
            "SELECT flow_id FROM execution WHERE partition = $1 AND id = $2",
            id.partition().column(),
            id.uuid()
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        Ok(flow.flatten().map(FlowId::from_uuid))
    }

    /// Makes the flow of an execution that is of none, without a member.
    async fn flow_for(&self, id: ExecutionId) -> Result<FlowId, Declined<FlowRefusal>> {
        let made = sqlx::query!(
            "INSERT INTO flow (partition, id, namespace, kind, default_policy)
             SELECT e.partition, e.id, e.namespace, e.kind, $3::text::flow_cancellation_policy
             FROM execution e WHERE e.partition = $1 AND e.id = $2
             ON CONFLICT DO NOTHING",
            id.partition().column(),
            id.uuid(),
            FlowCancellationPolicy::default().as_str()
        )
        .execute(&self.inner.verbs)
        .await?;
        let flow = FlowId::from_uuid(id.uuid());
        if made.rows_affected() == 0 && self.flow_namespace(flow, None).await?.is_none() {
            return Err(LeaseRefusal::ExecutionNotFound.into());
        }
        Ok(flow)
    }
}
