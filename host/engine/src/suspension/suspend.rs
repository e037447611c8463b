//! suspend: active → suspended, or on with the lease when what came before
//! satisfies the condition.
//!
//! What pending waitpoints have heard is decided on before the statement, which
//! holds only if they have heard nothing since. Locks: pending waitpoints, then the
//! lease row. Event: `suspended`.

use model::{
    AttemptEnd, ExecutionId, Heard, Invalid, LeaseRefusal, Limits, ResumePolicy, SuspendRefusal,
    SuspensionCloseReason, SuspensionId, WaitpointId,
};
use uuid::Uuid;

use super::begin::{Fresh, SuspendCall};
use super::bind::{Bound, Ground, bind, pending};
use super::inbox::{self, Named, Read};
use super::satisfy::Before;
use super::{
    Binding, OpenWaitpoint, Suspend, Suspended, Suspension, SuspensionTimeout, WaitpointRef,
};
use crate::checks::{content_type, payload_bytes, text};
use crate::lease::Observation;
use crate::row::label;
use crate::statements::{TRIES, conflict};
use crate::waitpoint_key::SigningKey;
use crate::{Answer, Engine, Error, MintToken, TokenExpiry, mint};

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
            && at.utc() <= self.now().await?
        {
            return self.suspend_too_late(&suspend).await;
        }
        let fence = suspend.fence;
        let id = SuspensionId(mint::random_id());
        if let Some(suspension) = self.suspend_alone(&mut suspend, id).await? {
            return Ok(Ok(Suspended::Suspended(suspension)));
        }
        for _ in 0..TRIES {
            let (read, signing) = futures::try_join!(
                self.read_for_suspend(&suspend),
                self.signing_waitpoint_key()
            )?;
            let Some(read) = read else {
                return Ok(Err(LeaseRefusal::ExecutionNotFound.into()));
            };
            if let Some(answer) = self.asked_before(&suspend).await? {
                return Ok(answer);
            }
            let ground = Ground::of(&read);
            let bound = match bind(&suspend, &ground) {
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
                Before::Waits => {
                    match self
                        .put_down(&suspend, id, &ground, &bound, &signing)
                        .await?
                    {
                        Ok(Ok(suspension)) => return Ok(Ok(Suspended::Suspended(suspension))),
                        Ok(Err(look)) => look,
                        Err(invalid) => return Ok(Err(invalid.into())),
                    }
                }
            };
            match self.met(&suspend, look).await? {
                Met::Repeat(repeat) => return Ok(Ok(Suspended::Suspended(repeat))),
                Met::Refused(refusal) => return Ok(Err(refusal.into())),
                Met::Holds => {}
            }
        }
        Err(conflict(fence.execution_id))
    }

    /// Answers a wish to wait until a time that has passed: unless it is a repeat, there
    /// is nothing to wait for.
    async fn suspend_too_late(&self, suspend: &Suspend) -> Answer<Suspended, SuspendRefusal> {
        if let Some(answer) = self.asked_before(suspend).await? {
            return Ok(answer);
        }
        Ok(match self.met(suspend, None).await? {
            Met::Repeat(repeat) => Ok(Suspended::Suspended(repeat)),
            Met::Refused(refusal) => Err(refusal.into()),
            Met::Holds => {
                let detail = "timeout_at_in_past: it must be in the future";
                Err(Invalid::new("timeout_at", detail).into())
            }
        })
    }

    /// Suspends an execution that is taken to have no open waitpoint, as most have,
    /// without reading it first. Nothing was done if that is not so, or anything else
    /// is in the way.
    async fn suspend_alone(
        &self,
        suspend: &mut Suspend,
        id: SuspensionId,
    ) -> Result<Option<Suspension>, Error> {
        let Some((namespace, policy)) = suspend.known.take() else {
            return Ok(None);
        };
        let uses_pending = |binding: &Binding| matches!(binding, Binding::UsePending(_));
        if suspend.idempotency_key.is_some() || suspend.waitpoints.iter().any(uses_pending) {
            return Ok(None);
        }
        let ground = Ground {
            namespace: &namespace,
            policy: &policy.suspension_policy,
            read: None,
        };
        let Ok(bound) = bind(suspend, &ground) else {
            return Ok(None);
        };
        let signing = self.signing_waitpoint_key().await?;
        let answer = self
            .put_down(suspend, id, &ground, &bound, &signing)
            .await?;
        Ok(answer.ok().and_then(Result::ok))
    }

    fn check_suspend(&self, suspend: &mut Suspend) -> Result<(), Invalid> {
        suspend.requested_by.check_holder()?;
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

    async fn read_for_suspend(&self, suspend: &Suspend) -> Result<Option<Read>, Error> {
        let id = suspend.fence.execution_id;
        let mut named = Named::default();
        for binding in &suspend.waitpoints {
            if let Binding::UsePending(waitpoint) = binding {
                named.add(&WaitpointRef::Id(*waitpoint));
            }
        }
        let ids = [id.uuid()];
        let reads = inbox::read(&self.inner.verbs, id.partition(), &ids, &named).await?;
        reads.take(id)
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
            .map(|text| label("suspension", "close_reason", row.id, &text))
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
        inbox::hear(&self.inner.verbs, id, &waitpoints).await
    }

    /// Ends the lease with a suspension.
    async fn put_down(
        &self,
        suspend: &Suspend,
        id: SuspensionId,
        ground: &Ground<'_>,
        bound: &[Bound],
        signing: &SigningKey,
    ) -> Answer<Result<Suspension, Option<Box<Observation>>>, Invalid> {
        let fence = suspend.fence;
        let tokens: Vec<MintToken> = bound
            .iter()
            .map(|bound| MintToken {
                namespace: ground.namespace.to_owned(),
                execution_id: fence.execution_id,
                waitpoint_id: bound.id,
                signal_names: bound.signal_names.clone(),
                expiry: TokenExpiry::Never,
            })
            .collect();
        let minted = match self.mint_with(signing, &tokens) {
            Ok(minted) => minted,
            Err(invalid) => return Ok(Err(invalid)),
        };
        let defaults = ground.policy;
        let (timeout_ms, timeout_at) = match suspend.timeout {
            Some(SuspensionTimeout::InMs(ms)) => (Some(ms), None),
            Some(SuspensionTimeout::At(at)) => (None, Some(at.utc())),
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
            alone: ground.read.is_none(),
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
    async fn met(&self, suspend: &Suspend, look: Option<Box<Observation>>) -> Result<Met, Error> {
        let fence = suspend.fence;
        let look = match look {
            Some(look) => Some(*look),
            None => self.observe(fence).await?,
        };
        let Some(look) = look else {
            return Ok(Met::Refused(LeaseRefusal::ExecutionNotFound));
        };
        if look.observed.holds(&fence, false) {
            return Ok(Met::Holds);
        }
        if look.ended_as(AttemptEnd::Suspended)
            && let Some(repeat) = self.begun_under(suspend).await?
        {
            return Ok(Met::Repeat(repeat));
        }
        Ok(Met::Refused(look.observed.refusal(&fence)))
    }

    /// Reads the suspension that ended a lease, with new tokens, if it is the one
    /// that is asked for.
    async fn begun_under(&self, suspend: &Suspend) -> Result<Option<Suspension>, Error> {
        let fence = suspend.fence;
        let id = fence.execution_id;
        let row = sqlx::query!(
            "SELECT s.id, s.timeout_at, s.timeout_behavior, s.reason, s.requested_by, s.condition,
                    s.resume_policy, s.state, s.state_type, e.namespace
             FROM suspension s JOIN execution e ON e.partition = $1 AND e.id = $2
             WHERE s.partition = $1 AND s.execution_id = $2 AND s.epoch = $3 AND NOT s.at_once",
            id.partition().column(),
            id.uuid(),
            fence.epoch as i64,
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        // What the policy fills in, and a time from now, are taken as they were.
        let same = row.filter(|row| {
            let state = suspend.state.as_ref();
            row.condition == written(&suspend.condition)
                && row.resume_policy == policy_text(suspend.resume_policy)
                && row.state.as_deref() == state.map(|it| it.data.as_slice())
                && row.state_type.as_deref() == state.map(|it| it.content_type.as_str())
                && row.reason == suspend.reason.as_str()
                && row.requested_by == suspend.requested_by.as_str()
                && suspend
                    .timeout_behavior
                    .is_none_or(|it| row.timeout_behavior == it.as_str())
                && match suspend.timeout {
                    Some(SuspensionTimeout::At(at)) => row
                        .timeout_at
                        .is_some_and(|it| (it - at.utc()).abs() < time::Duration::MICROSECOND),
                    _ => true,
                }
        });
        let Some(row) = same else { return Ok(None) };
        let mut waitpoints = sqlx::query!(
            "SELECT t.id, t.key FROM waitpoint t
             WHERE t.partition = $1 AND t.execution_id = $2 AND t.suspension_id = $3",
            id.partition().column(),
            id.uuid(),
            row.id,
        )
        .fetch_all(&self.inner.verbs)
        .await?;
        waitpoints.sort_by_key(|it| suspend.place_of(WaitpointId(it.id), &it.key));
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
        let Ok(minted) = self.mint_waitpoint_tokens(&tokens).await? else {
            return Ok(None);
        };
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

/// What a write under a fence met.
enum Met {
    /// The lease holds: something else had changed.
    Holds,
    /// This very lease ended with a suspension.
    Repeat(Suspension),
    Refused(LeaseRefusal),
}

pub(super) fn written<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("invariant: texts and numbers are written as JSON")
}

/// Writes a resume policy; nothing for the default.
pub(super) fn policy_text(policy: ResumePolicy) -> Option<String> {
    (policy != ResumePolicy::default()).then(|| written(&policy))
}
