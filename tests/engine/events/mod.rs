//! The event log: what is written to it, and that readers get all of it.

mod families;
mod following;
mod horizon;
mod room;
