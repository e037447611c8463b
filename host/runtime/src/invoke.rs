//! Runs one handler once, without a database: what a developer does before
//! publishing it.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use engine::{Payload, Resumption, WORLD_SERVICE};
use model::{Digest, ExecutionId, Fence, LeaseId, Partition, Usage};
use uuid::Uuid;

use crate::attempt::{Attempt, GuestThreads};
use crate::component::Error;
use crate::component::inspect::{PACKAGE, PublishRefusal, inspect};
use crate::component::registry::{ComponentSource, Registry};
use crate::component::wasm::WasmEngine;
use crate::host::bindings::flowhost::engine::types;
use crate::host::{Backend, HeldLease, InvokeSuspension, Streamed, convert};
use crate::memory::{MachineLimits, MemoryBudget, PoolSize, Reservation, SandboxBudget};
use crate::sandbox::{self, AttemptEnd, SandboxSetup};
use crate::settings::{CodeLimits, CompileIn, Pooling, SandboxLimits};

/// How a handler is run by itself.
#[derive(Debug, Clone, Default)]
pub struct InvokeSettings {
    /// Limits of the sandbox.
    pub sandbox: SandboxLimits,
    /// Bounds on the component and on its result.
    pub limits: model::Limits,
    /// Time limit of the attempt, in milliseconds; absent for that of `sandbox` alone.
    pub attempt_timeout_ms: Option<u64>,
    /// Tags of the made-up execution.
    pub tags: Vec<(String, String)>,
    /// Number of the attempt, counted from zero.
    pub attempt_index: u32,
    /// What the handler resumes with, as if it had been suspended before; absent for a first
    /// run.
    pub resumption: Option<Resumption>,
}

/// What running a handler by itself did.
#[derive(Debug, Clone)]
pub struct InvokeReport {
    /// Digest of the component.
    pub digest: Digest,
    /// Names of the interfaces it imports.
    pub imports: Vec<String>,
    /// How the attempt ended.
    pub outcome: AttemptEnd,
    /// The suspension it ended with; absent if it ended otherwise.
    pub suspension: Option<InvokeSuspension>,
    /// Processor time, memory and calls it used.
    pub usage: Usage,
    /// Its log, with the calls about its own lease; absent if nothing was logged.
    pub log: Option<String>,
    /// Time taken to compile the component, in milliseconds.
    pub compile_ms: u64,
}

/// Why a component cannot be run by itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvokeRefusal {
    /// It could not be published either.
    #[error(transparent)]
    Component(#[from] PublishRefusal),
    /// It claims its executions itself, and there are none here.
    #[error(
        "the component is a service: it exports `{PACKAGE}/serve` (world `service`) and claims executions from a host, so there is no single attempt to run. Give it to a host with `flowhost component publish FILE --kind KIND`, or start one with `flowhost dev --load DIRECTORY`, and submit work with `flowhost submit KIND`"
    )]
    Service,
}

/// Runs the handler in `wasm` once with `input`.
///
/// Its lease is made up: renewals succeed, progress and an end through the
/// interfaces `complete` and `suspend` appear in the log, and calls about other
/// executions are answered `unavailable`. It suspends without waiting: what it asked
/// for is in the report, and [`InvokeSettings::resumption`] resumes it.
///
/// # Errors
///
/// If the sandbox cannot be set up.
pub async fn invoke(
    settings: InvokeSettings,
    wasm: &[u8],
    kind: &str,
    input: Payload,
) -> Result<Result<InvokeReport, InvokeRefusal>, Error> {
    let inspected = match inspect(wasm, &settings.limits) {
        Ok(inspected) => inspected,
        Err(refusal) => return Ok(Err(refusal.into())),
    };
    if inspected.world == WORLD_SERVICE {
        return Ok(Err(InvokeRefusal::Service));
    }
    let registry = standalone_registry(Pooling::Off, 1, &settings)?;
    let compiling = Instant::now();
    let loaded = match registry
        .load(inspected.digest, ComponentSource::Bytes(wasm.into()))
        .await
    {
        Ok(loaded) => loaded,
        Err(error) => return Ok(Err(error.refusal()?.into())),
    };
    let compile_ms = u64::try_from(compiling.elapsed().as_millis()).unwrap_or(u64::MAX);

    let guests = GuestThreads::start(1).map_err(Error::Threads)?;
    let suspended = Arc::new(OnceLock::new());
    let backend = Backend::Local(suspended.clone());
    let demand = loaded
        .footprint
        .demand(&settings.sandbox, input.data.len() as u64);
    let reservation = registry.budget().reserve(&demand).await;
    let (held, setup) = local_lease(&settings, kind, input, backend, reservation);
    let verdict = guests
        .guests()
        .spawn(async move { Some(sandbox::run(loaded.handler()?, held, setup).await) })
        .await
        .map_err(|_panicked| {
            Error::Unavailable("the host failed while it ran the handler".to_owned())
        })?;
    let Some(verdict) = verdict else {
        return Ok(Err(InvokeRefusal::Service));
    };
    Ok(Ok(InvokeReport {
        digest: inspected.digest,
        imports: inspected.imports,
        outcome: verdict.outcome,
        suspension: suspended.get().cloned(),
        usage: verdict.usage,
        log: verdict
            .log
            .map(|log| String::from_utf8_lossy(&log).into_owned()),
        compile_ms,
    }))
}

/// Opens a registry without a disk cache, for `sandboxes` that share a host with no others.
pub(crate) fn standalone_registry(
    pooling: Pooling,
    sandboxes: u32,
    settings: &InvokeSettings,
) -> Result<Arc<Registry>, Error> {
    let machine = MachineLimits::detect();
    let limits = settings.sandbox;
    // What the operator of a host sets for all sandboxes has no place here.
    let bytes = MemoryBudget::new(0, &machine)
        .bytes()
        .max(limits.memory_bytes_max.saturating_mul(2));
    let size = PoolSize::new(sandboxes, bytes, &limits, &machine);
    let wasm = WasmEngine::new(pooling, size, &limits).map_err(Error::Sandbox)?;
    let budget = SandboxBudget::new(&wasm.size(), bytes);
    let code = CodeLimits::default();
    Registry::open(wasm, budget, None, CompileIn::Process, &code, limits)
        .map(Arc::new)
        .map_err(Error::Sandbox)
}

/// Makes up an execution for a handler, and its lease.
pub(crate) fn local_lease(
    settings: &InvokeSettings,
    kind: &str,
    input: Payload,
    backend: Backend,
    reservation: Arc<Reservation>,
) -> (Arc<HeldLease>, SandboxSetup) {
    let partition = Partition::new(0).expect("invariant: zero is a partition");
    let fence = Fence {
        execution_id: ExecutionId::from_parts(partition, 0, 1),
        lease_id: LeaseId(Uuid::nil()),
        epoch: 1,
        attempt: settings.attempt_index,
    };
    // This lease is never renewed, so it outlasts every attempt.
    let forever = Duration::from_secs(365 * 24 * 3600);
    let held = HeldLease {
        requester: None,
        task: Arc::new(types::Task {
            execution_id: fence.execution_id.to_string(),
            namespace: model::NAMESPACE_DEFAULT.to_owned(),
            kind: kind.to_owned(),
            lane: model::LANE_DEFAULT.to_owned(),
            flow_id: None,
            attempt_index: settings.attempt_index,
            attempt_id: fence.attempt_id().to_string(),
            resumes: settings.resumption.is_some(),
            retries: settings.attempt_index,
            traceparent: None,
            attempt_type: if settings.attempt_index == 0 {
                types::AttemptType::Initial
            } else {
                types::AttemptType::Retry
            },
            input: input.into(),
            tags: settings.tags.clone(),
        }),
        resumption: settings.resumption.clone().map(convert::resumption),
        attempt: Arc::new(Attempt::new(
            fence,
            Instant::now(),
            forever,
            settings.attempt_timeout_ms,
            &settings.sandbox,
        )),
        has_timeout: settings.attempt_timeout_ms.is_some(),
        known: None,
        was_reclaimed: false,
        used_before: OnceLock::new(),
        stream: Streamed::default(),
    };
    let setup = SandboxSetup {
        backend,
        limits: settings.sandbox,
        instance_limits: settings.limits,
        reservation,
    };
    (Arc::new(held), setup)
}
