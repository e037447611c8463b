//! Delivery: what signals do, and what they satisfy goes on, suspended → waiting,
//! delayed or, handed to a worker that stands by, active.
//!
//! What a batch of signals does is decided on what was read, execution by
//! execution, and written by one statement if that is still true; what changed
//! meanwhile is read again. So a signal's effect is exact, and the one that
//! satisfies a condition ends the suspension in the statement that keeps it:
//! nothing is left to be done by anybody who might die first. Operators and time
//! limits that resume an execution go the same way. Locks: pending waitpoints, then
//! parked rows, then suspensions and their waitpoints. Events: `signalled`, `resumed`,
//! and `acquired` or `reclaimed` for what is handed over.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use model::{
    ExecutionId, Partition, SignalEffect, SignalId, SignalRefusal, SuspensionCloseReason,
    SuspensionId, WaitpointId,
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Delivered;
use super::boxes::write_boxes;
use super::inbox::{self, Named, Read};
use super::plan::{Boxed, Plan};
use super::signal::Signal;
use crate::coalesce::{Flush, Rider};
use crate::operate::Operation;
use crate::row::label;
use crate::statements::Statements;
use crate::{Error, mint};

/// Tries of one batch while others change what it was decided on.
const TRIES: u32 = 100;
/// From so many tries on, they are spread in time.
const PATIENT: u32 = 5;

/// Something that may end a suspension.
#[derive(Debug)]
pub(crate) struct DeliverCall {
    execution_id: ExecutionId,
    /// Calls of one execution are decided in the order they came.
    turn: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    Signal(Box<Signal>),
    Resume(Box<Resume>),
}

/// Goes on without a signal.
#[derive(Debug)]
pub(crate) struct Resume {
    pub(crate) reason: SuspensionCloseReason,
    /// The suspension that ends: no other one.
    pub(crate) suspension: SuspensionId,
    /// Whether only if its time has passed.
    pub(crate) only_due: bool,
    pub(crate) delay_ms: Option<u64>,
    pub(crate) operation: Option<Operation>,
}

/// What became of a call.
#[derive(Debug)]
pub(crate) enum DeliverVerdict {
    /// Of a signal.
    Signal(Result<Delivered, SignalRefusal>),
    /// Of a wish to go on: whether it did.
    Resume(bool),
    /// Something of the execution cannot be read.
    Unreadable(Error),
    /// The execution changed whenever it was about to be written.
    Moving,
}

impl Rider for DeliverCall {
    type Key = (ExecutionId, u64);

    fn partition(&self) -> Partition {
        self.execution_id.partition()
    }

    fn key(&self) -> Self::Key {
        (self.execution_id, self.turn)
    }
}

impl DeliverCall {
    fn new(execution_id: ExecutionId, what: What) -> Self {
        static TURN: AtomicU64 = AtomicU64::new(0);
        Self {
            execution_id,
            turn: TURN.fetch_add(1, Ordering::Relaxed),
            what,
        }
    }

    /// Builds the call of a signal.
    pub(super) fn signal(execution_id: ExecutionId, signal: Signal) -> Self {
        Self::new(execution_id, What::Signal(Box::new(signal)))
    }

    /// Builds the call of whoever resumes an execution.
    pub(crate) fn resume(execution_id: ExecutionId, resume: Resume) -> Self {
        Self::new(execution_id, What::Resume(Box::new(resume)))
    }
}

impl Flush<DeliverCall> for Statements {
    type Verdict = DeliverVerdict;

    async fn flush(
        &self,
        partition: Partition,
        batch: &[Box<DeliverCall>],
        retried: bool,
    ) -> Result<Vec<DeliverVerdict>, Error> {
        let mut verdicts: Vec<Option<DeliverVerdict>> = batch.iter().map(|_| None).collect();
        for attempt in 0..TRIES {
            // Each time: an earlier try that got no answer may still be at work.
            if retried {
                self.find_kept(partition, batch, &mut verdicts).await?;
            }
            let open: Vec<usize> = (0..batch.len())
                .filter(|at| verdicts[*at].is_none())
                .collect();
            if open.is_empty() {
                break;
            }
            if attempt >= PATIENT {
                tokio::time::sleep(Duration::from_millis(3).mul_f64(mint::unit())).await;
            }
            // Both on one connection: the server has at hand what it has just read.
            let mut on = self.verbs.acquire().await?;
            let plan = self.decide(&mut on, partition, batch, &open).await?;
            let sent = Instant::now();
            let mut applied = write_boxes(&mut on, partition, &plan.boxes).await?;
            on.done();
            for (at, verdict, number) in plan.verdicts {
                if number.is_none_or(|number| applied.contains_key(&number)) {
                    verdicts[at] = Some(verdict);
                }
            }
            for boxed in plan.boxes {
                let wakes = boxed.wakes();
                match (applied.remove(&boxed.number), boxed.seat) {
                    (Some(Some(claimed)), Some(seat)) => seat.take(claimed, sent),
                    (Some(_), _) if wakes => self.wake.ready(),
                    _ => {}
                }
            }
        }
        let moving = || DeliverVerdict::Moving;
        Ok(verdicts
            .into_iter()
            .map(|it| it.unwrap_or_else(moving))
            .collect())
    }
}

impl Statements {
    /// Decides calls on what is read now.
    async fn decide<'a>(
        &self,
        on: &mut PgConnection,
        partition: Partition,
        batch: &'a [Box<DeliverCall>],
        open: &[usize],
    ) -> Result<Plan<'a>, Error> {
        let mut ids: Vec<Uuid> = open
            .iter()
            .map(|at| batch[*at].execution_id.uuid())
            .collect();
        ids.dedup();
        let mut named = Named::default();
        for at in open {
            if let What::Signal(signal) = &batch[*at].what {
                named.add(&signal.waitpoint);
            }
        }
        let mut reads = inbox::read(&mut *on, partition, &ids, &named).await?;
        let known = known(on, partition, batch, open, &reads.found).await?;
        let mut plan = Plan::default();
        for &at in open {
            let call = &batch[at];
            if let Some(error) = reads.unreadable.get(&call.execution_id) {
                let verdict = DeliverVerdict::Unreadable(error.clone());
                plan.verdicts.push((at, verdict, None));
                continue;
            }
            let read = reads.found.get_mut(&call.execution_id);
            match &call.what {
                What::Signal(signal) => {
                    plan.signal(at, call.execution_id, signal, read, known.get(&at));
                }
                What::Resume(resume) => plan.resume(at, call.execution_id, resume, read),
            }
        }
        plan.end(&reads.found);
        let needs = |boxed: &Boxed<'_>| boxed.needs(&reads.found[&boxed.execution_id]);
        let seats = self.standbys.seats(plan.boxes.iter().map(needs));
        for (boxed, seat) in plan.boxes.iter_mut().zip(seats) {
            boxed.seat = seat;
        }
        Ok(plan)
    }

    /// Answers calls that an earlier try of this very batch wrote.
    async fn find_kept(
        &self,
        partition: Partition,
        batch: &[Box<DeliverCall>],
        verdicts: &mut [Option<DeliverVerdict>],
    ) -> Result<(), Error> {
        let mut places = HashMap::new();
        let (mut executions, mut ids) = (Vec::new(), Vec::new());
        let (mut resumed, mut suspensions) = (Vec::new(), Vec::new());
        for (at, call) in batch.iter().enumerate() {
            match &call.what {
                What::Signal(signal) => {
                    places.insert(signal.id.0, at);
                    executions.push(call.execution_id.uuid());
                    ids.push(signal.id.0);
                }
                What::Resume(resume) => {
                    resumed.push(call.execution_id.uuid());
                    suspensions.push(resume.suspension.0);
                }
            }
        }
        let rows = sqlx::query!(
            "SELECT g.execution_id, g.id, g.waitpoint_id, g.effect
             FROM unnest($2::uuid[], $3::uuid[]) AS w(execution_id, id)
             CROSS JOIN LATERAL (
                 SELECT g.* FROM signal g
                 WHERE g.partition = $1 AND g.execution_id = w.execution_id AND g.id = w.id
                 OFFSET 0
             ) AS g",
            partition.column(),
            &executions,
            &ids,
        )
        .fetch_all(&self.verbs)
        .await?;
        for row in rows {
            let delivered = Delivered {
                signal_id: SignalId(row.id),
                execution_id: ExecutionId::from_uuid(row.execution_id),
                waitpoint_id: WaitpointId(row.waitpoint_id),
                effect: label("signal", "effect", row.id, &row.effect)?,
                duplicate: false,
            };
            if let Some(at) = places.get(&row.id) {
                verdicts[*at] = Some(DeliverVerdict::Signal(Ok(delivered)));
            }
        }
        let over = sqlx::query!(
            r#"SELECT s.id, s.close_reason AS "close_reason!"
               FROM unnest($2::uuid[], $3::uuid[]) AS w(execution_id, id)
               CROSS JOIN LATERAL (
                   SELECT s.* FROM suspension s
                   WHERE s.partition = $1 AND s.execution_id = w.execution_id AND s.id = w.id
                   OFFSET 0
               ) AS s
               WHERE s.closed_at IS NOT NULL"#,
            partition.column(),
            &resumed,
            &suspensions,
        )
        .fetch_all(&self.verbs)
        .await?;
        for (call, verdict) in batch.iter().zip(verdicts) {
            if let What::Resume(resume) = &call.what
                && over.iter().any(|row| {
                    row.id == resume.suspension.0 && row.close_reason == resume.reason.as_str()
                })
            {
                *verdict = Some(DeliverVerdict::Resume(true));
            }
        }
        Ok(())
    }
}

/// Finds signals that were delivered before.
async fn known(
    on: &mut PgConnection,
    partition: Partition,
    batch: &[Box<DeliverCall>],
    open: &[usize],
    reads: &HashMap<ExecutionId, Read>,
) -> Result<HashMap<usize, (SignalId, SignalEffect)>, Error> {
    let (mut places, mut waitpoints, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    for &at in open {
        if let What::Signal(signal) = &batch[at].what
            && let Some(key) = signal.deliver.idempotency_key.as_deref()
            && let Some(read) = reads.get(&batch[at].execution_id)
            && let Ok(waitpoint) = read.find(&signal.waitpoint)
        {
            places.push(at);
            waitpoints.push(waitpoint.0);
            keys.push(key);
        }
    }
    if places.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query_file!(
        "src/suspension/known.sql",
        partition.column(),
        &waitpoints,
        &keys as &[&str],
    )
    .fetch_all(on)
    .await?;
    rows.into_iter()
        .map(|row| {
            let at = usize::try_from(row.number - 1).unwrap_or(0);
            let effect = label("signal", "effect", row.id, &row.effect)?;
            Ok((places[at], (SignalId(row.id), effect)))
        })
        .collect()
}
