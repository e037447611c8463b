//! The wasmtime engine, as this host configures it.

mod config;
mod engine;

pub(crate) use config::config;
pub(crate) use engine::{INSTANCE_BYTES_MAX, WasmEngine};
