//! Flows over HTTP: made, grown, run, read and cancelled.

mod access;
mod build;
mod cancel;
mod children;
mod graphs;
mod read;
mod refusals;
