//! One attempt as the worker, the keeper, the sandbox and the interfaces share it: until
//! when it may run and why it must stop, what it logged, the time it computed, and the
//! threads it computes on.

mod cpu_meter;
mod guest_threads;
mod log;
mod state;
mod stop;

pub(crate) use cpu_meter::{CpuMeter, Metered};
pub(crate) use guest_threads::{GuestThreads, Guests, SHORT, to_background, to_foreground};
pub(crate) use log::{AttemptLog, LogSource};
pub(crate) use state::Attempt;
pub(crate) use stop::ServiceStop;
pub use stop::Stop;
