//! How calls of a guest fail: with an error of their interface, or a trap.

use super::CallError;
use super::bindings::flowhost::engine as wit;
use super::bindings::service::flowhost::engine::events;

pub(crate) type ClaimCallError = CallError<wit::claim::ClaimError>;
pub(crate) type LeaseCallError = CallError<wit::claim::LeaseError>;
pub(crate) type EventsCallError = CallError<events::EventsError>;
pub(crate) type ExecutionsCallError = CallError<wit::executions::Error>;
pub(crate) type FlowCallError = CallError<wit::flows::FlowError>;
pub(crate) type SignalCallError = CallError<wit::signal::SignalError>;
pub(crate) type SuspendCallError = CallError<wit::suspend::SuspendError>;
pub(crate) type StreamCallError = CallError<wit::streams::StreamError>;
