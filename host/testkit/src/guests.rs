//! The example components.

use std::path::PathBuf;

/// Reads an example component by name.
///
/// # Panics
/// When it has not been built; the message says how.
pub fn guest(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../guest-examples/out")
        .join(name)
        .with_extension("wasm");
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}\nrun guest-examples/build.sh", path.display()))
}
