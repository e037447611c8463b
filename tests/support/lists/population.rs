//! Executions in all states, written into the tables as the engine leaves them, and what a
//! list of them must show, computed from what was written.

use engine::{Engine, ListFilter, ListOrder, ListPage, ListPlace, TimeRange};
use model::{ExecutionId, Moment, Partition, PublicState};
use sqlx::{AssertSqlSafe, Executor as _};
use testkit::{Answered, Database, Random};
use time::{Duration, OffsetDateTime};

/// States of executions as a list is asked for them; a blocked one is waiting.
pub(crate) const STATES: [PublicState; 11] = [
    PublicState::Waiting,
    PublicState::Delayed,
    PublicState::RateLimited,
    PublicState::WaitingChildren,
    PublicState::Suspended,
    PublicState::Active,
    PublicState::Completed,
    PublicState::Failed,
    PublicState::Cancelled,
    PublicState::Expired,
    PublicState::Skipped,
];

/// The time at which the first execution was created.
pub(crate) const BEGIN: OffsetDateTime = time::macros::datetime!(2026-03-01 12:00 UTC);

/// An execution as it was written.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) id: ExecutionId,
    pub(crate) namespace: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) lane: &'static str,
    pub(crate) creator: Option<&'static str>,
    pub(crate) customer: Option<&'static str>,
    pub(crate) state: PublicState,
    /// In `parked` rather than in `ready`, if it is waiting.
    pub(crate) blocked: bool,
    pub(crate) created_at: OffsetDateTime,
    pub(crate) finished_at: Option<OffsetDateTime>,
}

impl Written {
    /// Returns an execution that is ready, the `n`th minute after [`BEGIN`].
    pub(crate) fn ready(n: u32, partition: u16) -> Self {
        Self::at(BEGIN + Duration::minutes(n.into()), n, partition)
    }

    /// Returns an execution that is ready and was created at a time.
    pub(crate) fn at(created_at: OffsetDateTime, n: u32, partition: u16) -> Self {
        let unix_ms = created_at.unix_timestamp_nanos() / 1_000_000;
        let partition = Partition::new(partition).expect("a partition");
        Self {
            id: ExecutionId::from_parts(partition, unix_ms as u64, n.into()),
            namespace: "default",
            kind: "echo",
            lane: "default",
            creator: None,
            customer: None,
            state: PublicState::Waiting,
            blocked: false,
            created_at,
            finished_at: None,
        }
    }

    /// Returns any execution.
    pub(crate) fn any(n: u32, partitions: usize, random: &mut Random) -> Self {
        let mut one = Self::ready(n, random.below(partitions) as u16);
        one.namespace = *random.pick(&["default", "default", "acme"]);
        one.kind = *random.pick(&["echo", "echo", "other"]);
        one.lane = *random.pick(&["default", "night"]);
        one.creator = *random.pick(&[None, Some("alice"), Some("bob")]);
        one.customer = *random.pick(&[None, None, Some("1"), Some("2")]);
        one.state = *random.pick(&STATES);
        one.blocked = random.below(2) == 0;
        // Several end at the same time.
        let lasted = Duration::minutes(1 + random.below(90) as i64);
        one.finished_at = one.state.is_terminal().then_some(one.created_at + lasted);
        one
    }

    /// Whether a filter admits it.
    fn is_admitted(&self, filter: &ListFilter) -> bool {
        let within = |range: TimeRange, at: Option<OffsetDateTime>| {
            let from = range
                .from
                .is_none_or(|from| at.is_some_and(|at| at >= from.utc()));
            let before = range
                .before
                .is_none_or(|end| at.is_some_and(|at| at < end.utc()));
            from && before
        };
        let customer = self
            .customer
            .map(|of| ("app.customer".to_owned(), of.to_owned()));
        let same =
            |wanted: &Option<String>, is: Option<&str>| wanted.is_none() || wanted.as_deref() == is;
        same(&filter.namespace, Some(self.namespace))
            && same(&filter.kind, Some(self.kind))
            && same(&filter.lane, Some(self.lane))
            && same(&filter.creator, self.creator)
            && (filter.tag.is_none() || filter.tag == customer)
            && (filter.states.is_empty() || filter.states.contains(&self.state))
            && within(filter.created, Some(self.created_at))
            && within(filter.finished, self.finished_at)
    }

    fn insert(&self) -> String {
        let (id, partition) = (self.id, self.id.partition().number());
        let Self {
            namespace,
            kind,
            lane,
            created_at,
            ..
        } = self;
        let text = |text: Option<&str>| text.map_or("NULL".into(), |text| format!("'{text}'"));
        let creator = text(self.creator);
        let tagged = self.customer.is_some();
        let mut sql = format!(
            "INSERT INTO execution (partition, id, namespace, lane, kind, priority, creator, input,
                                    input_type, max_reclaims, has_tags, created_at)
             VALUES ({partition}, '{id}', '{namespace}', '{lane}', '{kind}', 0, {creator}, '',
                     'text/plain', 9, {tagged}, '{created_at}');"
        );
        if let Some(customer) = self.customer {
            sql += &format!(
                "INSERT INTO tag VALUES ({partition}, '{id}', 'app.customer', '{customer}');"
            );
        }
        let parked = |state: &str, reason: &str, more: &str| {
            let (columns, values) = match more {
                "wake_at" => (", wake_at", ", '2099-01-01'"),
                "suspension_id" => (", suspension_id", ", gen_random_uuid()"),
                _ => ("", ""),
            };
            format!(
                "INSERT INTO parked (partition, execution_id, state, reason, lane, rank, epoch,
                                     attempts, retries, reclaims, replays, next_type,
                                     resumes{columns})
                 VALUES ({partition}, '{id}', '{state}', '{reason}', '{lane}', 9000, 0, 1, 0, 0, 0,
                         'initial', true{values});"
            )
        };
        let outcome = match self.state {
            PublicState::Completed => "success",
            other => other.as_str(),
        };
        sql += &match self.state {
            PublicState::Waiting if self.blocked => parked("blocked", "paused_by_operator", ""),
            PublicState::Waiting => format!(
                "INSERT INTO ready (partition, execution_id, namespace, lane, rank, kind, epoch,
                                    attempts, retries, reclaims, replays, next_type, resumes)
                 VALUES ({partition}, '{id}', '{namespace}', '{lane}', 9000, '{kind}', 0, 0, 0, 0,
                         0, 'initial', false);"
            ),
            PublicState::Delayed => parked("delayed", "waiting_for_delay", "wake_at"),
            PublicState::RateLimited => parked("rate_limited", "waiting_for_quota", ""),
            PublicState::WaitingChildren => parked("waiting_children", "waiting_for_children", ""),
            PublicState::Suspended => parked("suspended", "waiting_for_signal", "suspension_id"),
            PublicState::Active => format!(
                "INSERT INTO lease (partition, execution_id, lease_id, epoch, namespace, lane, rank,
                                    worker_instance_id, attempt, attempt_type, retries, reclaims,
                                    replays, expires_at)
                 VALUES ({partition}, '{id}', gen_random_uuid(), 1, '{namespace}', '{lane}', 9000,
                         'w', 0, 'initial', 0, 0, 0, '2099-01-01');"
            ),
            _ => format!(
                "INSERT INTO finished (partition, execution_id, outcome, finished_at, epoch,
                                       attempts, retries, reclaims, replays)
                 VALUES ({partition}, '{id}', '{outcome}', '{}', 0, 0, 0, 0, 0);",
                self.finished_at.expect("it is finished")
            ),
        };
        sql
    }
}

/// Writes executions into their tables.
pub(crate) async fn write(database: &Database, all: &[Written]) {
    let sql: String = all.iter().map(Written::insert).collect();
    let mut connection = database.connection().await;
    let done = connection.execute(AssertSqlSafe(sql)).await;
    done.expect("written");
}

/// Returns the ids that a list with a filter must have, in order.
pub(crate) fn expected(all: &[Written], filter: &ListFilter) -> Vec<ExecutionId> {
    let mut admitted: Vec<_> = all.iter().filter(|one| one.is_admitted(filter)).collect();
    admitted.sort_by_key(|one| match filter.order() {
        ListOrder::Created => (None, one.id),
        ListOrder::Finished => (one.finished_at, one.id),
    });
    admitted.iter().rev().map(|one| one.id).collect()
}

/// A list that was read to its end.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) ids: Vec<ExecutionId>,
    /// Number of executions that each page was stopped after, of those that were.
    pub(crate) stopped: Vec<usize>,
    /// Whether a page that was not stopped was neither full nor the last.
    pub(crate) odd_pages: usize,
}

/// Reads a list to its end.
pub(crate) async fn read(engine: &Engine, filter: &ListFilter, limit: u32) -> Read {
    let mut read = Read::default();
    let mut page = ListPage { after: None, limit };
    loop {
        let listed = engine.list(filter.clone(), page).await.answered();
        assert_eq!(listed.order, filter.order());
        assert!(listed.len() <= limit as usize);
        read.ids.extend(listed.iter().map(|info| info.id));
        read.stopped.extend(listed.examined);
        let next: Option<ListPlace> = listed.next().copied();
        let is_full = listed.len() == limit as usize;
        if next.is_some() && !is_full && listed.examined.is_none() {
            read.odd_pages += 1;
        }
        let Some(next) = next else {
            assert_eq!(listed.examined, None, "the last page is complete");
            return read;
        };
        page.after = Some(next);
    }
}

/// Returns the time so many minutes after [`BEGIN`].
pub(crate) fn minute(n: i64) -> Moment {
    Moment::new(BEGIN + Duration::minutes(n)).expect("a time")
}
