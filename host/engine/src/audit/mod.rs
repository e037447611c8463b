//! What credentials did, and whom the door refused.
//!
//! ```text
//!          begin              the verb              end
//!  (none) ───────▶ no outcome ────────▶ no outcome ──────▶ done, or the code of a problem
//! ```
//!
//! An entry is durable before its verb runs, so one without an outcome is of a host that
//! ended in between, or of a verb that runs now. Requests whose credential is not accepted
//! have no name and may be many: they are summed by minute, address and reason
//! ([`refusals`]). Both are removed after [`model::Retention::audit_ms`].

mod begin;
mod end;
mod list;
mod refusals;
mod refusals_list;

pub(crate) use begin::AuditBegin;
pub use begin::{AuditEntry, AuditId};
pub(crate) use end::AuditEnd;
pub use list::{AuditFilter, AuditPlace, Audited};
pub(crate) use refusals::RefusalSums;
pub use refusals_list::{RefusalsPlace, RefusedRequests};
