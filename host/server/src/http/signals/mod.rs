//! Signals: from callers with a token, from operators, and from senders of webhooks.

pub mod approval;
pub mod callbacks;
pub mod send;
