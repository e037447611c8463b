//! Runs WebAssembly components: handlers, with one fresh sandbox per attempt, and
//! services, which claim for themselves and run until they end.
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
//!   cancellation it has a grace first. A service has the same grace to drop
//!   the lease, and continues if it does.
//! - It has clocks, random numbers and standard output and error, which end up
//!   in its log; no files, no environment, no arguments, no sockets.
//! - It is stopped by name when it exceeds [`SandboxLimits`], and told apart
//!   from one that trapped; [`Ended`] lists the codes.
//!
//! # Folders
//!
//! From below to above; each imports only those before it:
//!
//! ```text
//! settings    limits of sandboxes, of compiled code, of a worker
//! memory      the budget that all sandboxes share, and the meter of one
//! attempt     what an attempt may do until when, its log, its processor time, its threads
//! host        the interfaces of wit/, one file each; what a store holds
//! sandbox     runs a guest and judges how it ended
//! component   inspects, compiles, caches, loads and publishes components
//! worker      claims, runs and records executions; keeps their leases
//! service     keeps services running and what they hold
//! (root)      the runtime of a host; `invoke` and `bench`, which do without one
//! ```
//!
//! The engine is authoritative about leases and outcomes; this crate contains
//! no SQL. Guests run on threads of their own, the engine's calls on the
//! runtime this crate was started on.

mod attempt;
mod bench;
mod component;
mod host;
mod invoke;
mod memory;
mod metrics;
mod runtime;
mod sandbox;
mod service;
mod settings;
mod worker;

pub use attempt::Stop;
pub use bench::{SandboxCost, sandbox_cost};
pub use component::Error;
pub use component::compile::{COMPILE_ARGUMENT, CompileProgress, compile_main};
pub use component::inspect::{Inspected, PACKAGE, PublishRefusal, VERSION, digest, inspect};
pub use component::publish::{NotPublished, Publication, PublishEnd, PublishProgress, Published};
pub use host::InvokeSuspension;
pub use invoke::{InvokeRefusal, InvokeReport, InvokeSettings, invoke};
pub use memory::{MachineLimits, MemoryBudget, PoolBound, PoolSize};
pub use runtime::Runtime;
pub use sandbox::AttemptEnd;
pub use settings::{
    CALLBACK_PREFIX, CodeLimits, CompileIn, LimitHit, Pooling, RuntimeSettings, SandboxLimits,
    WorkerSettings,
};
pub use worker::WorkerHandle;
