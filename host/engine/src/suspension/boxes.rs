//! Writes boxes: the arrays of `deliver.sql`.

use std::collections::HashMap;

use model::{Limits, Partition, SignalId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::plan::{Boxed, Kept};
use super::signal::Right;
use super::written::Written;
use crate::Error;
use crate::checks::Payload;
use crate::lease::Claimed;
use crate::row::bigint;
use crate::standby::Seat;

/// Writes boxes; returns the numbers of those that were as they were read, each with
/// the lease under which it goes on at once, if it does.
pub(super) async fn write_boxes(
    on: &mut PgConnection,
    partition: Partition,
    boxes: &[Boxed<'_>],
) -> Result<HashMap<i32, Option<Claimed>>, Error> {
    if boxes.is_empty() {
        return Ok(HashMap::new());
    }
    let c = Columns::of(boxes);
    let rows = sqlx::query_file_as!(
        Written,
        "src/suspension/deliver.sql",
        partition.column(),
        &c.numbers,
        &c.execution_ids,
        &c.suspension_ids as &[Option<Uuid>],
        &c.waitpoint_ids as &[Option<Uuid>],
        &c.expected,
        &c.only_due,
        &c.epochs,
        &c.namespaces as &[&str],
        &c.ends,
        &c.close_reasons as &[Option<&str>],
        &c.satisfiers as &[Option<String>],
        &c.spent as &[Option<String>],
        &c.delays as &[Option<i64>],
        &c.waitpoint_reasons as &[Option<&str>],
        &c.operated,
        &c.verbs as &[&str],
        &c.actors as &[&str],
        &c.whys as &[Option<&str>],
        &c.details as &[Option<&str>],
        &c.boxes,
        &c.ids,
        &c.at_waitpoints,
        &c.names as &[&str],
        &c.categories as &[Option<&str>],
        &c.source_types as &[&str],
        &c.source_identities as &[&str],
        &c.correlations as &[Option<&str>],
        &c.payloads as &[Option<&[u8]>],
        &c.payload_types as &[Option<&str>],
        &c.effects as &[&str],
        &c.keys as &[Option<&str>],
        &c.key_ttls as &[Option<i64>],
        &c.kids as &[Option<&str>],
        &c.token_expiries as &[Option<OffsetDateTime>],
        &c.takers as &[Option<&str>],
        &c.lives as &[Option<i32>],
        i64::from(Limits::SIGNALS_MAX),
        i64::from(Limits::SIGNALS_BYTES_MAX),
    )
    .fetch_all(on)
    .await?;
    rows.into_iter()
        .map(|row| {
            let number = row.number;
            let boxed = boxes.iter().find(|boxed| boxed.number == number);
            Ok((number, boxed.and_then(|it| row.lease(it))))
        })
        .collect()
}

/// The arrays of the statement.
#[derive(Default)]
struct Columns<'a> {
    numbers: Vec<i32>,
    execution_ids: Vec<Uuid>,
    suspension_ids: Vec<Option<Uuid>>,
    waitpoint_ids: Vec<Option<Uuid>>,
    expected: Vec<i32>,
    only_due: Vec<bool>,
    epochs: Vec<i64>,
    namespaces: Vec<&'a str>,
    ends: Vec<bool>,
    close_reasons: Vec<Option<&'a str>>,
    satisfiers: Vec<Option<String>>,
    spent: Vec<Option<String>>,
    delays: Vec<Option<i64>>,
    waitpoint_reasons: Vec<Option<&'a str>>,
    operated: Vec<i32>,
    verbs: Vec<&'a str>,
    actors: Vec<&'a str>,
    whys: Vec<Option<&'a str>>,
    details: Vec<Option<&'a str>>,
    boxes: Vec<i32>,
    ids: Vec<Uuid>,
    at_waitpoints: Vec<Uuid>,
    names: Vec<&'a str>,
    categories: Vec<Option<&'a str>>,
    source_types: Vec<&'a str>,
    source_identities: Vec<&'a str>,
    correlations: Vec<Option<&'a str>>,
    payloads: Vec<Option<&'a [u8]>>,
    payload_types: Vec<Option<&'a str>>,
    effects: Vec<&'a str>,
    keys: Vec<Option<&'a str>>,
    key_ttls: Vec<Option<i64>>,
    kids: Vec<Option<&'a str>>,
    token_expiries: Vec<Option<OffsetDateTime>>,
    takers: Vec<Option<&'a str>>,
    lives: Vec<Option<i32>>,
}

impl<'a> Columns<'a> {
    fn of(boxes: &'a [Boxed<'a>]) -> Self {
        let mut columns = Self::default();
        for boxed in boxes {
            columns.push_box(boxed);
            for kept in &boxed.signals {
                columns.push_signal(boxed.number, kept);
            }
        }
        columns
    }

    fn push_box(&mut self, boxed: &'a Boxed<'a>) {
        self.numbers.push(boxed.number);
        self.execution_ids.push(boxed.execution_id.uuid());
        self.suspension_ids.push(boxed.suspension_id.map(|id| id.0));
        self.waitpoint_ids.push(boxed.waitpoint_id.map(|id| id.0));
        self.expected.push(boxed.expected);
        self.only_due.push(boxed.only_due);
        self.epochs.push(bigint(boxed.epoch));
        self.namespaces.push(&boxed.namespace);
        let ends = boxed.ends.as_ref();
        self.ends.push(ends.is_some());
        self.close_reasons.push(ends.map(|it| it.reason.as_str()));
        self.satisfiers
            .push(ends.and_then(|it| joined(&it.satisfiers)));
        self.spent.push(ends.and_then(|it| joined(&it.spent)));
        self.delays
            .push(ends.and_then(|it| it.delay_ms).map(bigint));
        self.waitpoint_reasons.push(
            ends.filter(|it| it.closes_waitpoints)
                .map(|it| it.reason.of_waitpoint().as_str()),
        );
        let seat = boxed.seat.as_ref();
        self.takers.push(seat.map(Seat::worker_instance_id));
        self.lives.push(seat.map(Seat::lease_ttl_ms));
        for (operation, detail) in &boxed.operations {
            self.operated.push(boxed.number);
            self.verbs.push(operation.verb);
            self.actors.push(&operation.by.actor);
            self.whys.push(operation.by.reason.as_deref());
            self.details.push(detail.as_deref());
        }
    }

    fn push_signal(&mut self, number: i32, kept: &'a Kept<'a>) {
        let deliver = &kept.signal.deliver;
        self.boxes.push(number);
        self.ids.push(kept.signal.id.0);
        self.at_waitpoints.push(kept.waitpoint_id.0);
        self.names.push(&deliver.name);
        self.categories.push(deliver.category.as_deref());
        self.source_types.push(&deliver.source_type);
        self.source_identities.push(&deliver.source_identity);
        self.correlations.push(deliver.correlation_id.as_deref());
        let payload: Option<&Payload> = deliver.payload.as_ref();
        self.payloads.push(payload.map(|it| it.data.as_slice()));
        self.payload_types
            .push(payload.map(|it| it.content_type.as_str()));
        self.effects.push(kept.effect.as_str());
        let key = deliver.idempotency_key.as_deref();
        self.keys.push(key);
        let ttl = deliver
            .dedup_ttl_ms
            .unwrap_or(Limits::SIGNAL_DEDUP_MS_DEFAULT);
        self.key_ttls.push(key.map(|_| bigint(ttl)));
        let (kid, expires_at) = match &kept.signal.right {
            Right::Token {
                kid, expires_at, ..
            } => (Some(kid.as_str()), *expires_at),
            Right::Operator { .. } => (None, None),
        };
        self.kids.push(kid);
        self.token_expiries.push(expires_at);
    }
}

/// Joins ids for the statement; nothing for none.
fn joined(ids: &[SignalId]) -> Option<String> {
    let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
    (!texts.is_empty()).then(|| texts.join(","))
}
