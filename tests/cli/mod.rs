//! The command line, run as its users run it.

mod bench;
mod commands;
mod events;
mod exits;
mod flows;
mod invoke;
mod keys;
mod lists;
mod output;
mod pages;
mod streams;
mod waiting;
