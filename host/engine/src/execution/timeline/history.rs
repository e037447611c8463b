//! history: what happened to an execution, in the order of time.
//!
//! Its sources are the execution itself, its leases by epoch, its operations by sequence,
//! and its outcome. Each is read from the place in it where the page before ended, one row
//! more than fits on the page, and they are merged by time. So a page costs the same
//! wherever it is, and what has equal times keeps its order.

use model::{AttemptEnd, AttemptType, ExecutionId, Limits, Outcome, State};
use time::OffsetDateTime;

use super::place::{HistoryPlace, Source};
use crate::row::{StoredTime, bigint, count, epoch, label, optional_label};
use crate::{Engine, Error, Page};

/// One thing that happened to an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When it happened, by the database's clock.
    pub at: OffsetDateTime,
    /// What happened: `created`, `acquired` or `reclaimed`, the end of a lease, an
    /// operator's verb, or the outcome.
    pub what: String,
    /// The attempt concerned, from zero; absent if none is.
    pub attempt: Option<u32>,
    /// The epoch concerned; absent if none is.
    pub epoch: Option<u64>,
    /// The worker instance concerned; absent if none is.
    pub worker_instance_id: Option<String>,
    /// More on it, for people.
    pub detail: Option<String>,
}

impl Engine {
    /// Lists what happened to an execution, oldest first, after a place; at most `limit`
    /// entries, which is at most [`Limits::PAGE_MAX`]. `None` if the namespace has no such
    /// execution.
    ///
    /// A lease or an operation that cannot be read is listed beside the others.
    pub async fn history(
        &self,
        id: ExecutionId,
        namespace: Option<&str>,
        after: Option<HistoryPlace>,
        limit: u32,
    ) -> Result<Option<Page<HistoryEntry, HistoryPlace>>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        let place = after.unwrap_or_default();
        let rows = sqlx::query_file_as!(
            HistoryRow,
            "src/execution/timeline/history.sql",
            id.partition().column(),
            id.uuid(),
            namespace,
            bigint(place.first_epoch()),
            bigint(place.operation),
            i64::from(place.outcome) - 1,
            i64::from(limit) + 1,
        )
        .fetch_all(&self.inner.reads)
        .await?;
        if rows.iter().all(|row| row.source != "execution") {
            return Ok(None);
        }
        let mut sources: [Vec<Step>; 4] = Default::default();
        for row in rows {
            match row.source.as_str() {
                "execution" if after.is_some() => {}
                "execution" => sources[0].push(row.created(id)),
                "lease" => sources[1].extend(row.lease(place)),
                "operation" => sources[2].push(row.operation()),
                _ => sources[3].push(row.outcome(id)),
            }
        }
        let mut place = place;
        let steps = merged(sources).map(|step| {
            place = place.after(step.source);
            (place, step.entry)
        });
        Page::read(limit, steps).map(Some)
    }
}

/// An entry, and the place in its source.
struct Step {
    source: Source,
    entry: Result<HistoryEntry, Error>,
}

/// Merges sources by time. Of equal times the first source comes first; what cannot be
/// read has no time, and comes as soon as it is its source's turn.
fn merged<const N: usize>(sources: [Vec<Step>; N]) -> impl Iterator<Item = Step> {
    let mut sources = sources.map(|steps| steps.into_iter().peekable());
    std::iter::from_fn(move || {
        let heads = sources.iter_mut().enumerate();
        let heads = heads.filter_map(|(at, source)| Some((source.peek()?.at(), at)));
        let (_, first) = heads.min()?;
        sources[first].next()
    })
}

impl Step {
    /// Returns the time by which it is merged. The creation has none, so it comes first also
    /// when the clock was set back after it.
    fn at(&self) -> Option<OffsetDateTime> {
        let entry = self.entry.as_ref().ok();
        let entry = entry.filter(|_| self.source != Source::Execution);
        entry.map(|entry| entry.at)
    }
}

/// A row of a source, as `history.sql` answers it.
struct HistoryRow {
    source: String,
    /// Epoch, number of the operation, or number of replays.
    place: i64,
    at: StoredTime,
    /// When the lease ended; absent while it is held, and of all that is no lease.
    until: Option<StoredTime>,
    /// Type of the attempt, verb, or outcome.
    what: String,
    ended: Option<String>,
    epoch: Option<i64>,
    attempt: Option<i32>,
    worker_instance_id: Option<String>,
    /// Creator, code of a failure, or actor.
    subject: Option<String>,
    detail: Option<String>,
    reason: Option<String>,
}

impl HistoryRow {
    /// Returns the entry of this row, but for the words that say what happened.
    fn entry(&self, at: OffsetDateTime, what: &str) -> HistoryEntry {
        HistoryEntry {
            at,
            what: what.to_owned(),
            attempt: self.attempt.map(count),
            epoch: self.epoch.map(epoch),
            worker_instance_id: self.worker_instance_id.clone(),
            detail: None,
        }
    }

    /// Joins the words for people.
    fn words(&self) -> Option<String> {
        let words = [&self.subject, &self.detail, &self.reason];
        let words: Vec<&str> = words.into_iter().flatten().map(String::as_str).collect();
        (!words.is_empty()).then(|| words.join(": "))
    }

    fn created(&self, id: ExecutionId) -> Step {
        let at = self.at.read("execution", "created_at", id);
        Step {
            source: Source::Execution,
            entry: at.map(|at| HistoryEntry {
                detail: self.words(),
                ..self.entry(at, &self.what)
            }),
        }
    }

    /// Returns the beginning and the end of a lease, as far as they were not listed before
    /// and have come; once if they cannot be read.
    fn lease(&self, listed: HistoryPlace) -> Vec<Step> {
        let place = epoch(self.place);
        let step = |source: fn(u64) -> Source, entry| Step {
            source: source(place),
            entry,
        };
        match self.read_lease() {
            Ok((acquired, ended)) => {
                let begun = listed.epoch == place;
                let acquired = (!begun).then(|| step(Source::Acquired, Ok(acquired)));
                let ended = ended.map(|ended| step(Source::Ended, Ok(ended)));
                acquired.into_iter().chain(ended).collect()
            }
            Err(error) => vec![step(Source::Ended, Err(error))],
        }
    }

    fn read_lease(&self) -> Result<(HistoryEntry, Option<HistoryEntry>), Error> {
        let number = self.attempt.map_or(0, count);
        let what = match label("attempt", "attempt_type", number, &self.what)? {
            AttemptType::Reclaim => "reclaimed",
            _ => "acquired",
        };
        let at = self.at.read("attempt", "acquired_at", number)?;
        let acquired = self.entry(at, what);
        let until = self
            .until
            .map(|at| at.read("attempt", "released_at", number));
        let ended = optional_label("attempt", "ended", number, self.ended.as_deref())?;
        let ended = ended.zip(until.transpose()?);
        let ended = ended.map(|(ended, at): (AttemptEnd, _)| HistoryEntry {
            detail: self.words(),
            ..self.entry(at, ended.as_str())
        });
        Ok((acquired, ended))
    }

    fn operation(&self) -> Step {
        let at = self.at.read("operation", "at", self.place);
        Step {
            source: Source::Operation(self.place.unsigned_abs()),
            entry: at.map(|at| HistoryEntry {
                detail: self.words(),
                ..self.entry(at, &self.what)
            }),
        }
    }

    fn outcome(&self, id: ExecutionId) -> Step {
        let read = || {
            let outcome: Outcome = label("finished", "outcome", id, &self.what)?;
            let state = State::Terminal { outcome }.public();
            let at = self.at.read("finished", "finished_at", id)?;
            Ok(HistoryEntry {
                detail: self.words(),
                ..self.entry(at, state.as_str())
            })
        };
        Step {
            source: Source::Outcome(u32::try_from(self.place + 1).unwrap_or(u32::MAX)),
            entry: read(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at: i64, what: &str) -> Result<HistoryEntry, Error> {
        Ok(HistoryEntry {
            at: OffsetDateTime::from_unix_timestamp(at).expect("a time"),
            what: what.to_owned(),
            attempt: None,
            epoch: None,
            worker_instance_id: None,
            detail: None,
        })
    }

    #[test]
    fn sources_are_merged_by_time_and_equal_times_keep_their_order() {
        let steps = |rows: Vec<(Source, Result<HistoryEntry, Error>)>| -> Vec<Step> {
            let step = |(source, entry)| Step { source, entry };
            rows.into_iter().map(step).collect()
        };
        let leases = steps(vec![
            (Source::Acquired(1), entry(5, "acquired")),
            (Source::Ended(1), entry(7, "expired")),
            // The clock was set back.
            (Source::Acquired(2), entry(6, "reclaimed")),
        ]);
        let operations = steps(vec![
            (Source::Operation(3), entry(5, "hold")),
            (
                Source::Operation(4),
                Err(Error::corrupt("operation", "at", 4, "is endless")),
            ),
            (Source::Operation(8), entry(7, "tag")),
        ]);
        let created = steps(vec![(Source::Execution, entry(6, "created"))]);
        let mut place = HistoryPlace::default();
        let mut seen = Vec::new();
        for step in merged([created, leases, operations]) {
            place = place.after(step.source);
            seen.push(step.entry.map_or_else(|_| "?".into(), |it| it.what));
        }
        assert_eq!(
            seen,
            [
                "created",
                "acquired",
                "hold",
                "?",
                "expired",
                "reclaimed",
                "tag"
            ]
        );
        let last = HistoryPlace {
            epoch: 2,
            ended: false,
            operation: 8,
            outcome: 0,
        };
        assert_eq!(place, last);
    }
}
