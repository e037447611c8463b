//! scan: executions that wait in a lane and can be granted; changes nothing.

use model::{ExecutionId, Invalid, Limits};
use time::OffsetDateTime;

use crate::row::StoredTime;
use crate::{Declined, Engine, Page};

/// An execution that a scheduler may grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eligible {
    /// Id of the execution.
    pub id: ExecutionId,
    /// Kind of handler it needs.
    pub kind: String,
    /// 0 to 9000; within its partition a higher one is served first.
    pub priority: u16,
    /// Time since which it has been ready.
    pub ready_at: OffsetDateTime,
    /// Capabilities that a worker must offer, sorted; empty for none.
    pub required_capabilities: Vec<String>,
    /// Whether its last holder was lost: it may be granted as a reclaim.
    pub reclaimable: bool,
}

impl Engine {
    /// Lists executions that wait in a lane and are not granted, in the order of
    /// service; none if the lane does not serve. At most `limit` executions, 1 to
    /// [`Limits::PAGE_MAX`].
    ///
    /// # Refusals
    /// The lane's name or the limit breaks a bound.
    pub async fn scan_eligible(
        &self,
        lane: &str,
        limit: u32,
    ) -> Result<Page<Eligible>, Declined<Invalid>> {
        model::lane_name(lane)?;
        model::check_range("limit", limit, 1..=Limits::PAGE_MAX)?;
        let serving = self.serving_lanes(&[lane.to_owned()]).await?;
        if serving.lanes.is_empty() {
            return Ok(Page::default());
        }
        let mut found = Vec::new();
        for partition in self.instance().partitions.all() {
            let rows = sqlx::query_file!(
                "src/grant/scan.sql",
                partition.column(),
                lane,
                i64::from(limit)
            )
            .fetch_all(&self.inner.verbs)
            .await?;
            found.extend(rows.into_iter().map(|row| {
                let id = ExecutionId::from_uuid(row.execution_id);
                let read = || {
                    let mut required = row.required;
                    required.sort();
                    Ok(Eligible {
                        id,
                        kind: row.kind,
                        priority: model::PRIORITY_MAX.saturating_sub(row.rank.unsigned_abs()),
                        ready_at: row.ready_at.read("ready", "ready_at", id)?,
                        required_capabilities: required,
                        reclaimable: row.reclaimable,
                    })
                };
                ((row.rank, row.ready_at, id), read())
            }));
        }
        found.sort_by_key(|(place, _)| *place);
        found.truncate(limit as usize);
        Ok(Page::whole(found.into_iter().map(|(_, one)| one))?)
    }
}
