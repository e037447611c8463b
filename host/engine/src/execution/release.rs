//! The end of a lease: active → finished, waiting or parked.
//!
//! complete, fail, delay, wait-children, cancel by the holder, give-back, revocation,
//! lease expiry and attempt timeout all end here, in one statement; a suspension ends
//! a lease in `suspension/suspend/suspend.sql`. Locks: the lease rows. Event: the one the
//! caller names.

use std::collections::HashMap;

use model::{
    AttemptEnd, AttemptType, BlockingReason, CancelSource, EventKind, ExecutionId, Failure, Fence,
    LeaseRefusal, Outcome, Partition, StateKind,
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::observe::{Look, OwnEnd, TRIES};
use super::operator::Operation;
use super::row::{bigint, int};
use super::{Payload, Report, Reports, Statements};
use crate::coalesce::{Flush, Rider};
use crate::{Answer, Engine, Error};

/// What must hold of a lease besides its fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// It has not lapsed: a write of its holder.
    Held,
    /// It has lapsed.
    Lapsed,
    /// Its attempt has run too long.
    Overdue,
    /// None: nobody asked its holder.
    Any,
}

impl Condition {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Lapsed => "lapsed",
            Self::Overdue => "overdue",
            Self::Any => "any",
        }
    }
}

/// Where an execution goes when its lease ends.
#[derive(Debug, Clone)]
pub(crate) enum Goes {
    /// To its end.
    Finished {
        outcome: Outcome,
        result: Option<Payload>,
        source: Option<String>,
    },
    /// Back into the queue.
    Ready {
        next_type: AttemptType,
        reclaims_add: u32,
    },
    /// Out of the queue, until a time if there is one.
    Parked {
        state: StateKind,
        why: BlockingReason,
        delay_ms: Option<u64>,
        next_type: AttemptType,
        resumes: bool,
        retries_add: u32,
    },
}

/// One lease on its way to its end.
#[derive(Debug)]
pub(crate) struct ReleaseCall {
    pub(crate) fence: Fence,
    pub(crate) condition: Condition,
    pub(crate) ended: AttemptEnd,
    pub(crate) goes: Goes,
    /// Whether the epoch grows: when the holder did not ask for it.
    pub(crate) involuntary: bool,
    pub(crate) failure: Option<Failure>,
    pub(crate) report: Report,
    pub(crate) event: EventKind,
    /// Who asked, if it was not the holder.
    pub(crate) operation: Option<Operation>,
}

/// When the execution becomes due, if it was delayed; or why nothing happened.
pub(crate) type ReleaseVerdict = Result<Option<OffsetDateTime>, LeaseRefusal>;

impl Rider for ReleaseCall {
    type Key = ExecutionId;

    fn partition(&self) -> Partition {
        self.fence.execution_id.partition()
    }

    fn key(&self) -> ExecutionId {
        self.fence.execution_id
    }
}

impl Engine {
    /// Gives an execution back untouched: it is ready again at once and nothing
    /// is charged to its policy. For a host that shuts down.
    ///
    /// # Refusals
    /// See [`LeaseRefusal`]; a repeat under the same fence succeeds again.
    pub async fn release(&self, fence: Fence, report: Report) -> Answer<(), LeaseRefusal> {
        let call = ReleaseCall {
            fence,
            condition: Condition::Held,
            ended: AttemptEnd::Released,
            goes: Goes::Ready {
                next_type: AttemptType::Reclaim,
                reclaims_add: 0,
            },
            involuntary: false,
            failure: None,
            report,
            event: EventKind::Released,
            operation: None,
        };
        Ok(self.inner.release.call(call).await?.map(|_| ()))
    }
}

impl Flush<ReleaseCall> for Statements {
    type Verdict = ReleaseVerdict;

    async fn flush(
        &self,
        partition: Partition,
        batch: &[Box<ReleaseCall>],
        retried: bool,
    ) -> Result<Vec<ReleaseVerdict>, Error> {
        let mut released = HashMap::with_capacity(batch.len());
        let mut looks = HashMap::new();
        let mut open: Vec<&ReleaseCall> = batch.iter().map(Box::as_ref).collect();
        for _ in 0..TRIES {
            released.extend(self.end_leases(partition, &open).await?);
            open.retain(|call| !released.contains_key(&call.fence.execution_id));
            if open.is_empty() {
                break;
            }
            let misses: Vec<Fence> = open.iter().map(|call| call.fence).collect();
            looks.extend(self.observe(partition, &misses).await?);
            open.retain(|call| call.met_a_renewal(looks.get(&call.fence.execution_id)));
            if open.is_empty() {
                break;
            }
        }
        self.tell(batch, &released);
        Ok(batch
            .iter()
            .map(|call| match released.get(&call.fence.execution_id) {
                Some(due_at) => Ok(*due_at),
                None => call.missed(looks.get(&call.fence.execution_id), retried),
            })
            .collect())
    }
}

impl ReleaseCall {
    /// Whether the call would be applied now, although it was not.
    fn met_a_renewal(&self, look: Option<&Look>) -> bool {
        let lapsed_too = match self.condition {
            Condition::Held => false,
            Condition::Any => true,
            // The next sweep looks again.
            Condition::Lapsed | Condition::Overdue => return false,
        };
        look.is_some_and(|look| look.observed.holds(&self.fence, lapsed_too))
    }

    /// Answers a call that ended nothing: if the same call did so before, as that one
    /// was. `retried` tells that an earlier try of this very call may have done it.
    fn missed(&self, look: Option<&Look>, retried: bool) -> ReleaseVerdict {
        let Some(look) = look else {
            return Err(LeaseRefusal::ExecutionNotFound);
        };
        match &look.own_end {
            Some(own) if self.brought_about(own, retried) => Ok(own.due_at),
            _ => Err(look.observed.refusal(&self.fence)),
        }
    }

    /// Whether this call, made before, would have ended the lease so. What the engine
    /// decided then, such as whether there is a retry, is not compared but answered.
    pub(crate) fn brought_about(&self, own: &OwnEnd, retried: bool) -> bool {
        let same_failure = || match (&self.failure, &own.failure) {
            (Some(failure), Some(own)) => failure.says_the_same(own),
            (failure, own) => failure.is_none() && own.is_none(),
        };
        own.ended == self.ended
            && match self.ended {
                AttemptEnd::Success => match &self.goes {
                    Goes::Finished {
                        result: Some(result),
                        ..
                    } => own.result_digest.as_deref() == Some(&result.digest()),
                    _ => false,
                },
                AttemptEnd::Failure => same_failure(),
                AttemptEnd::Cancelled => {
                    let holder = CancelSource::LeaseHolder;
                    same_failure() && own.source.as_ref().is_none_or(|it| it == holder.as_str())
                }
                AttemptEnd::Delayed => match (&self.goes, own.due_at) {
                    (
                        Goes::Parked {
                            delay_ms: Some(ms), ..
                        },
                        Some(due_at),
                    ) => (due_at - own.released_at).whole_milliseconds() == i128::from(*ms),
                    // Written by a host that did not keep it.
                    _ => true,
                },
                // They say nothing that could differ, or the engine found out by itself.
                AttemptEnd::Released | AttemptEnd::WaitingChildren | AttemptEnd::Expired => true,
                // Nobody asks for these under a fence.
                AttemptEnd::LeaseExpired | AttemptEnd::LeaseRevoked => retried,
                AttemptEnd::Suspended => false,
            }
    }
}

impl Statements {
    fn tell(
        &self,
        batch: &[Box<ReleaseCall>],
        released: &HashMap<ExecutionId, Option<OffsetDateTime>>,
    ) {
        let done: Vec<&ReleaseCall> = batch
            .iter()
            .map(Box::as_ref)
            .filter(|call| released.contains_key(&call.fence.execution_id))
            .collect();
        self.wake.finished(
            done.iter()
                .filter(|call| matches!(call.goes, Goes::Finished { .. }))
                .map(|call| call.fence.execution_id),
        );
        if done
            .iter()
            .any(|call| matches!(call.goes, Goes::Ready { .. }))
        {
            self.wake.ready();
        }
        for call in done.iter().filter(|call| call.involuntary) {
            self.wake.lost(call.fence.execution_id);
        }
    }

    async fn end_leases(
        &self,
        partition: Partition,
        calls: &[&ReleaseCall],
    ) -> Result<HashMap<ExecutionId, Option<OffsetDateTime>>, Error> {
        let mut c = Columns::with_capacity(calls.len());
        for call in calls {
            c.push(call);
        }
        let rows = sqlx::query_file!(
            "src/execution/release.sql",
            partition.column(),
            &c.execution_ids,
            &c.lease_ids,
            &c.epochs,
            &c.attempts,
            &c.conditions as &[&str],
            &c.ended as &[&str],
            &c.goes as &[&str],
            &c.bumps,
            &c.outcomes as &[Option<&str>],
            &c.results as &[Option<&[u8]>],
            &c.result_types as &[Option<&str>],
            &c.classes as &[Option<&str>],
            &c.codes as &[Option<&str>],
            &c.messages as &[Option<&str>],
            &c.backtraces as &[Option<&str>],
            &c.reports.logs as &[Option<&[u8]>],
            &c.sources as &[Option<&str>],
            &c.states as &[Option<&str>],
            &c.reasons as &[Option<&str>],
            &c.delays as &[Option<i64>],
            &c.wakes as &[Option<OffsetDateTime>],
            &c.next_types as &[&str],
            &c.resumes,
            &c.retries,
            &c.reclaims,
            &c.reports.components as &[Option<i32>],
            &c.reports.cpu_ticks as &[Option<i32>],
            &c.reports.memory as &[Option<i64>],
            &c.reports.host_calls as &[Option<i32>],
            &c.reports.bytes_out as &[Option<i64>],
            &c.reports.wall_us as &[Option<i64>],
            &c.events as &[&str],
            &c.verbs as &[Option<&str>],
            &c.actors as &[Option<&str>],
            &c.operation_reasons as &[Option<&str>],
        )
        .fetch_all(&self.verbs)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| (ExecutionId::from_uuid(row.execution_id), row.due_at))
            .collect())
    }
}

/// The arrays of the statement, one element per call.
#[derive(Default)]
struct Columns<'a> {
    execution_ids: Vec<Uuid>,
    lease_ids: Vec<Uuid>,
    epochs: Vec<i64>,
    attempts: Vec<i32>,
    conditions: Vec<&'a str>,
    ended: Vec<&'a str>,
    goes: Vec<&'a str>,
    bumps: Vec<i32>,
    outcomes: Vec<Option<&'a str>>,
    results: Vec<Option<&'a [u8]>>,
    result_types: Vec<Option<&'a str>>,
    classes: Vec<Option<&'a str>>,
    codes: Vec<Option<&'a str>>,
    messages: Vec<Option<&'a str>>,
    backtraces: Vec<Option<&'a str>>,
    reports: Reports<'a>,
    sources: Vec<Option<&'a str>>,
    states: Vec<Option<&'a str>>,
    reasons: Vec<Option<&'a str>>,
    delays: Vec<Option<i64>>,
    wakes: Vec<Option<OffsetDateTime>>,
    next_types: Vec<&'a str>,
    resumes: Vec<bool>,
    retries: Vec<i32>,
    reclaims: Vec<i32>,
    events: Vec<&'a str>,
    verbs: Vec<Option<&'a str>>,
    actors: Vec<Option<&'a str>>,
    operation_reasons: Vec<Option<&'a str>>,
}

impl<'a> Columns<'a> {
    fn with_capacity(calls: usize) -> Self {
        Self {
            execution_ids: Vec::with_capacity(calls),
            lease_ids: Vec::with_capacity(calls),
            ..Self::default()
        }
    }

    fn push(&mut self, call: &'a ReleaseCall) {
        self.execution_ids.push(call.fence.execution_id.uuid());
        self.lease_ids.push(call.fence.lease_id.0);
        self.epochs.push(call.fence.epoch as i64);
        self.attempts.push(call.fence.attempt as i32);
        self.conditions.push(call.condition.as_str());
        self.ended.push(call.ended.as_str());
        self.bumps.push(i32::from(call.involuntary));
        self.events.push(call.event.as_str());
        self.push_goes(&call.goes);
        let operation = call.operation.as_ref();
        self.verbs.push(operation.map(|o| o.verb));
        self.actors.push(operation.map(|o| o.by.actor.as_str()));
        self.operation_reasons
            .push(operation.and_then(|o| o.by.reason.as_deref()));
        let failure = call.failure.as_ref();
        self.classes.push(failure.map(|f| f.class.as_str()));
        self.codes.push(failure.map(|f| f.code.as_str()));
        self.messages.push(failure.map(|f| f.message.as_str()));
        self.backtraces
            .push(failure.and_then(|f| f.backtrace.as_deref()));
        self.reports.push(&call.report);
    }

    fn push_goes(&mut self, goes: &'a Goes) {
        let (name, outcome, result, source) = match goes {
            Goes::Finished {
                outcome,
                result,
                source,
            } => (
                "finished",
                Some(outcome.as_str()),
                result.as_ref(),
                source.as_deref(),
            ),
            Goes::Ready { .. } => ("ready", None, None, None),
            Goes::Parked { .. } => ("parked", None, None, None),
        };
        self.goes.push(name);
        self.outcomes.push(outcome);
        self.results
            .push(result.map(|payload| payload.data.as_slice()));
        self.result_types
            .push(result.map(|payload| payload.content_type.as_str()));
        self.sources.push(source);
        let (state, reason, delay, next_type, resumes, retries, reclaims) = match goes {
            Goes::Finished { .. } => (None, None, None, AttemptType::Initial, false, 0, 0),
            Goes::Ready {
                next_type,
                reclaims_add,
            } => (None, None, None, *next_type, false, 0, *reclaims_add),
            Goes::Parked {
                state,
                why,
                delay_ms,
                next_type,
                resumes,
                retries_add,
            } => (
                Some(state.as_str()),
                Some(why.as_str()),
                delay_ms.map(bigint),
                *next_type,
                *resumes,
                *retries_add,
                0,
            ),
        };
        self.states.push(state);
        self.reasons.push(reason);
        self.delays.push(delay);
        self.wakes.push(None);
        self.next_types.push(next_type.as_str());
        self.resumes.push(resumes);
        self.retries.push(int(retries));
        self.reclaims.push(int(reclaims));
    }
}
