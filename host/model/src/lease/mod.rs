//! Leases and grants: who may write, and why a write or a grant is refused.

mod grant;
mod observed;

pub use grant::{GrantKind, GrantRefusal, GrantSight, RedeemRefusal};
pub use observed::Observed;
