//! Makes visible what running attempts have written to their logs, before they end.
//!
//! condition: an attempt runs for half a second or longer and has finished a line that
//! readers cannot see.
//! state before → after: the same; the log of the attempt has a further piece.
//!
//! The log as it is recorded with the end of the attempt begins with everything that was
//! shown before, so a reader goes from one to the other without a gap. An attempt that
//! ends sooner costs nothing. What cannot be shown is shown later, or with the end of the
//! attempt: the attempt itself is not concerned.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use tokio::time::MissedTickBehavior;

use super::Worker;
use crate::attempt::Attempt;

/// How often the logs of running attempts are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Pieces that are on their way at the same time.
const PIECES_MAX: usize = 64;
/// Most bytes of a piece.
const PIECE_BYTES_MAX: usize = 32 << 10;

/// Shows logs until the worker has ended.
pub(super) async fn show(worker: Arc<Worker>) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !worker.is_closed() {
        looks.tick().await;
        let due = worker.held(|attempt| !attempt.is_stopping() && attempt.has_log_to_show());
        stream::iter(due)
            .for_each_concurrent(PIECES_MAX, |attempt| show_piece(&worker, attempt))
            .await;
    }
}

async fn show_piece(worker: &Worker, attempt: Arc<Attempt>) {
    // It may have ended while others were before it.
    if attempt.is_recorded() || attempt.is_stopping() {
        return;
    }
    let Some((from, piece)) = attempt.log_to_show(PIECE_BYTES_MAX) else {
        return;
    };
    let end = from + piece.len() as u64;
    match worker.engine.append_log(attempt.fence, from, piece).await {
        Ok(_) => attempt.log_shown(Some(end)),
        Err(engine::Declined::Refused(refusal)) => {
            // The lease has ended, which the keeper acts on.
            tracing::debug!(execution = %attempt.fence.execution_id, %refusal, "no more of the log is shown");
            attempt.hide_log();
        }
        Err(engine::Declined::Fault(error)) => {
            tracing::debug!(execution = %attempt.fence.execution_id, %error, "the log could not be shown");
            attempt.log_shown(None);
        }
    }
}
