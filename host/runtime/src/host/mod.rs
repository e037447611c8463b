//! The host's half of `wit/`: one file per interface, and the state of a store
//! they share.
//!
//! Who the guest acts as comes from the store alone. Each call counts against
//! [`SandboxLimits::host_calls_max`], and whatever is kept for the guest against
//! its memory (`handles.rs`); what waits for the database does so on the main
//! runtime, so that guests cannot keep each other's answers waiting.

mod backend;
pub(crate) mod bindings;
mod claim;
mod complete;
pub(crate) mod convert;
mod executions;
mod handles;
mod held_lease;
mod local;
mod log;
mod role;
mod service_host;
mod signal;
mod state;
mod suspend;
mod wasi;

pub(crate) use backend::HostFault;
pub use backend::{Backend, EngineBackend};
pub use claim::LeaseHandle;
pub(crate) use claim::NoCurrentLease;
pub use executions::Request;
pub(crate) use held_lease::{HeldLease, SandboxUsage};
pub use local::InvokeSuspension;
pub(crate) use role::Role;
pub(crate) use service_host::{NextRefusal, ServiceHost};
pub use signal::Signal;
pub(crate) use state::{State, link};
pub use suspend::SuspendRequest;
