//! When flows are resolved: at once by the host on which a member ended, and by a sweep of any
//! host.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::{
    CancelSource, EngineCode, ExecutionId, FlowId, Outcome, Partition, SuspensionCloseReason,
};
use tracing::warn;
use uuid::Uuid;

use crate::execution::{FinishCall, FinishGuard};
use crate::reconcile::SWEEP_MAX;
use crate::{Engine, Error};

/// Flows that one statement resolves at most.
const FLOWS_MAX: usize = 256;
/// Tries of a resolution before it is left to the sweep.
const TRIES: u32 = 20;
/// Pause after a resolution that failed.
const FAULT_PAUSE: Duration = Duration::from_millis(200);

impl Engine {
    /// Resolves flows of which members ended on this host, until the task is dropped.
    pub(crate) async fn resolve_flows(&self) {
        loop {
            let due = self.inner.wake.take_due_flows().await;
            if let Err(error) = self.resolve(due).await {
                warn!(%error, "flows were not resolved; a sweep will");
                tokio::time::sleep(FAULT_PAUSE).await;
            }
        }
    }

    /// Finds members that ended and that their flows have not taken note of; returns how many
    /// were.
    pub(crate) async fn due_flows(&self) -> Result<u64, Error> {
        let mut flows = BTreeSet::new();
        for partition in self.instance().partitions.all() {
            let due = sqlx::query_scalar!(
                "SELECT flow_id FROM flow_due WHERE partition = $1
                 ORDER BY partition, flow_id LIMIT $2",
                partition.column(),
                SWEEP_MAX
            )
            .fetch_all(&self.inner.verbs)
            .await?;
            flows.extend(due.into_iter().map(FlowId::from_uuid));
        }
        self.resolve(flows).await
    }

    /// Finds members that are to be cancelled because of their flows; returns how many were.
    pub(crate) async fn flow_cancellations(&self) -> Result<u64, Error> {
        let mut cancelled = 0;
        for partition in self.instance().partitions.all() {
            let flows = sqlx::query_scalar!(
                "SELECT flow_id FROM flow_cancel WHERE partition = $1
                 ORDER BY partition, flow_id LIMIT $2",
                partition.column(),
                SWEEP_MAX
            )
            .fetch_all(&self.inner.verbs)
            .await?;
            let flows: BTreeSet<FlowId> = flows.into_iter().map(FlowId::from_uuid).collect();
            for flow in flows {
                cancelled += self.cancel_listed(flow).await?;
            }
        }
        Ok(cancelled)
    }

    /// Resolves flows, and cancels what they cancel; returns how many members were taken
    /// note of.
    async fn resolve(&self, flows: BTreeSet<FlowId>) -> Result<u64, Error> {
        let mut of_partitions: BTreeMap<Partition, Vec<FlowId>> = BTreeMap::new();
        for flow in flows {
            of_partitions
                .entry(flow.partition())
                .or_default()
                .push(flow);
        }
        let statements = self.statements();
        let mut noted = 0;
        for (partition, flows) in of_partitions {
            for flows in flows.chunks(FLOWS_MAX) {
                let mut open = flows.to_vec();
                for _ in 0..TRIES {
                    let resolved = statements.resolve(partition, &open).await?;
                    noted += resolved.noted as u64;
                    if resolved.noted > 0 {
                        self.inner.wake.logged();
                    }
                    for flow in resolved.cancels {
                        self.cancel_listed(flow).await?;
                    }
                    open = resolved.again;
                    if open.is_empty() {
                        break;
                    }
                }
                // What is left is taken up again by this host, behind others.
                self.inner.wake.flows_due(open);
            }
        }
        Ok(noted)
    }

    /// Cancels the members of a flow that are listed for that; returns how many there were.
    pub(in crate::flow) async fn cancel_listed(&self, flow: FlowId) -> Result<u64, Error> {
        let mut cancelled = 0;
        loop {
            let rows = sqlx::query!(
                "SELECT execution_id, reason FROM flow_cancel
                 WHERE partition = $1 AND flow_id = $2
                 ORDER BY partition, flow_id, execution_id LIMIT $3",
                flow.partition().column(),
                flow.uuid(),
                SWEEP_MAX
            )
            .fetch_all(&self.inner.verbs)
            .await?;
            if rows.is_empty() {
                return Ok(cancelled);
            }
            let ids: Vec<Uuid> = rows.iter().map(|row| row.execution_id).collect();
            let calls = rows.into_iter().map(|row| FinishCall {
                id: ExecutionId::from_uuid(row.execution_id),
                guard: FinishGuard::Any,
                outcome: Outcome::Cancelled,
                code: EngineCode::Cancelled,
                message: Some(row.reason),
                source: CancelSource::FlowCascade,
                close_reason: SuspensionCloseReason::Cancelled,
                operation: None,
            });
            self.finish_all(calls.collect()).await?;
            sqlx::query!(
                "DELETE FROM flow_cancel
                 WHERE partition = $1 AND flow_id = $2 AND execution_id = ANY ($3)",
                flow.partition().column(),
                flow.uuid(),
                &ids
            )
            .execute(&self.inner.verbs)
            .await?;
            cancelled += ids.len() as u64;
        }
    }
}
