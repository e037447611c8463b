//! Waitpoints: where signals arrive, their tokens, and the keys that sign those.

mod claims;
mod key;

pub use claims::{
    WaitpointClaims, WaitpointCloseReason, WaitpointId, WaitpointRef, WaitpointRefusal,
    WaitpointState,
};
pub use key::{KeyRetireRefusal, KeyRotateRefusal, WaitpointKeyState, waitpoint_kid};
