//! Bytes that values of a guest take while the host keeps or carries them.

use crate::host::bindings::flowhost::engine::signal::ReceivedSignal;
use crate::host::bindings::flowhost::engine::suspend::{Resumption, Satisfied};
use crate::host::bindings::flowhost::engine::types::{Payload, Task};

/// Returns the bytes of a task.
pub(crate) fn task_bytes(task: &Task) -> usize {
    let names = [
        &task.execution_id,
        &task.attempt_id,
        &task.namespace,
        &task.kind,
        &task.lane,
    ];
    let tags = task.tags.iter().map(|(key, value)| key.len() + value.len());
    size_of::<Task>()
        + names.into_iter().map(String::len).sum::<usize>()
        + text_bytes(task.traceparent.as_ref())
        + payload_bytes(&task.input)
        + size_of_val(task.tags.as_slice())
        + tags.sum::<usize>()
}

/// Returns the bytes of the state and the signals of a suspension.
pub(crate) fn resumption_bytes(resumption: &Resumption) -> usize {
    resumption.state.as_ref().map_or(0, payload_bytes) + signals_bytes(&resumption.signals)
}

/// Returns the bytes of a suspension that was satisfied before it began.
pub(crate) fn satisfied_bytes(satisfied: &Satisfied) -> usize {
    let keys = satisfied
        .waitpoints
        .iter()
        .map(|it| it.id.len() + it.key.len());
    resumption_bytes(&satisfied.resumption)
        + size_of_val(satisfied.waitpoints.as_slice())
        + keys.sum::<usize>()
}

/// Returns the bytes of signals, the list they are in included.
pub(crate) fn signals_bytes(signals: &[ReceivedSignal]) -> usize {
    size_of_val(signals) + signals.iter().map(signal_bytes).sum::<usize>()
}

fn signal_bytes(signal: &ReceivedSignal) -> usize {
    [
        &signal.id,
        &signal.waitpoint_id,
        &signal.waitpoint_key,
        &signal.name,
        &signal.source_type,
        &signal.source_identity,
    ]
    .into_iter()
    .map(String::len)
    .sum::<usize>()
        + text_bytes(signal.category.as_ref())
        + text_bytes(signal.correlation_id.as_ref())
        + signal.payload.as_ref().map_or(0, payload_bytes)
}

/// Returns the bytes of a text that may be absent.
pub(crate) fn text_bytes(text: Option<&String>) -> usize {
    text.map_or(0, String::len)
}

/// Returns the bytes of texts, the list they are in included.
pub(crate) fn texts_bytes(texts: &[String]) -> usize {
    size_of_val(texts) + texts.iter().map(String::len).sum::<usize>()
}

/// Returns the bytes of a payload.
pub(crate) fn payload_bytes(payload: &Payload) -> usize {
    payload.content_type.len() + payload.data.len()
}
