//! Credentials and what was done with them.

mod api_key;
mod audit;

pub use api_key::{ApiKey, ApiKeys, CreateApiKey, CreatedApiKey, RevokeApiKey, RotateApiKey};
pub use audit::{AuditEntries, AuditEntry, RefusedRequestSums, RefusedRequests};
