//! Reads the bytes of a component before anything else is done with them: what they are,
//! what they import and what they export.
//!
//! Nothing is compiled here; a component that passes may still fail to compile
//! or to link. Only the outermost level is read, and no more of it than the
//! bounds of [`surface`]: the time this takes and the length of a refusal depend on
//! them, not on the file.

mod component;
mod imports;
mod names;
mod refusal;
mod surface;

pub use component::{Inspected, digest, inspect};
#[cfg(test)]
pub(crate) use imports::WASI;
pub(crate) use names::is_ours;
pub use names::{PACKAGE, VERSION};
pub use refusal::PublishRefusal;
