//! Executions, as other executions of their namespace see them.

use engine::ExecutionInfo;
use model::{AttemptId, BlockingReason, FailureClass, PublicState, WaitpointId};

use super::{text_bytes, timestamp_ms};
use crate::host::bindings::flowhost::engine::executions::{
    AttemptSummary, Description, LeaseSummary, Progress, State,
};
use crate::host::bindings::flowhost::engine::types;

/// Builds the description of an execution that waits at these waitpoints.
pub(crate) fn description(info: ExecutionInfo, waitpoints: Vec<WaitpointId>) -> Description {
    let current = info.attempts.checked_sub(1);
    Description {
        current_attempt: current.map(|index| AttemptSummary {
            id: AttemptId::of(info.id, index).to_string(),
            index,
        }),
        current_lease: info.current_lease.map(lease),
        blocking_reason: match info.blocking_reason {
            BlockingReason::None => None,
            reason => Some(reason.to_string()),
        },
        waitpoints: waitpoints.iter().map(ToString::to_string).collect(),
        progress: info.progress.map(|it| Progress {
            percent: it.percent,
            message: it.message,
        }),
        failure: info.failure.map(failure),
        id: info.id.to_string(),
        kind: info.kind,
        lane: info.lane,
        priority: info.priority,
        flow_id: info.flow_id.map(|id| id.to_string()),
        creator: info.creator,
        tags: info.tags.into_iter().collect(),
        state: state(info.public_state),
        blocking_detail: info.blocking_detail,
        attempts: info.attempts,
        created_at: timestamp_ms(info.created_at),
        last_mutation_at: timestamp_ms(info.last_mutation_at),
        wake_at: info.wake_at.map(timestamp_ms),
        deadline_at: info.deadline_at.map(timestamp_ms),
        finished_at: info.finished_at.map(timestamp_ms),
    }
}

/// Returns the bytes of a description.
pub(crate) fn bytes(description: &Description) -> usize {
    let texts = [
        &description.creator,
        &description.blocking_detail,
        &description.flow_id,
    ];
    let tags = description.tags.iter();
    let failure = description.failure.as_ref();
    let progress = description.progress.as_ref();
    let lease = description.current_lease.as_ref();
    size_of::<Description>()
        + description.kind.len()
        + description.lane.len()
        + texts
            .map(|text| text_bytes(text.as_ref()))
            .iter()
            .sum::<usize>()
        + size_of_val(description.tags.as_slice())
        + tags
            .map(|(key, value)| key.len() + value.len())
            .sum::<usize>()
        + size_of_val(description.waitpoints.as_slice())
        + description
            .waitpoints
            .iter()
            .map(String::len)
            .sum::<usize>()
        + progress.map_or(0, |it| text_bytes(it.message.as_ref()))
        + failure.map_or(0, |it| it.code.len() + it.message.len())
        + lease.map_or(0, |it| it.worker_instance_id.len())
}

fn lease(lease: engine::LeaseSummary) -> LeaseSummary {
    LeaseSummary {
        id: lease.lease_id.to_string(),
        epoch: lease.epoch,
        worker_instance_id: lease.worker_instance_id,
        attempt_index: lease.attempt,
        acquired_at: timestamp_ms(lease.acquired_at),
        expires_at: timestamp_ms(lease.expires_at),
        last_heartbeat_at: lease.last_heartbeat_at.map(timestamp_ms),
    }
}

/// Builds a failure as guests see it.
pub(crate) fn failure(failure: model::Failure) -> types::Failure {
    types::Failure {
        class: match failure.class {
            FailureClass::Transient => types::FailureClass::Transient,
            FailureClass::Permanent => types::FailureClass::Permanent,
            FailureClass::InfraCrash => types::FailureClass::InfraCrash,
            FailureClass::Timeout => types::FailureClass::Timeout,
            FailureClass::Cancelled => types::FailureClass::Cancelled,
        },
        code: failure.code,
        message: failure.message,
    }
}

/// Builds a public state as guests see it.
pub(crate) fn state(state: PublicState) -> State {
    match state {
        PublicState::Waiting => State::Waiting,
        PublicState::Delayed => State::Delayed,
        PublicState::RateLimited => State::RateLimited,
        PublicState::WaitingChildren => State::WaitingChildren,
        PublicState::Active => State::Active,
        PublicState::Suspended => State::Suspended,
        PublicState::Resumable => State::Resumable,
        PublicState::Completed => State::Completed,
        PublicState::Failed => State::Failed,
        PublicState::Cancelled => State::Cancelled,
        PublicState::Expired => State::Expired,
        PublicState::Skipped => State::Skipped,
    }
}
