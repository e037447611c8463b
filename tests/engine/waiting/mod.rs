//! Executions that wait for signals: what they wait for, where signals arrive, and the
//! tokens that let outsiders send them.

mod conditions;
mod signals;
mod suspension_requests;
mod suspensions;
mod waitpoint_key_rotation;
mod waitpoint_keys;
mod waitpoint_tokens;
mod waitpoints;
