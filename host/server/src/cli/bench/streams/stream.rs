//! Streams of attempts whose leases the benchmark holds.

use engine::{Engine, bench};
use model::{Fence, FrameId, NewFrame, StreamCursor, Visibility};

use crate::cli::bench::lifecycles::KIND;
use crate::cli::io::Failure;

/// Lane of the executions.
pub const LANE: &str = "bench-streams";
/// Bytes of the payload of each frame.
pub const FRAME_BYTES: usize = 256;

/// Makes executions and takes their leases; each is a stream.
pub async fn open(engine: &Engine, count: usize) -> Result<Vec<Fence>, Failure> {
    Ok(bench::leased(engine, LANE, KIND, count as u64).await?)
}

/// Returns a frame of the usual size.
pub fn frame() -> NewFrame {
    NewFrame::new("word", vec![b'w'; FRAME_BYTES])
}

/// Returns what a tail of a stream asks for, after a frame.
pub fn tail(of: &Fence, after: FrameId, wait: std::time::Duration) -> engine::TailStream {
    engine::TailStream {
        execution_id: of.execution_id,
        attempt: of.attempt,
        namespace: None,
        after: StreamCursor::from(after),
        count: 1_000,
        visibility: Visibility::All,
        wait,
    }
}
