//! Verbs of operators, which need no fence.
//!
//! Who asked and why is written into `operation` by the statement that does it.

mod block;
mod current_state;
mod expire;
mod operation;
mod overrides;
mod prioritize;
mod replay;
mod revoke;
mod tag;

pub use block::Block;
pub use operation::OperationEntry;
pub use replay::Replayed;
pub use revoke::{Revoke, Revoked};

pub(crate) use current_state::CurrentState;
