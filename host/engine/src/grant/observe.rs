//! Why a grant could be neither issued nor redeemed: reads the execution again.

use std::collections::BTreeSet;

use model::{ExecutionId, Fence, GrantProbe, Outcome, StateKind};

use crate::row::{count, fence, label};
use crate::{Engine, Error};

impl Engine {
    /// Reads what a grant of an execution depends on; `None` if the namespace has none.
    pub(super) async fn observe_for_grant(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
        offered: &BTreeSet<String>,
    ) -> Result<Option<GrantProbe>, Error> {
        let row = sqlx::query!(
            r#"SELECT e.required_capabilities, l.execution_id IS NOT NULL AS "active!",
                      p.state::text AS parked, f.outcome::text AS outcome,
                      coalesce(f.outcome = 'failed' AND f.ended IN ('lease_expired', 'lease_revoked'),
                               false) AS "at_cap!",
                      coalesce(f.reclaims, l.reclaims, p.reclaims, r.reclaims, 0) AS "reclaims!",
                      coalesce(r.next_type = 'reclaim', false) AS "reclaimable!",
                      CASE WHEN r.granted_until > clock_timestamp() THEN r.granted_to END AS granted_to,
                      coalesce((SELECT lane.state IN ('active', 'draining') FROM lane
                                WHERE lane.name = e.lane), true) AS "lane_serves!"
               FROM execution e
               LEFT JOIN ready r ON r.partition = $1 AND r.execution_id = $2
               LEFT JOIN lease l ON l.partition = $1 AND l.execution_id = $2
               LEFT JOIN parked p ON p.partition = $1 AND p.execution_id = $2
               LEFT JOIN finished f ON f.partition = $1 AND f.execution_id = $2
               WHERE e.partition = $1 AND e.id = $2
                 AND ($3::text IS NULL OR e.namespace = $3)"#,
            id.partition().column(),
            id.uuid(),
            namespace,
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let outcome: Option<Outcome> = match &row.outcome {
            None => None,
            Some(text) => Some(label("finished", "outcome", id, text)?),
        };
        let state = match &row.parked {
            Some(text) => label("parked", "state", id, text)?,
            None if outcome.is_some() => StateKind::Terminal,
            None if row.active => StateKind::Active,
            None => StateKind::Waiting,
        };
        let required: BTreeSet<&str> = row
            .required_capabilities
            .iter()
            .flat_map(|text| text.split(','))
            .collect();
        Ok(Some(GrantProbe {
            state,
            outcome,
            at_cap: row.at_cap,
            reclaims: count(row.reclaims),
            reclaimable: row.reclaimable,
            lane_serves: row.lane_serves,
            granted_to: row.granted_to,
            missing: required
                .into_iter()
                .filter(|token| !offered.contains(*token))
                .map(str::to_owned)
                .collect(),
        }))
    }

    /// Returns the lease of an execution if it has expired, and whether its loss is the
    /// last that its policy allows.
    pub(super) async fn expired_lease(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
    ) -> Result<Option<(Fence, bool)>, Error> {
        let row = sqlx::query!(
            r#"SELECT l.lease_id, l.epoch, l.attempt,
                      l.reclaims >= e.max_reclaims AS "at_cap!"
               FROM lease l JOIN execution e ON e.partition = $1 AND e.id = $2
               WHERE l.partition = $1 AND l.execution_id = $2
                 AND l.expires_at <= clock_timestamp()
                 AND ($3::text IS NULL OR l.namespace = $3)"#,
            id.partition().column(),
            id.uuid(),
            namespace,
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        Ok(row.map(|row| {
            let fence = fence(id.uuid(), row.lease_id, row.epoch, row.attempt);
            (fence, row.at_cap)
        }))
    }
}
