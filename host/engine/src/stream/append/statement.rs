//! The statement that appends, and its arrays.

use std::collections::HashMap;

use model::{ExecutionId, FrameEncoding, Partition};
use time::OffsetDateTime;

use super::group::{Left, Write};
use crate::Error;
use crate::columns::columns;
use crate::row::{bigint, int};
use crate::statements::Statements;

impl Statements {
    /// Appends to streams; those that are not in the answer are as they were.
    pub(super) async fn append(
        &self,
        partition: Partition,
        writes: &[Write<'_>],
    ) -> Result<HashMap<ExecutionId, Left>, Error> {
        let frames = writes.iter().flat_map(|write| {
            let frames = write.frames();
            frames.map(|(_, call, following, of_mode)| (call, following, of_mode))
        });
        let rows = columns!(
            query_file!("src/stream/append/append.sql", partition.column());
            for write in writes => {
                ids = write.group.fence.execution_id.uuid();
                attempts = write.group.fence.attempt as i32;
                lease_ids = write.group.fence.lease_id.0;
                epochs = write.group.fence.epoch as i64;
                places as Option<i64> = write.known.place;
                durables = write.durable.frames;
                durable_trims as Option<i64> = write.durable.trim;
                summaries = write.summary.frames;
                summary_trims as Option<i64> = write.summary.trim;
                best_efforts = write.best_effort.frames;
                best_effort_trims as Option<i64> = write.best_effort.trim;
                best_effort_ttls as Option<i32> = write.best_effort_ttl_ms.map(int);
                ttls as Option<i64> = write.known.policy.retention_ttl_ms.map(bigint);
                dues as Option<i64> = write.due_ms().map(bigint);
                documents as Option<&[u8]> = write.document.as_deref();
            }
            for (call, following, of_mode) in frames => {
                of_ids = call.fence.execution_id.uuid();
                followings = following;
                modes as &str = call.frame.mode.name().as_str();
                mode_followings = of_mode;
                tokens = call.token;
                times as Option<OffsetDateTime> = call.frame.ts.map(|ts| ts.utc());
                types as &str = call.frame.frame_type.as_str();
                payloads as &[u8] = call.frame.payload.as_slice();
                texts = call.frame.encoding() == FrameEncoding::Utf8;
                metadatas as Option<&str> = call.frame.metadata.as_deref();
                correlation_ids as Option<&str> = call.frame.correlation_id.as_deref();
                sources as Option<&str> = call.frame.source.as_deref();
            }
        )
        .fetch_all(&self.verbs)
        .await?;
        let left = rows.into_iter().map(|row| {
            let left = Left {
                place: row.place,
                frames: row.durable + row.summary + row.best_effort,
                summary: row.summary,
                excess: row.excess,
            };
            (ExecutionId::from_uuid(row.execution_id), left)
        });
        Ok(left.collect())
    }
}
