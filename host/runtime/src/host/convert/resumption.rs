//! Resumptions, waitpoints and received signals, as guests see them.

use engine::OpenWaitpoint;
use model::SuspensionCloseReason;

use crate::host::bindings::flowhost::engine::signal::ReceivedSignal;
use crate::host::bindings::flowhost::engine::suspend::{
    BoundWaitpoint, ResumeReason, Resumption, Satisfied, Waitpoint,
};
use crate::host::convert::timestamp_ms;

/// Builds a resumption as its handler sees it.
pub(crate) fn resumption(resumption: engine::Resumption) -> Resumption {
    Resumption {
        suspension_id: resumption.suspension_id.to_string(),
        reason: resume_reason(resumption.reason),
        closed_at: timestamp_ms(resumption.closed_at),
        state: resumption.state.map(Into::into),
        signals: resumption.signals.into_iter().map(received).collect(),
        signal_count: resumption.signal_count,
    }
}

/// Builds the answer to a suspension that was satisfied before it began.
pub(crate) fn satisfied(satisfied: engine::Satisfied) -> Satisfied {
    let waitpoints = satisfied.waitpoints.into_iter();
    Satisfied {
        resumption: resumption(satisfied.resumption),
        waitpoints: waitpoints
            .map(|it| BoundWaitpoint {
                id: it.id.to_string(),
                key: it.key,
            })
            .collect(),
    }
}

/// Builds a signal as its receiver sees it.
pub(crate) fn received(signal: engine::ReceivedSignal) -> ReceivedSignal {
    ReceivedSignal {
        id: signal.id.to_string(),
        waitpoint_id: signal.waitpoint_id.to_string(),
        waitpoint_key: signal.waitpoint_key,
        name: signal.name,
        category: signal.category,
        source_type: signal.source_type,
        source_identity: signal.source_identity,
        correlation_id: signal.correlation_id,
        payload: signal.payload.map(Into::into),
        accepted_at: timestamp_ms(signal.accepted_at),
    }
}

/// Builds a waitpoint with its callback URL.
pub(crate) fn waitpoint(waitpoint: OpenWaitpoint, callback_prefix: &str) -> Waitpoint {
    let token = waitpoint.token.reveal();
    Waitpoint {
        id: waitpoint.id.to_string(),
        key: waitpoint.key,
        callback_url: format!("{callback_prefix}{token}"),
        token: token.to_owned(),
        expires_at: waitpoint.expires_at.map(timestamp_ms),
        existing: waitpoint.existing,
    }
}

fn resume_reason(reason: SuspensionCloseReason) -> ResumeReason {
    match reason {
        SuspensionCloseReason::Satisfied => ResumeReason::Satisfied,
        SuspensionCloseReason::OperatorResume => ResumeReason::OperatorResume,
        SuspensionCloseReason::TimedOutAutoResume => ResumeReason::TimedOutAutoResume,
        SuspensionCloseReason::Cancelled
        | SuspensionCloseReason::TimedOutFail
        | SuspensionCloseReason::TimedOutCancel
        | SuspensionCloseReason::TimedOutExpire => {
            unreachable!("invariant: no handler resumes after a suspension that ended as {reason}")
        }
    }
}
