//! The server process: one run of it, its log, and the thread that keeps it running.

mod launch;
mod log;
mod shared;
mod supervisor;

pub(crate) use launch::Launcher;
pub(crate) use log::Log;
pub(crate) use supervisor::Supervisor;
