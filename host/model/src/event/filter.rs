//! Which events a subscription wants.

use crate::{ExecutionId, FlowId, LoggedEvent};

/// Which events a subscription wants: those that fit everything that is given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventFilter {
    /// Of executions, or workers, of this namespace.
    pub namespace: Option<String>,
    /// Of executions of this kind.
    pub kind: Option<String>,
    /// Of executions of this lane.
    pub lane: Option<String>,
    /// Of this execution alone.
    pub execution_id: Option<ExecutionId>,
    /// Of this flow and its members.
    pub flow_id: Option<FlowId>,
    /// Of executions that have this label with this value when the event is read; one that
    /// was removed has what it had last.
    pub tag: Option<(String, String)>,
}

impl EventFilter {
    /// Whether it wants an event, as far as the event itself tells.
    pub fn admits(&self, event: &LoggedEvent) -> bool {
        let wants = |wanted: &Option<String>, is: &Option<String>| {
            wanted.is_none() || wanted.as_deref() == is.as_deref()
        };
        wants(&self.namespace, &event.namespace)
            && wants(&self.kind, &event.execution_kind)
            && wants(&self.lane, &event.lane)
            && (self.execution_id.is_none() || self.execution_id == event.execution_id)
            && match event.flow_id {
                // Labels are those of executions.
                Some(flow) => self.tag.is_none() && self.flow_id.is_none_or(|id| id == flow),
                None => !self.asks_the_execution() || event.execution_id.is_some(),
            }
    }

    /// Whether the execution must be asked for what the event does not say.
    pub const fn asks_the_execution(&self) -> bool {
        self.flow_id.is_some() || self.tag.is_some()
    }
}
