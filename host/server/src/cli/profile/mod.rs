//! Profiles: hosts, and the API keys to ask them with, kept in a file of the user.
//!
//! ```text
//! store     the file: read, checked, written
//! target    which host, key and namespace a command uses
//! prompt    reads a key from a terminal without showing it
//! command   `flowhost profile`
//! ```

mod command;
mod prompt;
mod store;
mod target;

pub use command::{ProfileCommand, run};
pub use target::{Chosen, target};
