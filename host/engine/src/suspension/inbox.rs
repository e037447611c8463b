//! What executions wait for, as it is read before anything about it is decided,
//! and what tells a write whether it is still true.

use std::collections::{HashMap, HashSet};

use model::{
    ExecutionId, ExecutionPolicy, Heard, Inbox, InboxWaitpoint, LaneState, Partition, SignalId,
    SignalRefusal, SuspensionId, Waiting, WaitpointId, WaitpointState,
};
use sqlx::PgExecutor;

use crate::pool::Pool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::WaitpointRef;
use crate::Error;
use crate::row::{epoch, label, policy as frozen_policy, readable};
use crate::standby::Needs;

/// What was read of an execution.
#[derive(Debug)]
pub(super) struct Read {
    /// Where it lives.
    pub(super) namespace: String,
    /// Its frozen policy.
    pub(super) policy: ExecutionPolicy,
    /// Its epoch.
    pub(super) epoch: u64,
    /// What it waits for.
    pub(super) inbox: Inbox,
    /// Whether the time of its suspension has passed.
    pub(super) is_due: bool,
    /// What it is.
    kind: String,
    /// Where it is claimed from when it goes on, if that lane serves.
    served_lane: Option<String>,
    /// The guard of its suspension.
    pub(super) changes: i32,
    /// The guards of its waitpoints: signals each has heard.
    pub(super) signals: HashMap<WaitpointId, i32>,
    /// Waitpoints that belong to its suspension, open or closed by an operator.
    pub(super) of_suspension: HashSet<WaitpointId>,
    /// Keys that are accepted now.
    kids: HashSet<String>,
    /// Now, by the database's clock.
    now: OffsetDateTime,
}

/// What was read of several executions.
#[derive(Debug, Default)]
pub(super) struct Reads {
    pub(super) found: HashMap<ExecutionId, Read>,
    /// Those of which something cannot be read.
    pub(super) unreadable: HashMap<ExecutionId, Error>,
}

impl Reads {
    /// Takes what was read of one of them.
    pub(super) fn take(mut self, id: ExecutionId) -> Result<Option<Read>, Error> {
        match self.unreadable.remove(&id) {
            Some(error) => Err(error),
            None => Ok(self.found.remove(&id)),
        }
    }
}

/// Closed waitpoints that are wanted as well.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) ids: Vec<Uuid>,
    pub(super) keys: Vec<String>,
}

impl Named {
    pub(super) fn add(&mut self, waitpoint: &WaitpointRef) {
        match waitpoint {
            WaitpointRef::Id(id) => self.ids.push(id.0),
            WaitpointRef::Key(key) => self.keys.push(key.clone()),
            WaitpointRef::Only => {}
        }
    }
}

impl Read {
    /// Whether a token holds now.
    pub(super) fn accepts(&self, kid: &str, expires_at: Option<OffsetDateTime>) -> bool {
        self.kids.contains(kid) && expires_at.is_none_or(|at| at > self.now)
    }

    /// Finds the waitpoint that is meant.
    pub(super) fn find(&self, waitpoint: &WaitpointRef) -> Result<WaitpointId, SignalRefusal> {
        let all = &self.inbox.waitpoints;
        let found = match waitpoint {
            WaitpointRef::Id(id) => all.iter().find(|it| it.id == *id),
            WaitpointRef::Key(key) => {
                let of_key = || all.iter().filter(|it| it.key == *key);
                let open = open(all).find(|it| it.key == *key);
                open.or_else(|| of_key().next_back())
            }
            WaitpointRef::Only => {
                let mut open = open(all);
                match (open.next(), open.count()) {
                    (found, 0) => found,
                    (_, others) => {
                        return Err(SignalRefusal::WaitpointAmbiguous { open: others + 1 });
                    }
                }
            }
        };
        found
            .map(|it| it.id)
            .ok_or(SignalRefusal::WaitpointNotFound)
    }

    /// Returns what a worker must offer to go on with it; nothing if its lane serves
    /// none.
    pub(super) fn needs(&self) -> Option<Needs<'_>> {
        Some(Needs {
            lane: self.served_lane.as_deref()?,
            kind: &self.kind,
            capabilities: &self.policy.routing_requirements.required_capabilities,
        })
    }
}

/// Returns the waitpoints that have their keys to themselves: the open ones, and those
/// whose time passed a moment ago.
pub(super) fn there(all: &[InboxWaitpoint]) -> impl Iterator<Item = &InboxWaitpoint> {
    all.iter().filter(|it| it.close_reason.is_none())
}

/// Returns the open waitpoints.
pub(super) fn open(all: &[InboxWaitpoint]) -> impl Iterator<Item = &InboxWaitpoint> {
    let is_open = |state| matches!(state, WaitpointState::Pending | WaitpointState::Active);
    all.iter().filter(move |it| is_open(it.state))
}

/// Reads what executions of one partition wait for, and what their suspensions
/// have heard. An id that is not of an execution is left out.
pub(super) async fn read(
    on: impl PgExecutor<'_>,
    partition: Partition,
    ids: &[Uuid],
    named: &Named,
) -> Result<Reads, Error> {
    let rows = sqlx::query_file_as!(
        InboxRow,
        "src/suspension/inbox.sql",
        partition.column(),
        ids,
        &named.ids,
        &named.keys,
    )
    .fetch_all(on)
    .await?;
    let mut reads = Reads::default();
    for row in rows {
        let id = ExecutionId::from_uuid(row.execution_id);
        match row.read() {
            Ok(read) => reads.found.extend(read.map(|read| (id, read))),
            Err(error) => {
                reads.unreadable.insert(id, error);
            }
        }
    }
    Ok(reads)
}

/// What an execution waits for, as the statement answers it.
struct InboxRow {
    execution_id: Uuid,
    namespace: Option<String>,
    kind: Option<String>,
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
    waitpoint_waited: Option<Vec<Uuid>>,
    heard_ids: Option<Vec<Uuid>>,
    heard_at: Option<Vec<Uuid>>,
    heard_names: Option<Vec<String>>,
    heard_source_types: Option<Vec<String>>,
    heard_source_identities: Option<Vec<String>>,
    kids: Vec<String>,
    now: OffsetDateTime,
}

impl InboxRow {
    /// Reads it; `None` if there is no such execution.
    fn read(self) -> Result<Option<Read>, Error> {
        let row = self;
        let id = ExecutionId::from_uuid(row.execution_id);
        let (Some(namespace), Some(kind)) = (row.namespace, row.kind) else {
            return Ok(None);
        };
        let policy = frozen_policy(row.execution_id, row.policy.as_deref())?;
        let heard = row
            .heard_ids
            .unwrap_or_default()
            .into_iter()
            .zip(row.heard_at.unwrap_or_default())
            .zip(row.heard_names.unwrap_or_default())
            .zip(row.heard_source_types.unwrap_or_default())
            .zip(row.heard_source_identities.unwrap_or_default())
            .map(|((((id, at), name), source_type), source_identity)| Heard {
                waitpoint_id: WaitpointId(at),
                signal_id: SignalId(id),
                name,
                source_type,
                source_identity,
            });
        let waiting = match (row.suspension_id, row.condition) {
            (Some(suspension_id), Some(condition)) => Some(Waiting {
                suspension_id: SuspensionId(suspension_id),
                condition: json("condition", id, &condition)?,
                policy: match &row.resume_policy {
                    Some(text) => json("resume_policy", id, text)?,
                    None => model::ResumePolicy::default(),
                },
                heard: heard.collect(),
                closing: None,
            }),
            _ => None,
        };
        let counts = row.waitpoint_signals.unwrap_or_default();
        let expired = row.waitpoint_expired.unwrap_or_default();
        let reasons = row.waitpoint_reasons.unwrap_or_default();
        let mut waitpoints = Vec::with_capacity(counts.len());
        let each = row
            .waitpoint_ids
            .unwrap_or_default()
            .into_iter()
            .zip(row.waitpoint_keys.unwrap_or_default())
            .zip(row.waitpoint_states.unwrap_or_default())
            .zip(reasons.into_iter().zip(expired));
        for (((waitpoint_id, key), state), (reason, expired)) in each {
            let state: WaitpointState = label("waitpoint", "state", waitpoint_id, &state)?;
            let over = expired && state == WaitpointState::Pending;
            waitpoints.push(InboxWaitpoint {
                id: WaitpointId(waitpoint_id),
                key,
                state: if over { WaitpointState::Expired } else { state },
                close_reason: reason
                    .map(|text| label("waitpoint", "close_reason", waitpoint_id, &text))
                    .transpose()?,
            });
        }
        let waited = row.waitpoint_waited.unwrap_or_default();
        Ok(Some(Read {
            namespace,
            kind,
            // A lane of a later version is taken for one that serves none, as a claim
            // does.
            served_lane: row.lane.zip(row.lane_state).and_then(|(lane, state)| {
                let state = readable(label::<LaneState>("lane", "state", &lane, &state))?;
                state.serves().then_some(lane)
            }),
            epoch: epoch(row.epoch),
            is_due: row.is_due,
            changes: row.changes.unwrap_or(0),
            signals: waitpoints.iter().map(|it| it.id).zip(counts).collect(),
            of_suspension: waited.into_iter().map(WaitpointId).collect(),
            kids: row.kids.into_iter().collect(),
            now: row.now,
            inbox: Inbox {
                outcome: row
                    .outcome
                    .map(|text| label("finished", "outcome", id, &text))
                    .transpose()?,
                waiting,
                waitpoints,
                accepted: u32::try_from(row.accepted).unwrap_or(u32::MAX),
                accepted_max: policy.max_signals_per_execution,
            },
            policy,
        }))
    }
}

/// Reads what waitpoints of one execution have heard and still counts, in the order
/// it was accepted.
pub(super) async fn hear(
    pool: &Pool,
    id: ExecutionId,
    waitpoints: &[Uuid],
) -> Result<Vec<Heard>, Error> {
    let rows = sqlx::query_file!(
        "src/suspension/heard.sql",
        id.partition().column(),
        id.uuid(),
        waitpoints
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Heard {
            waitpoint_id: WaitpointId(row.waitpoint_id),
            signal_id: SignalId(row.id),
            name: row.name,
            source_type: row.source_type,
            source_identity: row.source_identity,
        })
        .collect())
}

pub(super) fn json<T: serde::de::DeserializeOwned>(
    column: &'static str,
    id: impl ToString,
    text: &str,
) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::corrupt("suspension", column, id, error))
}
