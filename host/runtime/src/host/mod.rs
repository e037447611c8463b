//! The host's half of `wit/`: one file per interface; [`store`] is the state they share,
//! [`convert`] translates between the guest's types and the engine's.
//!
//! Who the guest acts as comes from the store alone. Each call counts against
//! [`SandboxLimits::host_calls_max`], and everything the host keeps for the guest
//! against its memory (`store/handles.rs`). Calls of the engine run on the main runtime,
//! so that guests cannot delay each other's answers.

pub(crate) mod bindings;
mod call_errors;
mod claim;
mod complete;
pub(crate) mod convert;
mod events;
mod executions;
mod flows;
mod log;
mod setters;
mod signal;
mod store;
mod streams;
mod suspend;

pub(crate) use call_errors::{
    ClaimCallError, EventsCallError, ExecutionsCallError, FlowCallError, LeaseCallError,
    SignalCallError, StreamCallError, SuspendCallError,
};
pub use claim::LeaseHandle;
pub(crate) use claim::NoCurrentLease;
pub use events::EventReader;
pub use executions::Request;
pub use flows::{Graph, NewFlow};
pub use signal::Signal;
pub use store::{Backend, CallError, EngineBackend, InvokeSuspension};
pub(crate) use store::{
    HeldLease, HostFault, NextRefusal, Role, SandboxUsage, ServiceHost, State, Streamed, WriteLog,
    link,
};
pub use suspend::SuspendRequest;
