//! Signals: what is sent to a waitpoint, what it did, and why it is refused.

mod effect;

pub use effect::{InvalidWaitpointToken, KnownSource, SignalEffect, SignalId, SignalRefusal};
