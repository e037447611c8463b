//! Waitpoints: where signals for an execution arrive, and the tokens that open them.
//!
//! A waitpoint may be created before the suspension that waits at it; it is *pending*
//! then, and stores the signals that arrive early. While a suspension waits at it, it is
//! *active*. It stays when it is *closed*, so that a signal that arrives late is refused
//! with a reason.
//!
//! ```text
//! create      a pending waitpoint for a running execution
//! close       an operator closes one
//! close_held  the holder of the lease closes one
//! mint_token  an operator asks for another token
//! find        the open waitpoint that an operator means
//! snapshot    what executions wait for, read before anything is decided
//! list        waitpoints for people
//! key/        waitpoint tokens, and the keys that sign them
//! ```

mod close;
mod close_held;
mod create;
mod find;
mod key;
mod list;
mod mint_token;
mod snapshot;

pub use create::{CreateWaitpoint, OpenWaitpoint};
pub use key::{
    MintWaitpointToken, MintedWaitpointToken, RotateWaitpointKey, RotatedWaitpointKey,
    SeededWaitpointKey, VerifiedWaitpointToken, WaitpointKey, WaitpointKeyPlace, WaitpointToken,
    WaitpointTokenExpiry, WaitpointTokenKey,
};
pub use list::WaitpointInfo;

pub(crate) use create::{DEFAULT_KEY_PREFIX, new_waitpoint_key};
pub(crate) use key::{Ring, SigningKey};
pub(crate) use snapshot::{Snapshots, SuspensionSnapshot, json, read_snapshot, read_snapshots};
