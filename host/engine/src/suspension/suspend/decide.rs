//! Decides what becomes of a request to suspend.

use model::{Invalid, LeaseRefusal, SuspendRefusal, SuspensionId, WaitpointRef};

use super::bind::{BoundWaitpoint, SuspendContext, bind};
use super::early::EarlySatisfaction;
use super::request::{Binding, Suspend, Suspended, Suspension, SuspensionTimeout};
use super::statement::{CallWaitpoint, SuspendCall};
use crate::lease::Observation;
use crate::statements::{TRIES, conflict};
use crate::waitpoint::{OpenWaitpoint, SigningKey, read_snapshot};
use crate::{
    Declined, Engine, Error, MintWaitpointToken, MintedWaitpointToken, WaitpointTokenExpiry, random,
};

impl Engine {
    /// Suspends an execution until its condition is satisfied. The same attempt resumes
    /// then, under a new lease, with the state saved here.
    ///
    /// If signals that pending waitpoints have received satisfy the condition, the lease
    /// stays and the answer carries these signals. The same happens when a suspension
    /// with this idempotency key was satisfied before, so that a handler may ask again
    /// each time it is called.
    ///
    /// # Refusals
    /// See [`SuspendRefusal`]; a repeat under the same fence succeeds again.
    pub async fn suspend(
        &self,
        mut suspend: Suspend,
    ) -> Result<Suspended, Declined<SuspendRefusal>> {
        suspend.check(self.limits().result_bytes_max)?;
        if let Some(SuspensionTimeout::At(at)) = suspend.timeout
            && at.utc() <= self.now().await?
        {
            return self.suspend_too_late(&suspend).await;
        }
        let fence = suspend.fence;
        let id = SuspensionId(random::uuid());
        if let Some(suspension) = self.suspend_without_reading(&mut suspend, id).await? {
            return Ok(Suspended::Suspended(suspension));
        }
        let named = suspend
            .waitpoints
            .iter()
            .filter_map(|binding| match binding {
                Binding::UsePending(id) => Some((fence.execution_id, WaitpointRef::Id(*id))),
                Binding::Fresh { .. } | Binding::Keyed(_) => None,
            })
            .collect();
        for _ in 0..TRIES {
            let (snapshot, signing) = futures::try_join!(
                read_snapshot(&self.inner.verbs, fence.execution_id, &named),
                self.signing_waitpoint_key()
            )?;
            let snapshot = snapshot.ok_or(LeaseRefusal::ExecutionNotFound)?;
            if let Some(answer) = self.answer_by_key(&suspend).await? {
                return Ok(answer);
            }
            let context = SuspendContext::of(&snapshot);
            let bound = match bind(&suspend, &context) {
                Ok(bound) => bound,
                // A repeat whose waitpoints are active or closed by now.
                Err(refusal) => {
                    let first = self.check_fence(&suspend, None).await?;
                    return first.ok_or(refusal.into());
                }
            };
            let look = match self.satisfied_early(&suspend, id, &bound).await? {
                EarlySatisfaction::Satisfied(resumption) => {
                    return Ok(self.already_satisfied(&suspend, *resumption).await?);
                }
                EarlySatisfaction::Conflict => None,
                EarlySatisfaction::NotSatisfied => {
                    let written = self.write_suspension(&suspend, id, &context, &bound, &signing);
                    match written.await? {
                        Ok(suspension) => return Ok(Suspended::Suspended(suspension)),
                        Err(look) => look,
                    }
                }
            };
            if let Some(first) = self.check_fence(&suspend, look).await? {
                return Ok(first);
            }
        }
        Err(conflict(fence.execution_id).into())
    }

    /// Answers a request to wait until a time that has passed: there is nothing to wait
    /// for, unless it is a repeat.
    async fn suspend_too_late(
        &self,
        suspend: &Suspend,
    ) -> Result<Suspended, Declined<SuspendRefusal>> {
        if let Some(answer) = self.answer_by_key(suspend).await? {
            return Ok(answer);
        }
        let first = self.check_fence(suspend, None).await?;
        first.ok_or_else(|| {
            let detail = "timeout_at_in_past: it must be in the future";
            Invalid::new("timeout_at", detail).into()
        })
    }

    /// Suspends an execution on the assumption that it has no open waitpoint, which is
    /// true of most, without reading it first. If the assumption is wrong, or anything
    /// else prevents it, nothing was done.
    async fn suspend_without_reading(
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
        let context = SuspendContext {
            namespace: &namespace,
            policy: &policy.suspension_policy,
            snapshot: None,
        };
        let Ok(bound) = bind(suspend, &context) else {
            return Ok(None);
        };
        let signing = self.signing_waitpoint_key().await?;
        let written = self.write_suspension(suspend, id, &context, &bound, &signing);
        match written.await {
            Ok(written) => Ok(written.ok()),
            Err(Declined::Refused(Invalid { .. })) => Ok(None),
            Err(Declined::Fault(fault)) => Err(fault),
        }
    }

    /// Ends the lease with a suspension; or returns what was read of the execution when
    /// that was not possible.
    async fn write_suspension(
        &self,
        suspend: &Suspend,
        id: SuspensionId,
        context: &SuspendContext<'_>,
        bound: &[BoundWaitpoint],
        signing: &SigningKey,
    ) -> Result<Result<Suspension, Option<Box<Observation>>>, Declined<Invalid>> {
        let fence = suspend.fence;
        let minted = bound
            .iter()
            .map(|bound| {
                let token = MintWaitpointToken {
                    namespace: context.namespace.to_owned(),
                    execution_id: fence.execution_id,
                    waitpoint_id: bound.id,
                    signal_names: bound.signal_names.clone(),
                    expiry: WaitpointTokenExpiry::Never,
                };
                self.mint_with(signing, &token)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let defaults = context.policy;
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
            reason: suspend.reason,
            requested_by: suspend.requested_by,
            condition: suspend.condition_text(),
            resume_policy: suspend.resume_policy_text(),
            timeout_ms,
            timeout_at,
            timeout_behavior: behavior,
            state: suspend.state.clone(),
            idempotency_key: suspend.idempotency_key.clone(),
            report: suspend.report.clone(),
            waitpoints: call_waitpoints(bound, &minted),
            assumes_no_open_waitpoint: context.snapshot.is_none(),
        };
        let verdict = self.inner.batchers.suspend.call(call).await?;
        Ok(verdict.map(|timeout_at| Suspension {
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
        }))
    }
}

/// Puts waitpoints into the order in which rows are locked and created.
fn call_waitpoints(
    bound: &[BoundWaitpoint],
    minted: &[MintedWaitpointToken],
) -> Vec<CallWaitpoint> {
    let mut waitpoints: Vec<CallWaitpoint> = bound
        .iter()
        .zip(minted)
        .map(|(bound, minted)| CallWaitpoint {
            id: bound.id,
            pending: bound.pending,
            key: bound.key.clone(),
            kid: minted.kid.clone(),
            fingerprint: minted.fingerprint.clone(),
        })
        .collect();
    waitpoints.sort_by_key(|it| (it.pending.is_none(), it.pending.map(|_| it.id.0)));
    waitpoints
}
