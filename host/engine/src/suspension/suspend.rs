//! suspend: active → suspended, or on with the lease when what came before
//! satisfies the condition.
//!
//! What pending waitpoints have heard is decided on before the statement, which
//! holds only if they have heard nothing since. Locks: pending waitpoints, then the
//! lease row. Event: `suspended`.

use std::collections::HashMap;

use model::{
    AttemptEnd, Closing, ExecutionId, Fence, Heard, Invalid, LeaseRefusal, Limits, Partition,
    ResumePolicy, SuspendRefusal, SuspensionCloseReason, SuspensionId, WaitpointId, WaitpointState,
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::inbox::{self, Named, Read};
use super::{
    Binding, OpenWaitpoint, Resumption, Suspend, Suspended, Suspension, SuspensionTimeout,
};
use crate::coalesce::{Flush, Rider};
use crate::execution::{
    Look, Report, Statements, TRIES, content_type, moving, payload_bytes, text,
};
use crate::{Answer, Engine, Error, MintToken, TokenExpiry, mint};

/// What the key of a waitpoint begins with that was given none.
const DEFAULT_KEY: &str = "wpk:";
/// Tries of a statement whose answer was lost.
const ASK_AGAIN: u32 = 4;

/// One lease on its way into a suspension.
#[derive(Debug)]
pub(crate) struct SuspendCall {
    fence: Fence,
    suspension_id: SuspensionId,
    reason: &'static str,
    shown_reason: &'static str,
    requested_by: &'static str,
    condition: String,
    resume_policy: Option<String>,
    timeout_ms: Option<u64>,
    timeout_at: Option<OffsetDateTime>,
    timeout_behavior: &'static str,
    state: Option<super::Payload>,
    idempotency_key: Option<String>,
    report: Report,
    /// Pending waitpoints, and what they have heard.
    bound: Vec<(WaitpointId, i32)>,
    fresh: Vec<Fresh>,
}

/// A waitpoint that is made with the suspension.
#[derive(Debug)]
struct Fresh {
    id: WaitpointId,
    key: String,
    kid: String,
    fingerprint: String,
}

/// When it times out; or what was met instead.
pub(crate) type SuspendVerdict = Result<Option<OffsetDateTime>, Option<Box<Look>>>;

impl Rider for SuspendCall {
    type Key = ExecutionId;

    fn partition(&self) -> Partition {
        self.fence.execution_id.partition()
    }

    fn key(&self) -> ExecutionId {
        self.fence.execution_id
    }
}

/// A waitpoint as a suspension binds it.
#[derive(Debug, Clone)]
struct Bound {
    id: WaitpointId,
    key: String,
    signal_names: Vec<String>,
    /// What it has heard, if it is pending.
    pending: Option<i32>,
}

impl Engine {
    /// Puts an execution down until its condition is satisfied. The same attempt
    /// goes on then, under a new lease, with the state saved here.
    ///
    /// If what pending waitpoints have heard satisfies the condition, the lease
    /// stays and the answer brings the signals. The same happens when a suspension
    /// with this idempotency key was satisfied before, so that a handler may ask
    /// again each time it is called.
    ///
    /// # Refusals
    /// See [`SuspendRefusal`]; a repeat under the same fence succeeds again.
    pub async fn suspend(&self, mut suspend: Suspend) -> Answer<Suspended, SuspendRefusal> {
        if let Err(invalid) = self.check_suspend(&mut suspend) {
            return Ok(Err(invalid.into()));
        }
        if let Some(SuspensionTimeout::At(at)) = suspend.timeout
            && at <= self.now().await?
        {
            let detail = "timeout_at_in_past: it must be in the future";
            return Ok(Err(Invalid::new("timeout_at", detail).into()));
        }
        let fence = suspend.fence;
        let id = SuspensionId(mint::random_id());
        for _ in 0..TRIES {
            let read = match self.read_for_suspend(fence.execution_id).await? {
                Some(read) => read,
                None => return Ok(Err(LeaseRefusal::ExecutionNotFound.into())),
            };
            if let Some(answer) = self.asked_before(&suspend).await? {
                return Ok(answer);
            }
            let bound = match bind(&suspend, &read) {
                Ok(bound) => bound,
                // A repeat whose waitpoints are active or closed by now.
                Err(refusal) => {
                    return Ok(match self.met(&suspend, None).await? {
                        Met::Repeat(repeat) => Ok(Suspended::Suspended(repeat)),
                        Met::Refused(refusal) => Err(refusal.into()),
                        Met::Holds => Err(refusal),
                    });
                }
            };
            let heard = self.heard_before(fence.execution_id, &bound).await?;
            let look = match self.satisfied_before(&suspend, id, &bound, &heard).await? {
                Before::Satisfied(resumption) => {
                    return Ok(Ok(Suspended::AlreadySatisfied(*resumption)));
                }
                Before::Moved => None,
                Before::Waits => match self.put_down(&suspend, id, &read, &bound).await? {
                    Ok(Ok(suspension)) => return Ok(Ok(Suspended::Suspended(suspension))),
                    Ok(Err(look)) => look,
                    Err(invalid) => return Ok(Err(invalid.into())),
                },
            };
            match self.met(&suspend, look).await? {
                Met::Repeat(repeat) => return Ok(Ok(Suspended::Suspended(repeat))),
                Met::Refused(refusal) => return Ok(Err(refusal.into())),
                Met::Holds => {}
            }
        }
        Err(moving(fence.execution_id))
    }

    fn check_suspend(&self, suspend: &mut Suspend) -> Result<(), Invalid> {
        suspend.resume_policy.check()?;
        if let Some(SuspensionTimeout::InMs(ms)) = suspend.timeout
            && !(1..=Limits::DURATION_MS_MAX).contains(&ms)
        {
            let detail = format!("{ms} is out of range: 1 to {}", Limits::DURATION_MS_MAX);
            return Err(Invalid::new("timeout_ms", detail));
        }
        if let Some(state) = &mut suspend.state {
            content_type("state.content_type", &mut state.content_type)?;
            payload_bytes("state", state.data.len(), self.limits().result_bytes_max)?;
        }
        if let Some(key) = &suspend.idempotency_key {
            if key.is_empty() {
                return Err(Invalid::new("idempotency_key", "is empty"));
            }
            text("idempotency_key", key, Limits::KEY_BYTES_MAX)?;
        }
        Ok(())
    }

    async fn read_for_suspend(&self, id: ExecutionId) -> Result<Option<Read>, Error> {
        let ids = [id.uuid()];
        let pool = &self.inner.verbs;
        let mut reads = inbox::read(pool, id.partition(), &ids, &Named::default()).await?;
        Ok(reads.remove(&id))
    }

    /// Answers a wish to suspend by what became of an earlier one with its key.
    async fn asked_before(
        &self,
        suspend: &Suspend,
    ) -> Result<Option<Result<Suspended, SuspendRefusal>>, Error> {
        let Some(key) = &suspend.idempotency_key else {
            return Ok(None);
        };
        let id = suspend.fence.execution_id;
        let row = sqlx::query!(
            "SELECT s.id, s.close_reason FROM suspension s
             WHERE s.partition = $1 AND s.execution_id = $2 AND s.idempotency_key = $3
               AND s.replays = (SELECT l.replays FROM lease l
                                WHERE l.partition = $1 AND l.execution_id = $2)",
            id.partition().column(),
            id.uuid(),
            key
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let reason: Option<SuspensionCloseReason> = row
            .close_reason
            .map(|text| crate::execution::label("suspension", "close_reason", row.id, &text))
            .transpose()?;
        if !reason.is_some_and(SuspensionCloseReason::resumes) {
            return Ok(None);
        }
        Ok(match self.met(suspend, None).await? {
            Met::Repeat(repeat) => Some(Ok(Suspended::Suspended(repeat))),
            Met::Refused(refusal) => Some(Err(refusal.into())),
            Met::Holds => {
                let of = SuspensionId(row.id);
                let resumption = self.resumption_of(id, of).await?;
                resumption.map(|it| Ok(Suspended::AlreadySatisfied(it)))
            }
        })
    }

    async fn heard_before(&self, id: ExecutionId, bound: &[Bound]) -> Result<Vec<Heard>, Error> {
        let waitpoints: Vec<Uuid> = bound
            .iter()
            .filter(|bound| bound.pending.is_some_and(|signals| signals > 0))
            .map(|bound| bound.id.0)
            .collect();
        if waitpoints.is_empty() {
            return Ok(Vec::new());
        }
        let pool = &self.inner.verbs;
        let heard = inbox::hear(pool, id.partition(), &[id.uuid()], &waitpoints).await?;
        Ok(heard.into_iter().map(|(_, heard)| heard).collect())
    }

    /// Ends a suspension before it begins, if what was heard satisfies it.
    async fn satisfied_before(
        &self,
        suspend: &Suspend,
        id: SuspensionId,
        bound: &[Bound],
        heard: &[Heard],
    ) -> Result<Before, Error> {
        let waitpoints: Vec<_> = bound
            .iter()
            .map(|bound| model::InboxWaitpoint {
                id: bound.id,
                key: bound.key.clone(),
                state: WaitpointState::Pending,
                close_reason: None,
            })
            .collect();
        let policy = suspend.resume_policy;
        let Some(closing) = Closing::at_once(&suspend.condition, policy, &waitpoints, heard) else {
            return Ok(Before::Waits);
        };
        let mut tried = 0;
        loop {
            match self.satisfy(suspend, id, bound, &closing).await {
                Ok(false) => return Ok(Before::Moved),
                Ok(true) => break,
                // Whether it was written is unknown; it has a name of its own.
                Err(error) if error.is_unavailable() && tried < ASK_AGAIN => {
                    tried += 1;
                    tokio::time::sleep(std::time::Duration::from_millis(50 << tried)).await;
                    let execution_id = suspend.fence.execution_id;
                    if let Ok(Some(_)) = self.resumption_of(execution_id, id).await {
                        break;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let resumption = self.resumption_of(suspend.fence.execution_id, id).await?;
        Ok(match resumption {
            Some(resumption) => Before::Satisfied(Box::new(resumption)),
            None => Before::Moved,
        })
    }

    async fn satisfy(
        &self,
        suspend: &Suspend,
        id: SuspensionId,
        bound: &[Bound],
        closing: &Closing,
    ) -> Result<bool, Error> {
        let fence = suspend.fence;
        let (waitpoints, signals): (Vec<Uuid>, Vec<i32>) = pending(bound)
            .into_iter()
            .map(|(id, signals)| (id.0, signals))
            .unzip();
        let satisfiers: Vec<Uuid> = closing.satisfiers.iter().map(|id| id.0).collect();
        let spent: Vec<Uuid> = closing.spent.iter().map(|id| id.0).collect();
        let state = suspend.state.as_ref();
        let behavior = suspend
            .timeout_behavior
            .unwrap_or(model::TimeoutBehavior::Fail);
        let closed = sqlx::query_file_scalar!(
            "src/suspension/satisfy.sql",
            fence.execution_id.partition().column(),
            fence.execution_id.uuid(),
            fence.lease_id.0,
            fence.epoch as i64,
            fence.attempt as i32,
            id.0,
            suspend.reason.as_str(),
            suspend.requested_by.as_str(),
            written(&suspend.condition),
            policy_text(suspend.resume_policy),
            behavior.as_str(),
            state.map(|state| state.data.as_slice()),
            state.map(|state| state.content_type.as_str()),
            suspend.idempotency_key,
            &satisfiers,
            &waitpoints,
            &signals,
            suspend.resume_policy.close_waitpoint_on_resume,
            &spent,
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        Ok(closed.is_some())
    }

    /// Ends the lease with a suspension.
    async fn put_down(
        &self,
        suspend: &Suspend,
        id: SuspensionId,
        read: &Read,
        bound: &[Bound],
    ) -> Answer<Result<Suspension, Option<Box<Look>>>, Invalid> {
        let fence = suspend.fence;
        let tokens: Vec<MintToken> = bound
            .iter()
            .map(|bound| MintToken {
                namespace: read.namespace.clone(),
                execution_id: fence.execution_id,
                waitpoint_id: bound.id,
                signal_names: bound.signal_names.clone(),
                expiry: TokenExpiry::Never,
            })
            .collect();
        let minted = match self.mint_waitpoint_tokens(&tokens).await? {
            Ok(minted) => minted,
            Err(invalid) => return Ok(Err(invalid)),
        };
        let defaults = &read.policy.suspension_policy;
        let (timeout_ms, timeout_at) = match suspend.timeout {
            Some(SuspensionTimeout::InMs(ms)) => (Some(ms), None),
            Some(SuspensionTimeout::At(at)) => (None, Some(at)),
            None => (defaults.default_timeout_ms, None),
        };
        let behavior = suspend
            .timeout_behavior
            .unwrap_or(defaults.timeout_behavior);
        let call = SuspendCall {
            fence,
            suspension_id: id,
            reason: suspend.reason.as_str(),
            shown_reason: suspend.reason.blocking_reason().as_str(),
            requested_by: suspend.requested_by.as_str(),
            condition: written(&suspend.condition),
            resume_policy: policy_text(suspend.resume_policy),
            timeout_ms,
            timeout_at,
            timeout_behavior: behavior.as_str(),
            state: suspend.state.clone(),
            idempotency_key: suspend.idempotency_key.clone(),
            report: suspend.report.clone(),
            bound: pending(bound),
            fresh: bound
                .iter()
                .zip(&minted)
                .filter(|(bound, _)| bound.pending.is_none())
                .map(|(bound, minted)| Fresh {
                    id: bound.id,
                    key: bound.key.clone(),
                    kid: minted.kid.clone(),
                    fingerprint: minted.fingerprint.clone(),
                })
                .collect(),
        };
        let verdict = self.inner.suspend.call(call).await?;
        Ok(Ok(verdict.map(|timeout_at| Suspension {
            id,
            timeout_at,
            waitpoints: bound
                .iter()
                .zip(minted)
                .map(|(bound, minted)| OpenWaitpoint {
                    id: bound.id,
                    key: bound.key.clone(),
                    token: minted.token,
                    expires_at: None,
                    existing: bound.pending.is_some(),
                })
                .collect(),
        })))
    }

    /// Says what a write under a fence met that changed nothing.
    async fn met(&self, suspend: &Suspend, look: Option<Box<Look>>) -> Result<Met, Error> {
        let fence = suspend.fence;
        let look = match look {
            Some(look) => Some(*look),
            None => self.look_under(fence).await?,
        };
        let Some(look) = look else {
            return Ok(Met::Refused(LeaseRefusal::ExecutionNotFound));
        };
        if look.observed.holds(&fence, false) {
            return Ok(Met::Holds);
        }
        if look.own_end == Some(AttemptEnd::Suspended)
            && let Some(repeat) = self.begun_under(suspend).await?
        {
            return Ok(Met::Repeat(repeat));
        }
        Ok(Met::Refused(look.observed.refusal(&fence)))
    }

    /// Reads the suspension that ended a lease, with new tokens.
    async fn begun_under(&self, suspend: &Suspend) -> Result<Option<Suspension>, Error> {
        let fence = suspend.fence;
        let id = fence.execution_id;
        let row = sqlx::query!(
            "SELECT s.id, s.timeout_at, e.namespace
             FROM suspension s JOIN execution e ON e.partition = $1 AND e.id = $2
             WHERE s.partition = $1 AND s.execution_id = $2 AND s.epoch = $3 AND NOT s.at_once",
            id.partition().column(),
            id.uuid(),
            fence.epoch as i64,
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let waitpoints = sqlx::query!(
            "SELECT t.id, t.key FROM waitpoint t
             WHERE t.partition = $1 AND t.execution_id = $2 AND t.suspension_id = $3
             ORDER BY t.created_at, t.key",
            id.partition().column(),
            id.uuid(),
            row.id,
        )
        .fetch_all(&self.inner.verbs)
        .await?;
        let tokens: Vec<MintToken> = waitpoints
            .iter()
            .map(|waitpoint| MintToken {
                namespace: row.namespace.clone(),
                execution_id: id,
                waitpoint_id: WaitpointId(waitpoint.id),
                signal_names: suspend.names_for(&waitpoint.key),
                expiry: TokenExpiry::Never,
            })
            .collect();
        let minted = self.mint_waitpoint_tokens(&tokens).await?;
        let minted = minted.expect("invariant: the names were checked when it began");
        Ok(Some(Suspension {
            id: SuspensionId(row.id),
            timeout_at: row.timeout_at,
            waitpoints: waitpoints
                .into_iter()
                .zip(minted)
                .map(|(waitpoint, minted)| OpenWaitpoint {
                    id: WaitpointId(waitpoint.id),
                    key: waitpoint.key,
                    token: minted.token,
                    expires_at: None,
                    existing: true,
                })
                .collect(),
        }))
    }
}

impl Suspend {
    /// Returns the names that tokens of a new waitpoint are bound to.
    fn names_for(&self, wanted: &str) -> Vec<String> {
        let names = self.waitpoints.iter().find_map(|binding| match binding {
            Binding::Fresh { key, signal_names }
                if key == wanted || key.is_empty() && wanted.starts_with(DEFAULT_KEY) =>
            {
                Some(signal_names.clone())
            }
            _ => None,
        });
        names.unwrap_or_default()
    }
}

/// Whether there is anything to wait for.
enum Before {
    Satisfied(Box<Resumption>),
    Waits,
    /// It was written by nobody: something changed.
    Moved,
}

/// What a write under a fence met.
enum Met {
    /// The lease holds: something else had changed.
    Holds,
    /// This very lease ended with a suspension.
    Repeat(Suspension),
    Refused(LeaseRefusal),
}

/// Finds the waitpoints of a suspension and checks its condition with them.
fn bind(suspend: &Suspend, read: &Read) -> Result<Vec<Bound>, SuspendRefusal> {
    let fresh = |key: &str, signal_names: &[String]| {
        let id = WaitpointId(mint::random_id());
        Bound {
            id,
            key: if key.is_empty() {
                default_key(id)
            } else {
                key.to_owned()
            },
            signal_names: signal_names.to_vec(),
            pending: None,
        }
    };
    let pending = |waitpoint: &model::InboxWaitpoint| match waitpoint.state {
        WaitpointState::Pending => Ok(Bound {
            id: waitpoint.id,
            key: waitpoint.key.clone(),
            signal_names: Vec::new(),
            pending: Some(read.signals.get(&waitpoint.id).copied().unwrap_or(0)),
        }),
        WaitpointState::Expired => Err(SuspendRefusal::PendingWaitpointExpired),
        state => Err(SuspendRefusal::WaitpointNotPending { state }),
    };
    let mut asked = suspend.waitpoints.clone();
    if asked.is_empty() {
        let keys = suspend.condition.waitpoint_keys();
        asked.extend(keys.into_iter().map(|key| Binding::Keyed(key.to_owned())));
    }
    if asked.is_empty() {
        asked.push(Binding::Fresh {
            key: String::new(),
            signal_names: Vec::new(),
        });
    }
    if asked.len() > Limits::WAITPOINTS_MAX {
        let keys = vec![String::new(); asked.len()];
        suspend
            .condition
            .check(&keys, true)
            .map_err(Invalid::from)?;
    }
    let mut bound = Vec::with_capacity(asked.len());
    let mut keys = Vec::with_capacity(asked.len());
    for binding in &asked {
        let open = |key: &str| read.inbox.waitpoints.iter().find(|it| it.key == *key);
        let found = match binding {
            Binding::Fresh { key, signal_names } => match open(key) {
                Some(_) => {
                    return Err(SuspendRefusal::WaitpointAlreadyExists { key: key.clone() });
                }
                None => {
                    let new = fresh(key, signal_names);
                    // Only the first may do without a key of its own.
                    keys.push(match bound.is_empty() {
                        true => new.key.clone(),
                        false => key.clone(),
                    });
                    bound.push(new);
                    continue;
                }
            },
            Binding::UsePending(id) => {
                let found = read.inbox.waitpoints.iter().find(|it| it.id == *id);
                pending(found.ok_or(SuspendRefusal::WaitpointNotFound)?)?
            }
            Binding::Keyed(key) => match open(key) {
                Some(found) => pending(found)?,
                None => fresh(key, &[]),
            },
        };
        keys.push(found.key.clone());
        bound.push(found);
    }
    let defaults = &read.policy.suspension_policy;
    let has_deadline = suspend.timeout.is_some() || defaults.default_timeout_ms.is_some();
    suspend
        .condition
        .check(&keys, has_deadline)
        .map_err(Invalid::from)?;
    let new = bound.iter().filter(|it| it.pending.is_none()).count();
    let max = Limits::WAITPOINTS_OPEN_MAX;
    if read.open().count() + new > max {
        return Err(SuspendRefusal::WaitpointLimitExceeded { max });
    }
    Ok(bound)
}

/// Returns pending waitpoints and what they have heard, in the order in which rows
/// are locked.
fn pending(bound: &[Bound]) -> Vec<(WaitpointId, i32)> {
    let mut pending: Vec<(WaitpointId, i32)> = bound
        .iter()
        .filter_map(|bound| Some((bound.id, bound.pending?)))
        .collect();
    pending.sort_unstable_by_key(|(id, _)| id.0);
    pending
}

/// Returns the key of a waitpoint that was given none.
pub(super) fn default_key(id: WaitpointId) -> String {
    format!("{DEFAULT_KEY}{id}")
}

fn written<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("invariant: texts and numbers are written as JSON")
}

/// Writes a resume policy; nothing for the default.
fn policy_text(policy: ResumePolicy) -> Option<String> {
    (policy != ResumePolicy::default()).then(|| written(&policy))
}

impl Flush<SuspendCall> for Statements {
    type Verdict = SuspendVerdict;

    async fn flush(
        &self,
        partition: Partition,
        batch: &[Box<SuspendCall>],
        _retried: bool,
    ) -> Result<Vec<SuspendVerdict>, Error> {
        let suspended = self.begin_suspensions(partition, batch).await?;
        let misses: Vec<Fence> = batch
            .iter()
            .map(|call| call.fence)
            .filter(|fence| !suspended.contains_key(&fence.execution_id))
            .collect();
        let mut looks = match misses.is_empty() {
            true => HashMap::new(),
            false => self.observe(partition, &misses).await?,
        };
        Ok(batch
            .iter()
            .map(|call| {
                let id = call.fence.execution_id;
                match suspended.get(&id) {
                    Some(timeout_at) => Ok(*timeout_at),
                    None => Err(looks.remove(&id).map(Box::new)),
                }
            })
            .collect())
    }
}

impl Statements {
    async fn begin_suspensions(
        &self,
        partition: Partition,
        calls: &[Box<SuspendCall>],
    ) -> Result<HashMap<ExecutionId, Option<OffsetDateTime>>, Error> {
        let mut c = Columns::default();
        for call in calls {
            c.push(call);
        }
        let rows = sqlx::query_file!(
            "src/suspension/suspend.sql",
            partition.column(),
            &c.execution_ids,
            &c.lease_ids,
            &c.epochs,
            &c.attempts,
            &c.bound_counts,
            &c.suspension_ids,
            &c.reasons as &[&str],
            &c.shown_reasons as &[&str],
            &c.requesters as &[&str],
            &c.conditions as &[&str],
            &c.policies as &[Option<&str>],
            &c.timeouts_ms as &[Option<i64>],
            &c.timeouts_at as &[Option<OffsetDateTime>],
            &c.behaviors as &[&str],
            &c.states as &[Option<&[u8]>],
            &c.state_types as &[Option<&str>],
            &c.keys as &[Option<&str>],
            &c.logs as &[Option<&[u8]>],
            &c.components as &[Option<i32>],
            &c.cpu_ticks as &[Option<i32>],
            &c.memory as &[Option<i64>],
            &c.host_calls as &[Option<i32>],
            &c.bytes_out as &[Option<i64>],
            &c.wall_us as &[Option<i64>],
            &c.bound_executions,
            &c.bound_ids,
            &c.bound_signals,
            &c.fresh_executions,
            &c.fresh_ids,
            &c.fresh_keys as &[&str],
            &c.fresh_kids as &[&str],
            &c.fresh_fingerprints as &[&str],
        )
        .fetch_all(&self.verbs)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| (ExecutionId::from_uuid(row.execution_id), row.times_out_at))
            .collect())
    }
}

/// The arrays of the statement.
#[derive(Default)]
struct Columns<'a> {
    execution_ids: Vec<Uuid>,
    lease_ids: Vec<Uuid>,
    epochs: Vec<i64>,
    attempts: Vec<i32>,
    bound_counts: Vec<i32>,
    suspension_ids: Vec<Uuid>,
    reasons: Vec<&'a str>,
    shown_reasons: Vec<&'a str>,
    requesters: Vec<&'a str>,
    conditions: Vec<&'a str>,
    policies: Vec<Option<&'a str>>,
    timeouts_ms: Vec<Option<i64>>,
    timeouts_at: Vec<Option<OffsetDateTime>>,
    behaviors: Vec<&'a str>,
    states: Vec<Option<&'a [u8]>>,
    state_types: Vec<Option<&'a str>>,
    keys: Vec<Option<&'a str>>,
    logs: Vec<Option<&'a [u8]>>,
    components: Vec<Option<i32>>,
    cpu_ticks: Vec<Option<i32>>,
    memory: Vec<Option<i64>>,
    host_calls: Vec<Option<i32>>,
    bytes_out: Vec<Option<i64>>,
    wall_us: Vec<Option<i64>>,
    bound_executions: Vec<Uuid>,
    bound_ids: Vec<Uuid>,
    bound_signals: Vec<i32>,
    fresh_executions: Vec<Uuid>,
    fresh_ids: Vec<Uuid>,
    fresh_keys: Vec<&'a str>,
    fresh_kids: Vec<&'a str>,
    fresh_fingerprints: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    fn push(&mut self, call: &'a SuspendCall) {
        let id = call.fence.execution_id.uuid();
        self.execution_ids.push(id);
        self.lease_ids.push(call.fence.lease_id.0);
        self.epochs.push(call.fence.epoch as i64);
        self.attempts.push(call.fence.attempt as i32);
        self.bound_counts
            .push(i32::try_from(call.bound.len()).unwrap_or(i32::MAX));
        self.suspension_ids.push(call.suspension_id.0);
        self.reasons.push(call.reason);
        self.shown_reasons.push(call.shown_reason);
        self.requesters.push(call.requested_by);
        self.conditions.push(&call.condition);
        self.policies.push(call.resume_policy.as_deref());
        self.timeouts_ms.push(call.timeout_ms.map(bigint));
        self.timeouts_at.push(call.timeout_at);
        self.behaviors.push(call.timeout_behavior);
        let state = call.state.as_ref();
        self.states.push(state.map(|state| state.data.as_slice()));
        self.state_types
            .push(state.map(|state| state.content_type.as_str()));
        self.keys.push(call.idempotency_key.as_deref());
        self.logs.push(call.report.log.as_deref());
        self.components.push(call.report.component_id);
        let usage = call.report.usage;
        self.cpu_ticks.push(usage.map(|u| int(u.cpu_ticks)));
        self.memory.push(usage.map(|u| bigint(u.memory_peak_bytes)));
        self.host_calls.push(usage.map(|u| int(u.host_calls)));
        self.bytes_out.push(usage.map(|u| bigint(u.bytes_out)));
        self.wall_us.push(usage.map(|u| bigint(u.wall_us)));
        for (waitpoint, signals) in &call.bound {
            self.bound_executions.push(id);
            self.bound_ids.push(waitpoint.0);
            self.bound_signals.push(*signals);
        }
        for fresh in &call.fresh {
            self.fresh_executions.push(id);
            self.fresh_ids.push(fresh.id.0);
            self.fresh_keys.push(&fresh.key);
            self.fresh_kids.push(&fresh.kid);
            self.fresh_fingerprints.push(&fresh.fingerprint);
        }
    }
}

fn int(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

fn bigint(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
