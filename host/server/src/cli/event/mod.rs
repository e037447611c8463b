//! Events of the instance, as they happen.

pub mod events;
