//! scan: executions that wait in a lane and can be granted; changes nothing.

use std::fmt;
use std::str::FromStr;

use model::{ExecutionId, Invalid, Limits};
use time::OffsetDateTime;
use uuid::Uuid;

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

/// The place of an execution in the order of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EligiblePlace {
    /// Its rank: 9000 less its priority.
    rank: i16,
    ready_at: StoredTime,
    id: ExecutionId,
}

/// A text that is not an [`EligiblePlace`].
#[derive(Debug, thiserror::Error)]
#[error("is not a place in the order of service")]
pub struct EligiblePlaceError;

impl fmt::Display for EligiblePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.rank, self.ready_at, self.id)
    }
}

impl FromStr for EligiblePlace {
    type Err = EligiblePlaceError;

    fn from_str(text: &str) -> Result<Self, EligiblePlaceError> {
        let read = || {
            let (rank, rest) = text.split_once('.')?;
            let (ready_at, id) = rest.split_once('.')?;
            Some(Self {
                rank: rank.parse().ok()?,
                ready_at: ready_at.parse().ok()?,
                id: id.parse().ok()?,
            })
        };
        read().ok_or(EligiblePlaceError)
    }
}

impl Engine {
    /// Lists executions, of a namespace or of any, that wait in a lane and are not granted,
    /// in the order of service and after a place in it; none if the lane does not serve. At most `limit`
    /// executions, 1 to [`Limits::PAGE_MAX`].
    ///
    /// # Refusals
    /// The lane's name or the limit breaks a bound.
    pub async fn scan_eligible(
        &self,
        lane: &str,
        namespace: Option<&str>,
        after: Option<EligiblePlace>,
        limit: u32,
    ) -> Result<Page<Eligible, EligiblePlace>, Declined<Invalid>> {
        model::lane_name(lane)?;
        model::check_range("limit", limit, 1..=Limits::PAGE_MAX)?;
        let serving = self.serving_lanes(&[lane.to_owned()]).await?;
        if serving.lanes.is_empty() {
            return Ok(Page::default());
        }
        let after = after.unwrap_or(EligiblePlace {
            rank: -1,
            ready_at: StoredTime::NEGATIVE_INFINITY,
            id: ExecutionId::from_uuid(Uuid::nil()),
        });
        let mut found = Vec::new();
        for partition in self.instance().partitions.all() {
            let rows = sqlx::query_file!(
                "src/grant/scan.sql",
                partition.column(),
                lane,
                i64::from(limit) + 1,
                after.rank,
                after.ready_at as StoredTime,
                after.id.uuid(),
                namespace,
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
                let place = EligiblePlace {
                    rank: row.rank,
                    ready_at: row.ready_at,
                    id,
                };
                (place, read())
            }));
        }
        found.sort_by_key(|(place, _)| *place);
        Ok(Page::read(limit, found)?)
    }
}
