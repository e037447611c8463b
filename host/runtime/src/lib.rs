//! Runs WebAssembly components: handlers, with one fresh sandbox per attempt, and
//! services, which claim for themselves and live until they end.
//!
//! ```text
//!            publish                        worker
//!  bytes ──▶ inspect ──▶ compile (child)    claim ──▶ sandbox ──▶ record
//!                           │                            ▲
//!                           ▼                            │
//!                         cache ──────▶ registry ────────┘
//! ```
//!
//! # What a guest may rely on
//!
//! - It runs alone in its sandbox, with nothing of an earlier sandbox in it,
//!   and is called once.
//! - It acts as the execution it was given, or those it claimed, and as no
//!   other: identity comes from the sandbox, never from an argument.
//! - Its lease is renewed without its help. When the lease is lost it is
//!   stopped within some 10 ms, whether it computes or waits; after a
//!   cancellation it has a grace first. A service has the grace to let go of
//!   the lease, and goes on if it does.
//! - It has clocks, random numbers and standard output and error, which end up
//!   in its log; no files, no environment, no arguments, no sockets.
//! - It is stopped by name when it exceeds [`SandboxLimits`], and told apart
//!   from one that trapped; [`Ended`] lists the codes.
//!
//! The engine is authoritative about leases and outcomes; this crate contains
//! no SQL. Guests run on threads of their own, the engine's calls on the
//! runtime this crate was started on.

mod attempt;
mod attempt_log;
mod bench;
mod bindings;
mod cache;
mod compile;
mod cpu_meter;
mod engine_config;
mod held;
mod host;
mod idle_log;
mod inspect;
mod invoke;
mod keeper;
mod limits;
mod metrics;
mod publish;
mod registry;
mod resumption;
mod room;
mod routes;
mod runtime;
mod sandbox;
mod settings;
mod storable;
mod task;
mod verdict;
mod worker;

pub use attempt::Stop;
pub use bench::{SandboxCost, sandbox_cost};
pub use compile::{COMPILE_ARGUMENT, CompileIn, Progress, compile_main};
pub use engine_config::Pooling;
pub use inspect::{Inspected, PACKAGE, PublishRefusal, VERSION, digest, inspect};
pub use invoke::{InvokeRefusal, InvokeReport, InvokeSettings, InvokeSuspension, invoke};
pub use limits::{LimitHit, SandboxLimits};
pub use metrics::Metrics;
pub use publish::{NotPublished, Publication, PublishEnd, Published, Working};
pub use room::{Bound, Machine, MemoryBudget, PoolSize};
pub use runtime::{Error, Runtime};
pub use settings::{CALLBACK_PREFIX, CodeLimits, RuntimeSettings, WorkerSettings};
pub use verdict::Ended;
pub use worker::WorkerHandle;
