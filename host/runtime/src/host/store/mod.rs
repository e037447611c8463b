//! What a store holds besides the guest: its role and whom it acts as, the engine it
//! calls, the handles it was given, and what it used.

mod backend;
mod call_error;
mod handles;
mod held_lease;
mod local;
mod local_stream;
mod role;
mod service_host;
mod state;
mod streamed;
mod wasi;

pub(crate) use backend::HostFault;
pub(super) use backend::refused;
pub use backend::{Backend, EngineBackend};
pub use call_error::CallError;
pub(super) use handles::HostResource;
pub(crate) use held_lease::{HeldLease, SandboxUsage};
pub use local::InvokeSuspension;
pub(super) use role::Caller;
pub(crate) use role::Role;
pub(crate) use service_host::{NextRefusal, ServiceHost, WriteLog};
pub(crate) use state::{State, link};
pub(crate) use streamed::Streamed;
