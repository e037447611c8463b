//! A host: its database, its parts in their order, its presence in the registry of
//! workers, and how it is asked to end.

mod database;
mod error;
mod presence;
mod running;
mod shutdown;

pub use database::Database;
pub use error::StartError;
pub use running::Host;
pub use shutdown::{Shutdown, Stage};
