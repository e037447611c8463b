//! The interface `streams`: frames that a guest appends to the stream of its attempt.
//!
//! The attempt is that of the lease, so a guest appends to no other stream. What it may
//! append under one lease is bounded here; the engine bounds each frame, and what is kept.

use engine::{Appended as EngineAppended, Declined, Engine, StreamSummary};
use model::{
    AppendMode, AppendRefusal, Fence, Invalid, Limits, NewFrame, StreamRefusal, check_range, ensure,
};
use wasmtime::component::Resource;

use super::bindings::flowhost::engine::streams::{
    Appended, Frame, Host, Mode, StreamError, Summary,
};
use super::convert::said;
use super::convert::{text_bytes, time_of, timestamp_ms};
use super::{HeldLease, LeaseHandle, State, StreamCallError};

/// Most frames of one call.
const FRAMES_MAX: usize = 256;
/// Most bytes of the frames of one call, together.
const CALL_BYTES_MAX: usize = 1 << 20;

impl Host for State {
    fn convert_stream_error(&mut self, error: StreamCallError) -> wasmtime::Result<StreamError> {
        error.refused()
    }

    async fn append(
        &mut self,
        lease: Resource<LeaseHandle>,
        frame: Frame,
    ) -> Result<Appended, StreamCallError> {
        let appended = self.append_frames(&lease, vec![frame]).await?;
        let of_one = appended.into_iter().next();
        Ok(of_one.expect("invariant: the engine answers for each frame"))
    }

    async fn append_all(
        &mut self,
        lease: Resource<LeaseHandle>,
        frames: Vec<Frame>,
    ) -> Result<Vec<Appended>, StreamCallError> {
        let appended = self.append_frames(&lease, frames).await?;
        let ids = appended.iter().map(|one| one.frame_id.len()).sum::<usize>();
        self.charge_answer(size_of_val(appended.as_slice()) + ids)?;
        Ok(appended)
    }

    async fn read_summary(
        &mut self,
        lease: Resource<LeaseHandle>,
    ) -> Result<Option<Summary>, StreamCallError> {
        self.count_call(0)?;
        let held = self.held(&lease)?;
        let summary = if let Some(backend) = self.engine() {
            let fence = held.attempt.fence;
            let namespace = held.task.namespace.clone();
            // As much as it may hold, before it is read.
            let carries = Limits::SUMMARY_BYTES_MAX;
            let answer = backend.call(&mut self.meter, carries, |engine| async move {
                let (id, attempt) = (fence.execution_id, fence.attempt);
                engine.read_summary(id, attempt, Some(&namespace)).await
            });
            match answer.await? {
                Ok(summary) => summary,
                Err(declined) => return Err(unread(declined.refusal()?).into()),
            }
        } else {
            self.local_stream.summary()
        };
        let summary = summary.map(summary_of);
        self.charge_answer(summary.as_ref().map_or(0, |it| it.document.len()))?;
        Ok(summary)
    }
}

impl State {
    /// Appends the frames of one call.
    async fn append_frames(
        &mut self,
        lease: &Resource<LeaseHandle>,
        frames: Vec<Frame>,
    ) -> Result<Vec<Appended>, StreamCallError> {
        let bytes = frames.iter().map(frame_bytes).sum::<usize>();
        let carries = size_of_val(frames.as_slice()) + bytes;
        self.count_call(bytes)?;
        let held = self.held(lease)?;
        let count = frames.len();
        check_range("frames", count, 1..=FRAMES_MAX)?;
        ensure("frames", count == 1 || bytes <= CALL_BYTES_MAX, || {
            format!("{bytes} bytes exceed the limit of {CALL_BYTES_MAX} for one call")
        })?;
        let frames: Vec<NewFrame> = frames
            .into_iter()
            .map(new_frame)
            .collect::<Result<_, Invalid>>()?;
        held.stream
            .check(count, bytes, &self.limits)
            .map_err(|full| StreamError::StreamLimitExceeded(full.to_string()))?;
        let answer = match self.engine() {
            Some(backend) => {
                let fence = held.attempt.fence;
                let append = backend.call(&mut self.meter, carries, |engine| async move {
                    append_in_order(&engine, fence, frames).await
                });
                append.await?
            }
            None => self
                .appended_locally(&held, &frames)
                .map_err(Declined::Refused),
        };
        match answer {
            Ok(appended) => {
                held.stream.add(count, bytes);
                Ok(appended.into_iter().map(appended_of).collect())
            }
            Err(Declined::Refused(refusal)) => Err(not_appended(&held, refusal).into()),
            Err(Declined::Fault(fault)) => {
                // They may have been appended.
                held.stream.add(count, bytes);
                Err(fault.into())
            }
        }
    }
}

/// Appends frames in their order; none if one of them breaks a bound.
async fn append_in_order(
    engine: &Engine,
    fence: Fence,
    frames: Vec<NewFrame>,
) -> Result<Vec<EngineAppended>, Declined<AppendRefusal>> {
    for frame in &frames {
        frame.check()?;
    }
    let appended = engine.append_frames(fence, frames).await;
    appended.into_iter().collect()
}

fn new_frame(frame: Frame) -> Result<NewFrame, Invalid> {
    let produced_at = frame
        .produced_at
        .map(|at| time_of("produced_at", at))
        .transpose()?;
    Ok(NewFrame {
        mode: match frame.mode {
            Mode::Durable => AppendMode::Durable,
            Mode::DurableSummary => AppendMode::DurableSummary,
            Mode::BestEffort(ttl_ms) => AppendMode::BestEffort { ttl_ms },
        },
        ts: produced_at,
        metadata: frame.metadata,
        correlation_id: frame.correlation_id,
        ..NewFrame::new(frame.frame_type, frame.payload)
    })
}

fn frame_bytes(frame: &Frame) -> usize {
    frame.frame_type.len()
        + frame.payload.len()
        + text_bytes(frame.correlation_id.as_ref())
        + text_bytes(frame.metadata.as_ref())
}

fn appended_of(appended: EngineAppended) -> Appended {
    Appended {
        frame_id: appended.frame_id.to_string(),
        frame_count: count(appended.frame_count),
        summary_version: appended.summary_version.map(count),
    }
}

fn summary_of(summary: StreamSummary) -> Summary {
    Summary {
        document: String::from_utf8_lossy(&summary.document_json).into_owned(),
        version: count(summary.version),
        first_applied_at: timestamp_ms(summary.first_applied_at),
        last_updated_at: timestamp_ms(summary.last_updated_at),
    }
}

fn count(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn bound(max: usize) -> u32 {
    u32::try_from(max).unwrap_or(u32::MAX)
}

/// Converts a refusal for the guest, and has the guest stop if the lease is gone.
fn not_appended(held: &HeldLease, refusal: AppendRefusal) -> StreamError {
    match refusal {
        AppendRefusal::ExecutionNotFound | AppendRefusal::StreamClosed => StreamError::StreamClosed,
        AppendRefusal::StaleOwner => {
            // A guest that ended its own attempt is not cut off for it.
            if !held.attempt.is_recorded() {
                held.attempt.lose();
            }
            StreamError::StaleOwnerCannotAppend
        }
        AppendRefusal::RetentionLimitExceeded { max, .. } => {
            StreamError::RetentionLimitExceeded(bound(max))
        }
        AppendRefusal::InvalidFrameType(why) => StreamError::InvalidFrameType(why),
        AppendRefusal::PatchDepthExceeded => {
            StreamError::PatchDepthExceeded(bound(Limits::PATCH_DEPTH_MAX))
        }
        AppendRefusal::Invalid(invalid) => StreamError::Invalid(said(&invalid)),
    }
}

fn unread(refusal: StreamRefusal) -> StreamError {
    match refusal {
        StreamRefusal::ExecutionNotFound | StreamRefusal::AttemptNotFound { .. } => {
            StreamError::StreamClosed
        }
        refusal @ (StreamRefusal::CountLimitExceedsHardCap { .. } | StreamRefusal::Invalid(_)) => {
            StreamError::Invalid(said(&refusal))
        }
    }
}
