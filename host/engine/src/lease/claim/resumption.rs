//! What a handler resumes with: the state it saved, and the signals that satisfied its
//! last suspension.
//!
//! A suspension is a checkpoint: each later lease until the next replay gets the same, also
//! one that follows a crash, until the next suspension replaces it.

use std::collections::HashMap;

use model::{
    ExecutionId, Fence, LeaseRefusal, Limits, Partition, SignalId, SuspensionCloseReason,
    SuspensionId, WaitpointId,
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::claimed::Claimed;
use crate::checks::Payload;
use crate::database::Pool;
use crate::row::{count, label, readable};
use crate::{Declined, Engine, Error};

/// What a handler resumes with: the state it saved, and the signals that satisfied its
/// last suspension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumption {
    /// The suspension that is over.
    pub suspension_id: SuspensionId,
    /// Why the suspension ended.
    pub reason: SuspensionCloseReason,
    /// When it ended, by the database's clock.
    pub closed_at: OffsetDateTime,
    /// What the handler saved when it suspended; absent if nothing.
    pub state: Option<Payload>,
    /// The signals that satisfied it, in the order they were accepted: the first ones, as
    /// many as [`Limits::SIGNALS_MAX`] and [`Limits::SIGNALS_BYTES_MAX`] allow. Empty if
    /// it ended for another reason.
    pub signals: Vec<ReceivedSignal>,
    /// How many signals satisfied it.
    pub signal_count: u32,
}

/// A signal as its receiver sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedSignal {
    /// Id of the signal.
    pub id: SignalId,
    /// The waitpoint it was delivered to.
    pub waitpoint_id: WaitpointId,
    /// Key of that waitpoint within the execution.
    pub waitpoint_key: String,
    /// Its name, which a condition may ask for.
    pub name: String,
    /// What it is about, for people; absent if its sender did not say.
    pub category: Option<String>,
    /// Type of its sender, such as `webhook`.
    pub source_type: String,
    /// Identity of its sender within that type.
    pub source_identity: String,
    /// What its sender links it to; absent if to nothing.
    pub correlation_id: Option<String>,
    /// Bytes for the handler; absent if it came without.
    pub payload: Option<Payload>,
    /// When it was accepted, by the database's clock.
    pub accepted_at: OffsetDateTime,
}

impl Engine {
    /// Reads the signals that satisfied the last suspension of an execution, from
    /// number `first` on, in the order they were accepted; as many as one answer
    /// holds. Empty after the last one.
    ///
    /// # Refusals
    /// See [`LeaseRefusal`].
    pub async fn observe_signals(
        &self,
        fence: Fence,
        first: u32,
    ) -> Result<Vec<ReceivedSignal>, Declined<LeaseRefusal>> {
        let id = fence.execution_id;
        let look = self.observe(fence).await?;
        let look = look.ok_or(LeaseRefusal::ExecutionNotFound)?;
        if !look.observed.holds(&fence, false) {
            return Err(look.observed.refusal(&fence).into());
        }
        let wanted = [(id, None)];
        let mut read = read_from(&self.inner.verbs, id.partition(), &wanted, first).await?;
        let resumption = read.remove(&id).transpose()?;
        Ok(resumption.map(|it| it.signals).unwrap_or_default())
    }

    /// Reads what a handler resumes with after this suspension, if it is over.
    pub(crate) async fn resumption_of(
        &self,
        id: ExecutionId,
        suspension_id: SuspensionId,
    ) -> Result<Option<Resumption>, Error> {
        let wanted = [(id, Some(suspension_id))];
        let mut resumptions = read(&self.inner.verbs, id.partition(), &wanted).await?;
        resumptions.remove(&id).transpose()
    }
}

/// An execution, and which of its suspensions; absent: the last since its last replay.
type Wanted = (ExecutionId, Option<SuspensionId>);

/// What each handler resumes with, or why that cannot be read.
type Resumptions = HashMap<ExecutionId, Result<Resumption, Error>>;

/// Fills in what the handlers of claimed executions resume with. One of which that cannot
/// be read is taken out, and its lease is left to expire.
pub(crate) async fn attach(
    pool: &Pool,
    partition: Partition,
    claimed: &mut Vec<Claimed>,
) -> Result<(), Error> {
    // A first lease has nothing to resume with.
    let wanted: Vec<Wanted> = claimed
        .iter()
        .filter(|claimed| claimed.resumes || claimed.fence.attempt > 0)
        .map(|claimed| (claimed.fence.execution_id, None))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut resumptions = read(pool, partition, &wanted).await?;
    claimed.retain_mut(|claimed| {
        let found = resumptions.remove(&claimed.fence.execution_id);
        let Some(resumption) = readable(found.transpose()) else {
            return false;
        };
        claimed.resumption = resumption.map(Box::new);
        true
    });
    Ok(())
}

/// Reads what handlers resume with.
async fn read(pool: &Pool, partition: Partition, wanted: &[Wanted]) -> Result<Resumptions, Error> {
    read_from(pool, partition, wanted, 0).await
}

/// The same from signal number `first` on; the state comes with the first one only.
async fn read_from(
    pool: &Pool,
    partition: Partition,
    wanted: &[Wanted],
    first: u32,
) -> Result<Resumptions, Error> {
    let ids: Vec<Uuid> = wanted.iter().map(|(id, _)| id.uuid()).collect();
    let of: Vec<Option<Uuid>> = wanted.iter().map(|(_, of)| of.map(|id| id.0)).collect();
    let rows = sqlx::query_file!(
        "src/lease/claim/resumption.sql",
        partition.column(),
        &ids,
        &of as &[Option<Uuid>],
        i32::try_from(first).unwrap_or(i32::MAX - Limits::SIGNALS_MAX as i32),
        Limits::SIGNALS_MAX as i32,
        i64::from(Limits::SIGNALS_BYTES_MAX),
    )
    .fetch_all(pool)
    .await?;
    let read = rows.into_iter().map(|row| {
        let received = received!(row);
        let reason = label("suspension", "close_reason", row.id, &row.close_reason);
        let resumption = reason.map(|reason| Resumption {
            suspension_id: SuspensionId(row.id),
            reason,
            closed_at: row.closed_at,
            state: payload(row.state, row.state_type),
            signals: received.collect(),
            signal_count: count(row.signal_count),
        });
        (ExecutionId::from_uuid(row.execution_id), resumption)
    });
    Ok(read.collect())
}

/// Builds a payload, if there is one.
pub(crate) fn payload(data: Option<Vec<u8>>, content_type: Option<String>) -> Option<Payload> {
    let (data, content_type) = data.zip(content_type)?;
    Some(Payload::new(content_type, data))
}

/// Signals as a statement answers them: an array for each of their columns.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) ids: Vec<Uuid>,
    pub(crate) waitpoint_ids: Vec<Uuid>,
    pub(crate) waitpoint_keys: Vec<String>,
    pub(crate) names: Vec<String>,
    pub(crate) categories: Vec<Option<String>>,
    pub(crate) source_types: Vec<String>,
    pub(crate) source_identities: Vec<String>,
    pub(crate) correlation_ids: Vec<Option<String>>,
    pub(crate) payloads: Vec<Option<Vec<u8>>>,
    pub(crate) payload_types: Vec<Option<String>>,
    pub(crate) accepted: Vec<OffsetDateTime>,
}

impl Received {
    pub(crate) fn collect(self) -> Vec<ReceivedSignal> {
        let mut waitpoints = self.waitpoint_ids.into_iter();
        let mut keys = self.waitpoint_keys.into_iter();
        let mut names = self.names.into_iter();
        let mut categories = self.categories.into_iter();
        let mut source_types = self.source_types.into_iter();
        let mut source_identities = self.source_identities.into_iter();
        let mut correlations = self.correlation_ids.into_iter();
        let mut payloads = self.payloads.into_iter();
        let mut payload_types = self.payload_types.into_iter();
        let mut accepted = self.accepted.into_iter();
        let signal = |id| {
            Some(ReceivedSignal {
                id: SignalId(id),
                waitpoint_id: WaitpointId(waitpoints.next()?),
                waitpoint_key: keys.next()?,
                name: names.next()?,
                category: categories.next()?,
                source_type: source_types.next()?,
                source_identity: source_identities.next()?,
                correlation_id: correlations.next()?,
                payload: payload(payloads.next()?, payload_types.next()?),
                accepted_at: accepted.next()?,
            })
        };
        self.ids.into_iter().map_while(signal).collect()
    }
}

/// Takes the signals out of a row that has their columns.
macro_rules! received {
    ($row:ident) => {
        $crate::lease::Received {
            ids: $row.signal_ids.unwrap_or_default(),
            waitpoint_ids: $row.waitpoint_ids.unwrap_or_default(),
            waitpoint_keys: $row.waitpoint_keys.unwrap_or_default(),
            names: $row.names.unwrap_or_default(),
            categories: $row.categories.unwrap_or_default(),
            source_types: $row.source_types.unwrap_or_default(),
            source_identities: $row.source_identities.unwrap_or_default(),
            correlation_ids: $row.correlation_ids.unwrap_or_default(),
            payloads: $row.payloads.unwrap_or_default(),
            payload_types: $row.payload_types.unwrap_or_default(),
            accepted: $row.accepted.unwrap_or_default(),
        }
    };
}
pub(crate) use received;
