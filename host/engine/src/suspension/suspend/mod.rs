//! suspend: active → suspended, or the lease stays because signals that were received
//! early satisfy the condition.
//!
//! ```text
//! request → decide ─┬─ bind        which waitpoints the suspension waits at
//!                   ├─ early       early.sql: signals of pending waitpoints satisfy it
//!                   ├─ statement   suspend.sql: the lease ends with a suspension
//!                   └─ repeat      the same request was answered before
//! ```
//!
//! What is decided on signals of pending waitpoints is written by a statement that holds
//! only while these have received no others. Locks: pending waitpoints, then the lease
//! row. Event: `suspended`.

mod bind;
mod decide;
mod early;
mod repeat;
mod request;
mod statement;

pub use request::{
    Binding, Satisfied, Suspend, Suspended, Suspension, SuspensionTimeout, SuspensionWaitpoint,
};
pub(crate) use statement::{SuspendCall, SuspendVerdict};
