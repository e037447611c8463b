//! Executions that are suspended until signals arrive, an operator resumes them, or their
//! time limit passes.
//!
//! A *suspension* ends a lease and lasts until its condition is satisfied, its time limit
//! passes, or an operator ends it. Exactly one of these happens, because each removes the
//! one row of `parked` that the execution waits in; all of them are written by
//! [`crate::signal`], where signals, operators and time limits meet. What a handler resumes
//! with comes with its lease, see [`crate::lease::Resumption`].
//!
//! ```text
//! suspend/      active → suspended, or the lease stays if early signals satisfy it
//! resume        an operator ends a suspension
//! list          suspended executions for people
//! read          suspensions of an execution for people
//! ```

mod list;
mod read;
mod resume;
mod suspend;

pub(crate) use suspend::{SuspendCall, SuspendVerdict};

pub use list::SuspendedExecution;
pub use read::SuspensionInfo;
pub use suspend::{
    Binding, Satisfied, Suspend, Suspended, Suspension, SuspensionTimeout, SuspensionWaitpoint,
};
