//! Components: what they are, compiled code, the registry of those this host can run, and
//! publishing.
//!
//! From below to above: [`wasm`] configures wasmtime, [`inspect`] reads the bytes of a
//! component, [`compile`] turns them into native code, [`registry`] has the components
//! that can be run, and [`publish`] stores and routes new ones.

pub(crate) mod compile;
mod error;
pub(crate) mod inspect;
pub(crate) mod publish;
pub(crate) mod registry;
pub(crate) mod wasm;

pub use error::Error;
