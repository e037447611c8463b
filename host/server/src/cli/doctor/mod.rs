//! `flowhost doctor`: shows the effective configuration and checks what a host needs.

mod checks;
mod run;

pub use run::{DoctorArgs, run};
