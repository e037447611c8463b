//! The statement that writes units: `deliver.sql` for those of one partition.

use std::collections::{BTreeMap, HashMap};

use model::{Limits, Partition, SignalId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::dispatched::WrittenRow;
use super::plan::{AcceptedSignal, UnitEnd, UnitKey, WriteUnit};
use super::request::Authority;
use crate::Error;
use crate::columns::columns;
use crate::dispatch::ReservedSlot;
use crate::lease::Claimed;
use crate::row::bigint;

/// Writes units; returns the keys of those whose guard held, each with the lease under
/// which its execution was dispatched directly, if it was.
pub(super) async fn write_units(
    on: &mut PgConnection,
    partition: Partition,
    units: &BTreeMap<UnitKey, WriteUnit<'_>>,
) -> Result<HashMap<UnitKey, Option<Claimed>>, Error> {
    if units.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = columns!(
        query_file_as!(
            WrittenRow,
            "src/signal/deliver/deliver.sql",
            partition.column(),
            i64::from(Limits::SIGNALS_MAX),
            i64::from(Limits::SIGNALS_BYTES_MAX)
        );
        for ((execution_id, waitpoint_id), unit) in units => {
            execution_ids = execution_id.uuid();
            suspension_ids as Option<Uuid> = unit.suspension_id.map(|it| it.0);
            waitpoint_ids as Option<Uuid> = waitpoint_id.map(|it| it.0);
            expected = unit.expected;
            epochs = bigint(unit.epoch);
            namespaces as &str = &unit.namespace;
            close_reasons as Option<&str> = unit.end.as_ref().map(|it| it.end.reason.as_str());
            satisfiers as Option<String> = unit.end.as_ref().and_then(|it| joined(&it.end.satisfiers));
            consumed as Option<String> = unit.end.as_ref().and_then(|it| joined(&it.end.consumed));
            delays_ms as Option<i64> = unit.end.as_ref().and_then(|it| it.delay_ms).map(bigint);
            waitpoint_reasons as Option<&str> = unit.end.as_ref().and_then(UnitEnd::waitpoint_reason);
            workers as Option<&str> = unit.slot.as_ref().map(ReservedSlot::worker_instance_id);
            lease_ttls_ms as Option<i32> = unit.slot.as_ref().map(ReservedSlot::lease_ttl_ms);
        }
        for (unit, (operation, detail)) in numbered(units, |unit| &unit.operations) => {
            operation_units = unit;
            verbs as &str = operation.verb;
            actors as &str = &operation.by.actor;
            reasons as Option<&str> = operation.by.reason.as_deref();
            details as Option<&str> = detail.as_deref();
        }
        for (unit, accepted) in numbered(units, |unit| &unit.signals) => {
            signal_units = unit;
            ids = accepted.signal.id.0;
            signal_waitpoints = accepted.waitpoint_id.0;
            names as &str = &accepted.signal.request.name;
            categories as Option<&str> = accepted.signal.request.category.as_deref();
            source_types as &str = &accepted.signal.request.source_type;
            source_identities as &str = &accepted.signal.request.source_identity;
            correlation_ids as Option<&str> = accepted.signal.request.correlation_id.as_deref();
            payloads as Option<&[u8]> =
                accepted.signal.request.payload.as_ref().map(|it| it.data.as_slice());
            payload_types as Option<&str> =
                accepted.signal.request.payload.as_ref().map(|it| it.content_type.as_str());
            effects as &str = accepted.effect.as_str();
            keys as Option<&str> = accepted.signal.request.idempotency_key.as_deref();
            key_ttls_ms as Option<i64> = accepted.key_ttl_ms();
            kids as Option<&str> = accepted.token().map(|(kid, _)| kid);
            token_expiries as Option<OffsetDateTime> = accepted.token().and_then(|(_, at)| at);
        }
    )
    .fetch_all(on)
    .await?;
    let keys: Vec<(&UnitKey, &WriteUnit<'_>)> = units.iter().collect();
    let place = |row: &WrittenRow| usize::try_from(row.number - 1).unwrap_or(usize::MAX);
    let written = rows.into_iter().filter_map(|row| {
        let (key, unit) = keys.get(place(&row))?;
        Some((**key, row.claimed(unit)))
    });
    Ok(written.collect())
}

/// Returns what belongs to units, each with the number of its unit as the statement counts
/// them: from 1.
fn numbered<'u, 'a: 'u, T: 'u>(
    units: &'u BTreeMap<UnitKey, WriteUnit<'a>>,
    of: impl Fn(&'u WriteUnit<'a>) -> &'u Vec<T>,
) -> impl Iterator<Item = (i32, &'u T)> {
    let numbered = (1..).zip(units.values());
    numbered.flat_map(move |(number, unit)| of(unit).iter().map(move |it| (number, it)))
}

impl UnitEnd {
    /// Why its waitpoints close; `None` if they are pending again.
    fn waitpoint_reason(&self) -> Option<&'static str> {
        let reason = self.end.reason.of_waitpoint().as_str();
        self.closes_waitpoints.then_some(reason)
    }
}

impl AcceptedSignal<'_> {
    /// How long its idempotency key is remembered, if it has one.
    fn key_ttl_ms(&self) -> Option<i64> {
        let request = &self.signal.request;
        let ttl_ms = request
            .dedup_ttl_ms
            .unwrap_or(Limits::SIGNAL_DEDUP_MS_DEFAULT);
        request.idempotency_key.as_ref().map(|_| bigint(ttl_ms))
    }

    /// Returns the key id and the expiry of the token it came with.
    fn token(&self) -> Option<(&str, Option<OffsetDateTime>)> {
        match &self.signal.authority {
            Authority::Token {
                kid, expires_at, ..
            } => Some((kid, *expires_at)),
            Authority::Operator { .. } => None,
        }
    }
}

/// Joins ids for the statement; `None` if there are none.
fn joined(ids: &[SignalId]) -> Option<String> {
    let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
    (!texts.is_empty()).then(|| texts.join(","))
}
