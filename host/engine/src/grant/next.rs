//! next: the first ready execution of a lane that fits a worker → the same, granted to
//! that worker. Locks: the ready rows compared. No event.

use model::{ExecutionId, GrantKind, Invalid};

use super::issue::Granted;
use super::{Grant, IssueGrant};
use crate::{Declined, Engine, random};

/// A request for a grant of the first execution of a lane that fits a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantNext {
    /// Namespace of the execution; absent for any.
    pub namespace: Option<String>,
    /// Lane to take the execution from.
    pub lane: String,
    /// Kinds that the worker can run; absent for any.
    pub kinds: Option<Vec<String>>,
    /// The worker, and how long the grant holds.
    pub grant: IssueGrant,
}

impl Engine {
    /// Grants the first execution of a lane that fits a worker; `None` if none fits.
    ///
    /// # Refusals
    /// An argument breaks a bound.
    pub async fn claim_for_worker(
        &self,
        wanted: GrantNext,
    ) -> Result<Option<Grant>, Declined<Invalid>> {
        let GrantNext {
            namespace,
            lane,
            kinds,
            grant,
        } = wanted;
        model::lane_name(&lane)?;
        let mut names = kinds.iter().flatten();
        names.try_for_each(|kind| model::kind_name(kind))?;
        grant.check()?;
        let serving = self.serving_lanes(std::slice::from_ref(&lane)).await?;
        if serving.lanes.is_empty() {
            return Ok(None);
        }
        let capabilities: Vec<String> = grant.capabilities.iter().cloned().collect();
        for partition in self.instance().partitions.all() {
            let grant_id = random::uuid();
            let row = sqlx::query_file!(
                "src/grant/next.sql",
                partition.column(),
                lane,
                kinds.as_deref(),
                &capabilities,
                grant.worker_instance_id,
                grant_id,
                grant.grant_ttl_ms as i32,
                namespace.as_deref(),
            )
            .fetch_optional(&self.inner.verbs)
            .await?;
            if let Some(row) = row {
                let granted = Granted {
                    execution_id: ExecutionId::from_uuid(row.execution_id),
                    namespace: row.namespace,
                    grant_id,
                    until: row.granted_until,
                };
                let granted = self.granted(GrantKind::Claim, granted, &grant);
                return Ok(Some(granted.await?));
            }
        }
        Ok(None)
    }
}
