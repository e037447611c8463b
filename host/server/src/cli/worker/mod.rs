//! Workers that are not components: the registry of them, their leases, and grants.

mod command;
pub mod grant;
pub mod lease;

pub use command::{WorkerCommand, run};
