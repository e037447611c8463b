//! Which calls an earlier try of the same statement has answered.

use std::collections::HashMap;

use model::{ExecutionId, FrameId, Partition};

use super::call::AppendCall;
use crate::Error;
use crate::statements::Statements;
use crate::stream::Appended;

impl Statements {
    /// Returns what was appended by calls of which an earlier try may have been applied, by
    /// their tokens.
    pub(super) async fn recognize(
        &self,
        partition: Partition,
        batch: &[Box<AppendCall>],
    ) -> Result<HashMap<i64, Appended>, Error> {
        let mut streams: HashMap<(ExecutionId, u32), i64> = HashMap::new();
        let mut tokens = Vec::new();
        for call in batch {
            if let Some(after) = call.tried_after.get() {
                let earliest = streams.entry(call.stream()).or_insert(*after);
                *earliest = (*earliest).min(*after);
                tokens.push(call.token);
            }
        }
        if tokens.is_empty() {
            return Ok(HashMap::new());
        }
        let mut ids = Vec::with_capacity(streams.len());
        let mut attempts = Vec::with_capacity(streams.len());
        let mut places = Vec::with_capacity(streams.len());
        for ((id, attempt), after) in streams {
            ids.push(id.uuid());
            attempts.push(attempt as i32);
            places.push(after);
        }
        let rows = sqlx::query_file!(
            "src/stream/append/recognized.sql",
            partition.column(),
            &ids,
            &attempts,
            &places,
            &tokens
        )
        .fetch_all(&self.verbs)
        .await?;
        let patches: HashMap<i64, bool> = batch
            .iter()
            .map(|call| (call.token, call.patch.is_some()))
            .collect();
        let found = rows.into_iter().map(|row| {
            let is_patch = patches.get(&row.token) == Some(&true);
            let appended = Appended {
                frame_id: FrameId::from_place(row.place),
                frame_count: row.frame_count.unsigned_abs(),
                summary_version: is_patch.then_some(row.ordinal.unsigned_abs()),
            };
            (row.token, appended)
        });
        Ok(found.collect())
    }
}
