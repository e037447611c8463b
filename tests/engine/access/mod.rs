//! API keys and the audit.

mod api_keys;
mod audit;
