//! What an operator does to an execution: verbs that need no fence.
//!
//! The statement that does it writes who asked and why into `operation`. Verbs
//! of a holder done by an operator look up the fence first and end the lease
//! under it, so that the same statement serves both; the epoch grows, and the
//! holder is told that it lost the lease.

use model::{
    AttemptEnd, BlockingReason, ExecutionId, ExecutionPolicy, Failure, Fence, Invalid, LeaseId,
    LeaseRefusal, Limits, OperateRefusal, Outcome, StateKind, SuspensionId,
};
use time::OffsetDateTime;

use super::observe::TRIES;
use super::row::{count, epoch, label};
use super::{Complete, Condition, Delay, Payload, ReleaseCall, Report, frozen_policy, text};
use crate::{Answer, Engine, Error};

/// Who asks for something that needs no fence, and why; kept with the execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Who; 1 to 255 bytes.
    pub actor: String,
    /// Why, for people; at most 1024 bytes.
    pub reason: Option<String>,
}

impl Operator {
    /// Checks the bounds of a name.
    pub(crate) fn check_actor(actor: &str) -> Result<(), Invalid> {
        if actor.is_empty() {
            return Err(Invalid::new("actor", "is empty"));
        }
        text("actor", actor, 255)
    }

    /// Checks the bounds.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        Self::check_actor(&self.actor)?;
        text(
            "reason",
            self.reason.as_deref().unwrap_or_default(),
            Limits::REASON_BYTES_MAX,
        )
    }
}

/// Which execution, and who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operate {
    /// The execution.
    pub id: ExecutionId,
    /// The caller's namespace; an execution elsewhere is not found. Absent for
    /// callers that may see them all.
    pub namespace: Option<String>,
    /// Who asks.
    pub by: Operator,
}

/// What is written into `operation` with a statement that serves others too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) verb: &'static str,
    pub(crate) by: Operator,
}

/// Where an execution is, for a verb that needs no fence.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) state: StateKind,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) reason: BlockingReason,
    pub(crate) policy: ExecutionPolicy,
    pub(crate) replays: u32,
    pub(crate) priority: u16,
    pub(crate) epoch: u64,
    pub(crate) held: Option<Held>,
    /// The suspension it waits in.
    pub(crate) suspension: Option<SuspensionId>,
}

/// The lease an execution runs under.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) fence: Fence,
    pub(crate) retries: u32,
    /// Whether it may not end without an outcome once more.
    pub(crate) at_reclaim_cap: bool,
}

impl Engine {
    /// Looks at where an execution is; `None` if there is none in the namespace.
    pub(crate) async fn place(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
    ) -> Result<Option<Place>, Error> {
        let row = sqlx::query_file!(
            "src/execution/place.sql",
            id.partition().column(),
            id.uuid(),
            namespace
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let held = match (row.lease_id, row.lease_epoch, row.attempt) {
            (Some(lease_id), Some(at), Some(attempt)) => Some(Held {
                fence: Fence {
                    execution_id: id,
                    lease_id: LeaseId(lease_id),
                    epoch: epoch(at),
                    attempt: count(attempt),
                },
                retries: count(row.retries.unwrap_or(0)),
                at_reclaim_cap: row.reclaims.unwrap_or(0) >= row.max_reclaims,
            }),
            _ => None,
        };
        let outcome: Option<Outcome> = row
            .outcome
            .map(|text| label("finished", "outcome", id, &text))
            .transpose()?;
        let parked: Option<StateKind> = row
            .parked_state
            .map(|text| label("parked", "state", id, &text))
            .transpose()?;
        let reason = row
            .reason
            .map(|text| label("parked", "reason", id, &text))
            .transpose()?;
        let state = match (&held, outcome, parked) {
            (Some(_), ..) => StateKind::Active,
            (_, Some(_), _) => StateKind::Terminal,
            (.., Some(parked)) => parked,
            _ => StateKind::Waiting,
        };
        Ok(Some(Place {
            state,
            outcome,
            reason: reason.unwrap_or(match state {
                StateKind::Waiting => BlockingReason::WaitingForWorker,
                _ => BlockingReason::None,
            }),
            policy: match row.policy {
                Some(text) => frozen_policy(id.uuid(), &text)?,
                None => ExecutionPolicy::default(),
            },
            replays: count(row.replays),
            priority: row.priority.unsigned_abs(),
            epoch: epoch(row.epoch),
            held,
            suspension: row.suspension_id.map(SuspensionId),
        }))
    }

    /// Finishes a running execution with a result, whoever holds it.
    ///
    /// # Refusals
    /// See [`LeaseRefusal`]. A repeat by the same operator with the same result succeeds
    /// again, as long as nothing else has happened to the execution.
    pub async fn complete_override(
        &self,
        operate: Operate,
        result: Payload,
    ) -> Answer<(), LeaseRefusal> {
        let complete = |fence| Complete {
            fence,
            result: result.clone(),
            report: Report::default(),
        };
        let answer = self
            .end_held("complete", operate, |held, _| {
                self.completion(complete(held.fence))
            })
            .await?;
        Ok(answer.map(|_| ()))
    }

    /// Ends the attempt of a running execution as failed, whoever holds it, and
    /// lets the retry policy decide; returns when it becomes due if it does.
    ///
    /// # Refusals
    /// See [`LeaseRefusal`]; a repeat is answered as one of `complete_override` is.
    pub async fn fail_override(
        &self,
        operate: Operate,
        failure: Failure,
    ) -> Answer<Option<OffsetDateTime>, LeaseRefusal> {
        self.end_held("fail", operate, |held, policy| {
            super::fail::check(&failure)?;
            Ok(super::failed(
                held.fence,
                Condition::Any,
                failure.clone(),
                false,
                Report::default(),
                policy,
                held.retries,
            ))
        })
        .await
    }

    /// Puts a running execution down, whoever holds it, and returns when it
    /// becomes due; the same attempt goes on then.
    ///
    /// # Refusals
    /// See [`LeaseRefusal`]; a repeat is answered as one of `complete_override` is.
    pub async fn delay_override(
        &self,
        operate: Operate,
        delay_ms: u64,
    ) -> Answer<Option<OffsetDateTime>, LeaseRefusal> {
        self.end_held("delay", operate, |held, _| {
            super::delay::put_down(Delay {
                fence: held.fence,
                delay_ms,
                report: Report::default(),
            })
        })
        .await
    }

    /// Ends the lease of an execution under whatever fence it has.
    async fn end_held(
        &self,
        verb: &'static str,
        operate: Operate,
        end: impl Fn(Held, &ExecutionPolicy) -> Result<ReleaseCall, Invalid>,
    ) -> Answer<Option<OffsetDateTime>, LeaseRefusal> {
        if let Err(invalid) = operate.by.check() {
            return Ok(Err(invalid.into()));
        }
        for _ in 0..TRIES {
            let place = self.place(operate.id, operate.namespace.as_deref()).await?;
            let Some(place) = place else {
                return Ok(Err(LeaseRefusal::ExecutionNotFound));
            };
            let Some(held) = place.held else {
                return self.ended_before(verb, &operate, &place, end).await;
            };
            let mut call = match end(held, &place.policy) {
                Ok(call) => call,
                Err(invalid) => return Ok(Err(invalid.into())),
            };
            call.condition = Condition::Any;
            call.involuntary = true;
            call.operation = Some(Operation {
                verb,
                by: operate.by.clone(),
            });
            // A refusal: the lease ended or changed hands meanwhile.
            if let Ok(due_at) = self.inner.release.call(call).await? {
                return Ok(Ok(due_at));
            }
        }
        Err(moving(operate.id))
    }

    /// Answers an operator who would end a lease where there is none: if the same
    /// request ended the last one, and nothing has happened since, as that was.
    async fn ended_before(
        &self,
        verb: &'static str,
        operate: &Operate,
        place: &Place,
        end: impl Fn(Held, &ExecutionPolicy) -> Result<ReleaseCall, Invalid>,
    ) -> Answer<Option<OffsetDateTime>, LeaseRefusal> {
        let refused = Ok(Err(place.not_active()));
        let last = self.last_operation(operate.id, &[verb]).await?;
        if !last.is_some_and(|last| last.by == operate.by && last.epoch == Some(place.epoch)) {
            return refused;
        }
        let Some((fence, _)) = self.last_ended(operate.id, None).await? else {
            return refused;
        };
        let held = Held {
            fence,
            retries: 0,
            at_reclaim_cap: false,
        };
        let (Ok(call), Some(look)) = (end(held, &place.policy), self.look_under(fence).await?)
        else {
            return refused;
        };
        match look.own_end {
            Some(own) if call.brought_about(&own, false) => Ok(Ok(own.due_at)),
            _ => refused,
        }
    }

    /// Finds the last lease of an execution that ended, or a certain one, and how it did.
    pub(crate) async fn last_ended(
        &self,
        id: ExecutionId,
        lease_id: Option<LeaseId>,
    ) -> Result<Option<(Fence, AttemptEnd)>, Error> {
        let row = sqlx::query!(
            r#"SELECT a.lease_id AS "lease_id!", a.epoch AS "epoch!", a.attempt AS "attempt!",
                      a.ended::text AS "ended!"
               FROM ended_lease a
               WHERE a.partition = $1 AND a.execution_id = $2
                 AND ($3::uuid IS NULL OR a.lease_id = $3)
               ORDER BY a.epoch DESC LIMIT 1"#,
            id.partition().column(),
            id.uuid(),
            lease_id.map(|id| id.0),
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        row.map(|row| {
            let fence = Fence {
                execution_id: id,
                lease_id: LeaseId(row.lease_id),
                epoch: epoch(row.epoch),
                attempt: count(row.attempt),
            };
            Ok((fence, label("attempt", "ended", id, &row.ended)?))
        })
        .transpose()
    }
}

/// Says that an execution moved whenever it was about to be changed.
pub(crate) fn moving(id: ExecutionId) -> Error {
    Error::Unavailable(format!("execution {id} keeps moving; ask again"))
}

impl Place {
    /// Names the refusal of a verb that ends a lease.
    fn not_active(&self) -> LeaseRefusal {
        LeaseRefusal::ExecutionNotActive {
            state: self.state,
            outcome: self.outcome,
            epoch: self.epoch,
        }
    }

    /// Names the refusal of a verb that another state allows.
    pub(crate) fn not_eligible(&self) -> OperateRefusal {
        OperateRefusal::ExecutionNotEligible {
            state: self.state,
            outcome: self.outcome,
            reason: self.reason,
        }
    }
}
