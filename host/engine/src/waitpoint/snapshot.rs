//! What executions wait for, read before anything about it is decided, and the guards
//! that tell a write whether it is still true.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};

use model::{
    DeliveryTarget, ExecutionId, ExecutionPolicy, LaneState, OpenSuspension, Partition,
    ResumePolicy, SignalHeader, SignalId, SuspensionId, TargetWaitpoint, WaitpointId, WaitpointRef,
    WaitpointState, credential_of,
};
use sqlx::PgExecutor;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Error;
use crate::dispatch::Requirements;
use crate::row::{epoch, label, optional_label, policy as frozen_policy, readable};

/// An execution, its open suspension and its waitpoints, as they were at one moment.
#[derive(Debug)]
pub(crate) struct SuspensionSnapshot {
    /// The namespace of the execution.
    pub(crate) namespace: String,
    /// The credential that asked for the execution; absent if none did.
    pub(crate) requester: Option<String>,
    /// The policy as it was frozen at create.
    pub(crate) policy: ExecutionPolicy,
    /// Its epoch, which each lease increments.
    pub(crate) epoch: u64,
    /// What deliveries are decided on.
    pub(crate) target: DeliveryTarget,
    /// Whether the timeout of its suspension has passed.
    pub(crate) is_due: bool,
    /// The guard of its suspension: how often that has changed.
    pub(crate) changes: i32,
    /// The guards of its waitpoints: how many signals each has accepted.
    signal_counts: HashMap<WaitpointId, i32>,
    /// Waitpoints that belong to its suspension, open or closed by an operator.
    pub(crate) of_suspension: HashSet<WaitpointId>,
    /// The kind of the execution.
    kind: String,
    /// The lane it is claimed from when it resumes; absent if that lane serves nothing.
    serving_lane: Option<String>,
    /// Ids of the waitpoint keys that are accepted.
    accepted_kids: HashSet<String>,
    /// When it was read, by the database's clock.
    now: OffsetDateTime,
}

/// Snapshots of several executions.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    pub(crate) found: HashMap<ExecutionId, SuspensionSnapshot>,
    /// Executions of which something cannot be read, and why.
    pub(crate) unreadable: HashMap<ExecutionId, Error>,
}

/// Closed waitpoints that are read as well, because a caller names them; each with its
/// execution.
#[derive(Debug, Default)]
pub(crate) struct NamedWaitpoints {
    of_ids: Vec<Uuid>,
    ids: Vec<Uuid>,
    of_keys: Vec<Uuid>,
    keys: Vec<String>,
}

impl<W: Borrow<WaitpointRef>> FromIterator<(ExecutionId, W)> for NamedWaitpoints {
    fn from_iter<I: IntoIterator<Item = (ExecutionId, W)>>(waitpoints: I) -> Self {
        let mut named = Self::default();
        for (execution, waitpoint) in waitpoints {
            match waitpoint.borrow() {
                WaitpointRef::Id(id) => {
                    named.of_ids.push(execution.uuid());
                    named.ids.push(id.0);
                }
                WaitpointRef::Key(key) => {
                    named.of_keys.push(execution.uuid());
                    named.keys.push(key.clone());
                }
                WaitpointRef::Only => {}
            }
        }
        named
    }
}

impl SuspensionSnapshot {
    /// Returns how many signals a waitpoint has accepted.
    pub(crate) fn signal_count(&self, id: WaitpointId) -> i32 {
        self.signal_counts.get(&id).copied().unwrap_or(0)
    }

    /// Whether a token signed with this key and with this expiry is accepted.
    pub(crate) fn accepts_token(&self, kid: &str, expires_at: Option<OffsetDateTime>) -> bool {
        self.accepted_kids.contains(kid) && expires_at.is_none_or(|at| at > self.now)
    }

    /// Returns what a worker must offer to resume the execution; `None` if its lane
    /// serves nothing.
    pub(crate) fn needs(&self) -> Option<Requirements<'_>> {
        Some(Requirements {
            lane: self.serving_lane.as_deref()?,
            kind: &self.kind,
            capabilities: &self.policy.routing_requirements.required_capabilities,
        })
    }
}

/// Reads a snapshot of one execution; `None` if there is no such execution.
pub(crate) async fn read_snapshot(
    on: impl PgExecutor<'_>,
    id: ExecutionId,
    named: &NamedWaitpoints,
) -> Result<Option<SuspensionSnapshot>, Error> {
    let mut snapshots = read_snapshots(on, id.partition(), &[id.uuid()], named).await?;
    match snapshots.unreadable.remove(&id) {
        Some(error) => Err(error),
        None => Ok(snapshots.found.remove(&id)),
    }
}

/// Reads snapshots of executions of one partition. An id that is not of an execution is
/// left out.
pub(crate) async fn read_snapshots(
    on: impl PgExecutor<'_>,
    partition: Partition,
    ids: &[Uuid],
    named: &NamedWaitpoints,
) -> Result<Snapshots, Error> {
    let rows = sqlx::query_file_as!(
        SnapshotRow,
        "src/waitpoint/snapshot.sql",
        partition.column(),
        ids,
        &named.of_ids,
        &named.ids,
        &named.of_keys,
        &named.keys,
    )
    .fetch_all(on)
    .await?;
    let mut snapshots = Snapshots::default();
    for row in rows {
        let id = ExecutionId::from_uuid(row.execution_id);
        match row.read() {
            Ok(snapshot) => snapshots.found.extend(snapshot.map(|it| (id, it))),
            Err(error) => {
                snapshots.unreadable.insert(id, error);
            }
        }
    }
    Ok(snapshots)
}

/// A row of `snapshot.sql`.
struct SnapshotRow {
    execution_id: Uuid,
    namespace: Option<String>,
    kind: Option<String>,
    creator: Option<String>,
    policy: Option<String>,
    lane: Option<String>,
    lane_state: Option<String>,
    outcome: Option<String>,
    epoch: i64,
    suspension_id: Option<Uuid>,
    changes: Option<i32>,
    is_due: bool,
    condition: Option<String>,
    resume_policy: Option<String>,
    accepted: i64,
    waitpoint_ids: Option<Vec<Uuid>>,
    waitpoint_keys: Option<Vec<String>>,
    waitpoint_states: Option<Vec<String>>,
    waitpoint_reasons: Option<Vec<Option<String>>>,
    waitpoint_signals: Option<Vec<i32>>,
    waitpoint_expired: Option<Vec<bool>>,
    of_suspension: Option<Vec<Uuid>>,
    received_ids: Option<Vec<Uuid>>,
    received_at: Option<Vec<Uuid>>,
    received_names: Option<Vec<String>>,
    received_source_types: Option<Vec<String>>,
    received_source_identities: Option<Vec<String>>,
    kids: Vec<String>,
    now: OffsetDateTime,
}

impl SnapshotRow {
    /// Reads it; `None` if there is no such execution.
    fn read(self) -> Result<Option<SuspensionSnapshot>, Error> {
        let row = self;
        let id = ExecutionId::from_uuid(row.execution_id);
        let (Some(namespace), Some(kind)) = (row.namespace, row.kind) else {
            return Ok(None);
        };
        let policy = frozen_policy(row.execution_id, row.policy.as_deref())?;
        let received = row
            .received_ids
            .unwrap_or_default()
            .into_iter()
            .zip(row.received_at.unwrap_or_default())
            .zip(row.received_names.unwrap_or_default())
            .zip(row.received_source_types.unwrap_or_default())
            .zip(row.received_source_identities.unwrap_or_default())
            .map(
                |((((id, at), name), source_type), source_identity)| SignalHeader {
                    waitpoint_id: WaitpointId(at),
                    signal_id: SignalId(id),
                    name,
                    source_type,
                    source_identity,
                },
            );
        let suspension = match (row.suspension_id, row.condition) {
            (Some(suspension_id), Some(condition)) => Some(OpenSuspension {
                suspension_id: SuspensionId(suspension_id),
                condition: json("condition", id, &condition)?,
                policy: match &row.resume_policy {
                    Some(text) => json("resume_policy", id, text)?,
                    None => ResumePolicy::default(),
                },
                received: received.collect(),
                end: None,
            }),
            _ => None,
        };
        let waitpoints = row
            .waitpoint_ids
            .unwrap_or_default()
            .into_iter()
            .zip(row.waitpoint_keys.unwrap_or_default())
            .zip(row.waitpoint_states.unwrap_or_default())
            .zip(row.waitpoint_reasons.unwrap_or_default())
            .zip(row.waitpoint_expired.unwrap_or_default())
            .map(|((((id, key), state), reason), expired)| {
                waitpoint(id, key, &state, reason, expired)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let signal_counts = row.waitpoint_signals.unwrap_or_default();
        let of_suspension = row.of_suspension.unwrap_or_default();
        Ok(Some(SuspensionSnapshot {
            namespace,
            kind,
            requester: row
                .creator
                .as_deref()
                .and_then(credential_of)
                .map(str::to_owned),
            // A lane in a state that only a later version knows serves nothing, as for a
            // claim.
            serving_lane: row.lane.zip(row.lane_state).and_then(|(lane, state)| {
                let state = readable(label::<LaneState>("lane", "state", &lane, &state))?;
                state.serves().then_some(lane)
            }),
            epoch: epoch(row.epoch),
            is_due: row.is_due,
            changes: row.changes.unwrap_or(0),
            signal_counts: waitpoints
                .iter()
                .map(|it| it.id)
                .zip(signal_counts)
                .collect(),
            of_suspension: of_suspension.into_iter().map(WaitpointId).collect(),
            accepted_kids: row.kids.into_iter().collect(),
            now: row.now,
            target: DeliveryTarget {
                outcome: optional_label("finished", "outcome", id, row.outcome)?,
                suspension,
                waitpoints,
                accepted: u32::try_from(row.accepted).unwrap_or(u32::MAX),
                accepted_max: policy.max_signals_per_execution,
            },
            policy,
        }))
    }
}

/// Reads a waitpoint. A pending one whose time has passed has expired, even if no sweep
/// has written that yet.
fn waitpoint(
    id: Uuid,
    key: String,
    state: &str,
    reason: Option<String>,
    has_expired: bool,
) -> Result<TargetWaitpoint, Error> {
    let state = match label("waitpoint", "state", id, state)? {
        WaitpointState::Pending if has_expired => WaitpointState::Expired,
        state => state,
    };
    Ok(TargetWaitpoint {
        id: WaitpointId(id),
        key,
        state,
        close_reason: optional_label("waitpoint", "close_reason", id, reason)?,
    })
}

/// Reads a column of `suspension` that holds JSON.
pub(crate) fn json<T: serde::de::DeserializeOwned>(
    column: &'static str,
    id: impl ToString,
    text: &str,
) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::corrupt("suspension", column, id, error))
}
