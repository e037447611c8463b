//! Measures what a fresh sandbox costs: store, instance, call and drop, one
//! after another, against the same work as a native function.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::Payload;

use crate::component::Error;
use crate::component::inspect::digest;
use crate::component::registry::ComponentSource;
use crate::host::Backend;
use crate::invoke::{InvokeRefusal, InvokeSettings, local_lease, standalone_registry};
use crate::sandbox::{self, AttemptEnd};
use crate::settings::Pooling;

/// What a sandbox costs, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct SandboxCost {
    /// Number of sandboxes that were measured.
    pub runs: u32,
    /// Median time of one sandbox.
    pub p50_us: f64,
    /// Time that 99 of 100 sandboxes stayed below.
    pub p99_us: f64,
    /// Median time of the native call.
    pub native_p50_us: f64,
    /// Whether sandboxes came from a pool.
    pub pooled: bool,
}

/// Runs the handler in `wasm`, which returns its input, in `runs` sandboxes.
///
/// # Errors
///
/// If the sandbox cannot be set up, or the handler does not succeed.
pub async fn sandbox_cost(
    wasm: &[u8],
    input: &Payload,
    runs: u32,
) -> Result<Result<SandboxCost, InvokeRefusal>, Error> {
    let settings = InvokeSettings::default();
    let registry = standalone_registry(Pooling::Auto, 16, &settings)?;
    let pooled = registry.wasm().is_pooled();
    let loaded = match registry
        .load(digest(wasm), ComponentSource::Bytes(wasm.into()))
        .await
    {
        Ok(loaded) => loaded,
        Err(error) => return Ok(Err(error.refusal()?.into())),
    };
    let Some(handler) = loaded.handler() else {
        return Ok(Err(InvokeRefusal::Service));
    };
    let runs = runs.max(1);
    let mut fresh = Vec::with_capacity(runs as usize);
    // The first ones pay for pages and code that later ones share.
    for run in 0..runs.saturating_add(100) {
        let kept_bytes = input.data.len() as u64;
        let began = Instant::now();
        let demand = loaded.footprint.demand(&settings.sandbox, kept_bytes);
        let reservation = registry.budget().reserve(&demand).await;
        let reserving = began.elapsed();
        let backend = Backend::Local(Arc::default());
        let (held, setup) = local_lease(&settings, "bench", input.clone(), backend, reservation);
        let began = Instant::now();
        let verdict = sandbox::run(handler, held, setup).await;
        let took = reserving + began.elapsed();
        if !matches!(verdict.outcome, AttemptEnd::Completed(_)) {
            return Err(Error::Unavailable(format!(
                "the handler did not complete: {:?}",
                verdict.outcome
            )));
        }
        if run >= 100 {
            fresh.push(took);
        }
    }
    let mut native: Vec<Duration> = (0..runs)
        .map(|_| {
            let began = Instant::now();
            black_box(echo(black_box(input)));
            began.elapsed()
        })
        .collect();
    Ok(Ok(SandboxCost {
        runs,
        p50_us: quantile_us(&mut fresh, 50),
        p99_us: quantile_us(&mut fresh, 99),
        native_p50_us: quantile_us(&mut native, 50),
        pooled,
    }))
}

#[inline(never)]
fn echo(input: &Payload) -> Payload {
    input.clone()
}

fn quantile_us(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}
