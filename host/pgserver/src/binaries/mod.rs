//! The programs of an installed Postgres server: where to look, and which to take.

mod find;
mod places;

pub use find::{Binaries, find};
