//! `flowhost login` and `flowhost logout`: a token of the issuer that a host names, for a
//! person.

mod command;
mod device;

pub use command::{LoginArgs, login, logout};
