//! The `flowhost` binary: everything it does is in the `server` crate.

// Under load a host allocates some hundred small things per execution, on one
// thread, and frees them on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    server::main()
}
