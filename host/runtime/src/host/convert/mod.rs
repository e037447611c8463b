//! Between the guest's types and those of the engine and the model: tasks, payloads,
//! conditions, resumptions, events, failures; and the checks of what guests set piece by piece.

mod bounds;
mod condition;
mod description;
mod event;
mod flow;
pub(crate) mod outcome;
mod resumption;
mod said;
mod same_names;
mod sizes;
mod suspension;
mod task;

pub(super) use bounds::{Bounds, check_label, check_payload, check_text};
pub(super) use condition::{bytes as condition_bytes, read as read_condition};
pub(super) use description::{bytes as description_bytes, description, failure, state};
pub(super) use event::{bytes as events_bytes, event, family as event_family};
pub(super) use flow::{
    cancelled, changed, changed_bytes, child, children_bytes, flow, flow_bytes, input,
    inputs_bytes, member, members_bytes, policy_of,
};
pub(crate) use resumption::{received, resumption, satisfied, waitpoint};
pub(super) use said::said;
pub(super) use sizes::{
    payload_bytes, resumption_bytes, satisfied_bytes, signals_bytes, task_bytes, text_bytes,
    texts_bytes,
};
pub(super) use suspension::{binding, check_key, check_names, suspend_refusal, time_of};
pub(crate) use task::{task, timestamp_ms};
