//! The command line, run as its users run it.

mod bench;
mod invoke;
mod lists;
mod output;
mod pages;
mod waiting;
