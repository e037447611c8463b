//! Leases and grants: why a write under a lease is refused, and a grant.

mod grant;
mod observed;

pub use grant::{GrantKind, GrantProbe, GrantRefusal, RedeemRefusal};
pub use observed::Observed;
