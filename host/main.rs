//! The `flowhost` binary: everything it does is in the `server` crate.

fn main() -> std::process::ExitCode {
    server::main()
}
