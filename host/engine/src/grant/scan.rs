//! scan: what waits in a lane; changes nothing.

use model::{ExecutionId, Invalid, Limits};
use time::OffsetDateTime;

use crate::listed::StoredTime;
use crate::{Answer, Engine, Listed};

/// An execution a scheduler may grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eligible {
    /// Its id.
    pub id: ExecutionId,
    /// Which handler it needs.
    pub kind: String,
    /// 0 to 9000; within its partition a higher one is served first.
    pub priority: u16,
    /// Since when it waits.
    pub ready_at: OffsetDateTime,
    /// What a worker must offer, sorted.
    pub required_capabilities: Vec<String>,
    /// Whether its last holder was lost: it may be granted as a reclaim.
    pub reclaimable: bool,
}

impl Engine {
    /// Lists what waits in a lane and is not granted, in the order of service;
    /// nothing if the lane does not serve. At most `limit` executions, 1 to
    /// [`Limits::PAGE_MAX`].
    pub async fn scan_eligible(&self, lane: &str, limit: u32) -> Answer<Listed<Eligible>, Invalid> {
        let checked = model::lane_name(lane).and_then(|()| {
            if (1..=Limits::PAGE_MAX).contains(&limit) {
                Ok(())
            } else {
                let detail = format!("{limit} is out of range: 1 to {}", Limits::PAGE_MAX);
                Err(Invalid::new("limit", detail))
            }
        });
        if let Err(invalid) = checked {
            return Ok(Err(invalid));
        }
        let service = self.lanes_that_serve(&[lane.to_owned()]).await?;
        if service.servers.is_empty() {
            return Ok(Ok(Listed::default()));
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
        Ok(Ok(Listed::whole(found.into_iter().map(|(_, one)| one))?))
    }
}
