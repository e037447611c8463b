//! Delivers a batch: reads, decides and writes until every call has its verdict.

use std::time::{Duration, Instant};

use model::{ExecutionId, Partition, WaitpointRef};
use sqlx::PgConnection;
use uuid::Uuid;

use super::existing::existing_signals;
use super::plan::{DeliveryPlan, WriteUnit};
use super::request::{DeliverCall, DeliverRequest, DeliverVerdict};
use super::statement::write_units;
use crate::batch::Flush;
use crate::columns::columns;
use crate::statements::Statements;
use crate::waitpoint::read_snapshots;
use crate::{Error, random};

/// Tries of one batch while others change what it was decided on.
const TRIES: u32 = 100;
/// From this try on, the tries of several hosts are spread in time.
const SPREAD_FROM: u32 = 5;
/// Longest pause before such a try.
const SPREAD_MAX: Duration = Duration::from_millis(3);

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
                self.answer_written(partition, batch, &mut verdicts).await?;
            }
            let open: Vec<usize> = (0..batch.len())
                .filter(|at| verdicts[*at].is_none())
                .collect();
            if open.is_empty() {
                break;
            }
            if attempt >= SPREAD_FROM {
                tokio::time::sleep(SPREAD_MAX.mul_f64(random::unit())).await;
            }
            // All on one connection: the server has in its caches what it has just read.
            let mut on = self.verbs.acquire().await?;
            let plan = self.plan(&mut on, partition, batch, &open).await?;
            let sent = Instant::now();
            let mut written = write_units(&mut on, partition, &plan.units).await?;
            on.done();
            for planned in plan.verdicts {
                if planned.unit.is_none_or(|unit| written.contains_key(&unit)) {
                    verdicts[planned.at] = Some(planned.verdict);
                }
            }
            for (key, unit) in plan.units {
                let resumes = unit.resumes_immediately();
                match (written.remove(&key), unit.slot) {
                    (Some(Some(claimed)), Some(slot)) => slot.dispatch(claimed, sent),
                    (Some(_), _) if resumes => self.wake.ready(),
                    _ => {}
                }
            }
        }
        self.log_repeats(partition, batch, &verdicts).await?;
        Ok(verdicts
            .into_iter()
            .map(|verdict| verdict.unwrap_or(DeliverVerdict::Conflict))
            .collect())
    }
}

impl Statements {
    /// Writes to the event log which of the signals repeat an earlier one.
    async fn log_repeats(
        &self,
        partition: Partition,
        batch: &[Box<DeliverCall>],
        verdicts: &[Option<DeliverVerdict>],
    ) -> Result<(), Error> {
        let repeats = batch.iter().zip(verdicts).filter_map(|(call, verdict)| {
            let (DeliverRequest::Signal(signal), Some(DeliverVerdict::Signal(Ok(delivered)))) =
                (&call.request, verdict)
            else {
                return None;
            };
            let source = signal.request.source_identity.as_str();
            delivered.duplicate.then_some((delivered, source))
        });
        let repeats: Vec<_> = repeats.collect();
        if repeats.is_empty() {
            return Ok(());
        }
        columns!(
            query_file!("src/signal/deliver/repeated.sql", partition.column());
            for (delivered, source) in repeats => {
                execution_ids = delivered.execution_id.uuid();
                ids = delivered.signal_id.0;
                waitpoint_ids = delivered.waitpoint_id.0;
                sources as &str = source;
            }
        )
        .fetch_one(&self.verbs)
        .await?;
        Ok(())
    }

    /// Decides calls from what is read now, and reserves slots of idle workers for the
    /// executions that resume.
    async fn plan<'a>(
        &self,
        on: &mut PgConnection,
        partition: Partition,
        batch: &'a [Box<DeliverCall>],
        open: &[usize],
    ) -> Result<DeliveryPlan<'a>, Error> {
        let mut ids: Vec<Uuid> = open
            .iter()
            .map(|at| batch[*at].execution_id.uuid())
            .collect();
        ids.dedup();
        let named = open.iter().filter_map(|at| named_waitpoint(&batch[*at]));
        let mut snapshots = read_snapshots(&mut *on, partition, &ids, &named.collect()).await?;
        let existing = existing_signals(on, partition, batch, open, &snapshots).await?;
        let mut plan = DeliveryPlan::of(batch, open, &mut snapshots, &existing);
        let needs = plan
            .units
            .iter()
            .map(|((id, _), unit): (_, &WriteUnit<'_>)| {
                let snapshot = &snapshots.found[id];
                snapshot.needs().filter(|_| unit.resumes_immediately())
            });
        let slots = self.idle_workers.reserve(needs);
        for (unit, slot) in plan.units.values_mut().zip(slots) {
            unit.slot = slot;
        }
        Ok(plan)
    }
}

fn named_waitpoint(call: &DeliverCall) -> Option<(ExecutionId, &WaitpointRef)> {
    match &call.request {
        DeliverRequest::Signal(signal) => Some((call.execution_id, &signal.waitpoint)),
        DeliverRequest::Resume(_) => None,
    }
}
