//! The example components.

use std::path::PathBuf;

/// Reads an example component by name, a well-behaved or a hostile one.
///
/// # Panics
/// When it has not been built; the message says how.
pub fn guest(name: &str) -> Vec<u8> {
    let built = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../guest-examples/out");
    let file = format!("{name}.wasm");
    let path = [built.join(&file), built.join("hostile").join(&file)]
        .into_iter()
        .find(|path| path.exists());
    path.and_then(|path| std::fs::read(path).ok())
        .unwrap_or_else(|| panic!("there is no component {name}: run guest-examples/build.sh"))
}
