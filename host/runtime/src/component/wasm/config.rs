//! How guests are compiled.
//!
//! The compiling child and the host build their [`Config`] from the same function; what
//! differs (where sandboxes get their memory from) does not affect which compiled code
//! is compatible.

use wasmtime::Config;

use crate::memory::WASM_STACK_BYTES;

/// Stack of the host functions above the guest, together with that of the guest.
const ASYNC_STACK_BYTES: usize = 2 << 20;

/// Size up to which the data of a memory is made one image, however sparse.
const DENSE_IMAGE_BYTES: u64 = 256 << 10;

/// Returns how guests are compiled.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config
        .strategy(wasmtime::Strategy::Cranelift)
        .wasm_component_model(true)
        // Guests get synchronous interfaces only; doing without the
        // bookkeeping of concurrent ones halves the cost of a crossing.
        .concurrency_support(false)
        .epoch_interruption(true)
        // Threads, exceptions and garbage collection are not even built in.
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        // Data far apart in a small memory would be compiled to an image with
        // all the zeros between; beyond this size only dense data is.
        .memory_guaranteed_dense_image_size(DENSE_IMAGE_BYTES)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(ASYNC_STACK_BYTES)
        .wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Disable);
    config
}
