//! `flowhost bench`: measures this build on this machine, in one run and on one
//! durable cluster.
//!
//! Lifecycles (create → claim → fresh sandbox → complete, with events) and the
//! baseline (single-row inserts at 16 connections) take turns, so that a machine
//! that changes its pace changes both; a ratio compares a lifecycle run with the
//! baselines just before and after it.

mod authentication;
mod events;
mod flows;
mod hosts;
mod idle;
mod kinds;
mod lifecycles;
mod measure;
mod queues;
mod reads;
mod report;
mod run;
mod start;
mod streams;
mod waiting;
mod waits;

pub use run::{BenchArgs, run};
