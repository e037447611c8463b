//! What this host knows of the streams it appended to last: the state that an append is
//! decided on, which the statement verifies.

use std::collections::HashMap;

use model::{ExecutionId, Partition, StreamPolicy, SummaryDocument};
use parking_lot::Mutex;

use super::group::Group;
use crate::Error;
use crate::columns::columns;
use crate::row;
use crate::statements::Statements;

/// Streams that are remembered; beyond that all are forgotten, which costs a read each.
const STREAMS_MAX: usize = 16 * 1024;

/// A stream as the last statement about it left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    /// Of the last frame; absent if the stream has none.
    pub(super) place: Option<i64>,
    /// What the frozen policy of the execution says of its streams.
    pub(super) policy: StreamPolicy,
}

/// A stream, and its summary document if the append needs it.
#[derive(Debug)]
pub(super) struct StreamState {
    pub(super) known: Known,
    pub(super) document: Option<SummaryDocument>,
}

/// The streams that this host appended to.
#[derive(Debug, Default)]
pub(crate) struct KnownStreams(Mutex<HashMap<(ExecutionId, u32), Known>>);

impl KnownStreams {
    fn get(&self, stream: (ExecutionId, u32)) -> Option<Known> {
        self.0.lock().get(&stream).copied()
    }

    pub(super) fn set(&self, stream: (ExecutionId, u32), known: Known) {
        let mut streams = self.0.lock();
        if streams.len() >= STREAMS_MAX && !streams.contains_key(&stream) {
            streams.clear();
        }
        streams.insert(stream, known);
    }

    pub(super) fn forget(&self, stream: (ExecutionId, u32)) {
        self.0.lock().remove(&stream);
    }
}

impl Statements {
    /// Returns what the appends of these groups are decided on; absent for a stream that is
    /// being removed.
    pub(super) async fn stream_states(
        &self,
        partition: Partition,
        groups: &[Group<'_>],
    ) -> Result<HashMap<ExecutionId, StreamState>, Error> {
        let mut states = HashMap::with_capacity(groups.len());
        let mut unknown = Vec::new();
        for group in groups {
            match self.known_streams.get(group.stream()) {
                Some(known) if !group.has_patches() => {
                    let state = StreamState {
                        known,
                        document: None,
                    };
                    states.insert(group.fence.execution_id, state);
                }
                _ => unknown.push(group),
            }
        }
        if unknown.is_empty() {
            return Ok(states);
        }
        let rows = columns!(
            query_file!("src/stream/append/state.sql", partition.column());
            for group in &unknown => {
                ids = group.fence.execution_id.uuid();
                attempts = group.fence.attempt as i32;
                documents = group.has_patches();
            }
        )
        .fetch_all(&self.verbs)
        .await?;
        for found in rows {
            if found.orphaned {
                continue;
            }
            let id = found.execution_id;
            let policy = row::policy(id, found.policy.as_deref())?.stream_policy;
            let document = found.document.map(|json| {
                let read = SummaryDocument::parse(&json);
                read.map_err(|error| Error::corrupt("stream_summary", "document", id, error))
            });
            let known = Known {
                place: found.place,
                policy,
            };
            let state = StreamState {
                known,
                document: document.transpose()?,
            };
            states.insert(ExecutionId::from_uuid(id), state);
        }
        Ok(states)
    }
}
