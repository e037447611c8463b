//! Events: what happened, in which family, and places in the log of them.

mod fact;
mod family;
mod filter;
mod kind;
mod logged;
mod place;

pub use fact::{
    CompletionOutcome, DeliveredSignal, EventDetail, EventFact, FlowFact, LeaseFact, OperatorFact,
    RevokedBy, SignalDeliveryEffect, TagFact, WorkerFact,
};
pub use family::{EventFamily, LeaseEnd};
pub use filter::EventFilter;
pub use kind::EventKind;
pub use logged::{Event, LoggedEvent};
pub use place::{EventCursor, EventPlace, EventPlaceError, EventStart};
