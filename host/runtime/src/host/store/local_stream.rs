//! Streams without an engine, in `flowhost invoke`: frames are checked, and noted in the
//! log; the summary is kept for the handler that reads it.

use engine::{Appended, StreamSummary};
use model::{AppendMode, AppendRefusal, FrameId, Limits, NewFrame, SummaryDocument, SummaryPatch};
use time::OffsetDateTime;

use super::{HeldLease, State};

/// Most bytes of a frame that the log shows.
const SHOWN_BYTES: usize = 200;

/// The stream of an attempt that no engine knows of.
#[derive(Debug, Default)]
pub(in crate::host) struct LocalStream {
    frames: u64,
    document: SummaryDocument,
    version: u64,
}

impl LocalStream {
    /// Returns the summary; its times are made up.
    pub(in crate::host) fn summary(&self) -> Option<StreamSummary> {
        (self.version > 0).then(|| StreamSummary {
            document_json: self.document.to_json(),
            version: self.version,
            first_applied_at: OffsetDateTime::UNIX_EPOCH,
            last_updated_at: OffsetDateTime::UNIX_EPOCH,
        })
    }
}

impl State {
    /// Appends frames to a stream that no engine knows of, all or none.
    pub(in crate::host) fn appended_locally(
        &mut self,
        held: &HeldLease,
        frames: &[NewFrame],
    ) -> Result<Vec<Appended>, AppendRefusal> {
        if held.attempt.is_recorded() {
            return Err(AppendRefusal::StreamClosed);
        }
        let patches: Vec<Option<SummaryPatch>> = frames
            .iter()
            .map(NewFrame::check)
            .collect::<Result<_, _>>()?;
        let mut document = self.local_stream.document.clone();
        for patch in patches.iter().flatten() {
            document.merge(patch);
        }
        let (bytes, max) = (document.to_json().len(), Limits::SUMMARY_BYTES_MAX);
        if bytes > max {
            return Err(AppendRefusal::RetentionLimitExceeded {
                field: "summary",
                bytes,
                max,
            });
        }
        self.local_stream.document = document;
        let mut appended = Vec::new();
        for frame in frames {
            self.local_stream.frames += 1;
            let is_patch = frame.mode == AppendMode::DurableSummary;
            self.local_stream.version += u64::from(is_patch);
            let payload = &frame.payload[..frame.payload.len().min(SHOWN_BYTES)];
            let line = [frame.frame_type.as_bytes(), b" ", payload].concat();
            self.role.log("frame", &line);
            appended.push(Appended {
                frame_id: FrameId {
                    ms: held.attempt.elapsed_ms(),
                    seq: self.local_stream.frames,
                },
                frame_count: self.local_stream.frames,
                summary_version: is_patch.then_some(self.local_stream.version),
            });
        }
        Ok(appended)
    }
}
