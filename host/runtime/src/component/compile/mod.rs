//! Compiles components, in a child process with limits.
//!
//! A compiler can be made to use minutes and gigabytes by a small file, so it
//! runs where it can be stopped: in a process of its own that sees neither the
//! environment nor the database, after everything else, one component at a time
//! in each of two queues.

mod child;
mod compiler;
mod footprint;
mod queue;

pub use child::{COMPILE_ARGUMENT, compile_main};
pub(crate) use compiler::{CompileError, Compiler, SMALL_BYTES_MAX};
pub(crate) use footprint::{Footprint, split};
pub use queue::CompileProgress;
