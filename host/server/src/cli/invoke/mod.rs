//! `flowhost invoke FILE.wasm`: runs a handler once, without a host or a database.

mod resumption;
mod run;

pub use run::{InvokeArgs, run};
