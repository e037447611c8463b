//! Random programs of everything that touches what an execution waits for, on two
//! hosts, compared step by step with a model of it in memory.
//! `FLOWHOST_FUZZ_SECONDS` has it look for longer.

mod compared;
mod expected;
mod facts;
mod steps;
