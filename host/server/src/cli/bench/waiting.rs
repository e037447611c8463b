//! Suspended executions: how long it takes to suspend one, from the last signal it needs
//! until its handler runs again, and until its result is recorded; and what a million of
//! them cost.

use std::time::Duration;

use engine::bench::{self, Baseline};
use engine::{
    Addressee, Create, Engine, Operate, Operator, Payload, SendSignal, WaitpointRef,
    WaitpointTokenExpiry,
};
use model::{ExecutionId, PublicState, SignalEffect};

use super::idle::PAUSE;
use super::lifecycles::{EXECUTION_MAX, KIND};
use super::measure::{percentile, rss_bytes};
use super::queues::HERD_LANE;
use super::report::{Suspended, Waiting};
use crate::Host;
use crate::cli::io::{Exit, Failure, to_stderr};
use crate::stopwatch::Stopwatch;

/// Kind of the executions that are suspended.
pub const KIND_WAITING: &str = "bench-waiting";
/// Number of executions that are resumed.
const RUNS: usize = 200;
/// Number of searches for expired suspensions.
const SEARCHES: u32 = 1000;
/// Pause between two checks whether an execution is suspended.
const CHECK_PAUSE: Duration = Duration::from_millis(1);

/// Measures executions that are suspended and resumed one at a time on a host with
/// nothing else to do, alternating with single commits.
pub async fn resumed(host: &Host, baseline: &Baseline) -> Result<Waiting, Failure> {
    let engine = host.engine();
    let mut single = baseline.single(engine).await?;
    let (mut cycles, mut results) = (Vec::with_capacity(RUNS), Vec::with_capacity(RUNS));
    let mut commits = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let (id, last) = suspended(engine).await?;
        tokio::time::sleep(PAUSE).await;
        let watch = Stopwatch::start();
        single.insert().await?;
        commits.push(watch.elapsed());
        tokio::time::sleep(PAUSE).await;
        let suspended = bench::suspend_one(engine, HERD_LANE, KIND).await?;
        tokio::time::sleep(PAUSE).await;
        let watch = Stopwatch::start();
        let waiter = tokio::spawn({
            let engine = engine.clone();
            async move {
                (
                    engine.wait_finished(id, EXECUTION_MAX).await,
                    watch.elapsed(),
                )
            }
        });
        let delivered = engine.send_signal(last).await;
        let gone = |error: tokio::task::JoinError| Failure::new(Exit::Fault, error.to_string());
        let (finished, result) = waiter.await.map_err(gone)?;
        // Nothing else runs on this host.
        let opened = host.runtime().last_opened();
        let running = opened.and_then(|opened| watch.until(opened));
        let effect = delivered.map(|delivered| delivered.effect);
        match (effect, finished?, running) {
            (Ok(SignalEffect::ResumeConditionSatisfied), true, Some(running)) => {
                results.push(result);
                cycles.push(suspended + running);
            }
            (effect, ..) => {
                let message = format!("execution {id} was not resumed here: {effect:?}");
                return Err(Failure::new(Exit::Fault, message));
            }
        }
    }
    bench::clear(engine, HERD_LANE).await?;
    let commit_us = percentile(&mut commits, 0.5).as_micros() as f64;
    let p50_us = percentile(&mut cycles, 0.5).as_micros() as f64;
    let p99_us = percentile(&mut cycles, 0.99).as_micros() as f64;
    Ok(Waiting {
        p50_us,
        p99_us,
        result_p50_us: percentile(&mut results, 0.5).as_micros() as f64,
        commit_us,
        commit_p99_us: percentile(&mut commits, 0.99).as_micros() as f64,
        p50_in_commits: p50_us / commit_us,
        p99_in_commits: p99_us / commit_us,
    })
}

/// Creates an execution that waits for two approvals, and sends it one; returns the
/// other.
async fn suspended(engine: &Engine) -> Result<(ExecutionId, SendSignal), Failure> {
    let failed = |text: String| Failure::new(Exit::Fault, text);
    let input = Payload::new("application/json", r#"{"service":"bench","version":"1"}"#);
    let created = engine.create(Create::new(KIND_WAITING, input)).await?;
    let id = created.id();
    let watch = Stopwatch::start();
    loop {
        let state = engine.get(id, None).await?.map(|info| info.public_state);
        match state {
            Some(PublicState::Suspended) => break,
            Some(state) if state.is_terminal() || watch.elapsed() > EXECUTION_MAX => {
                return Err(failed(format!(
                    "execution {id} is {state} instead of suspended"
                )));
            }
            _ => tokio::time::sleep(CHECK_PAUSE).await,
        }
    }
    let operate = Operate {
        id,
        namespace: None,
        by: Operator {
            actor: "bench".to_owned(),
            reason: None,
        },
    };
    let token = engine
        .mint_waitpoint_token(
            operate,
            WaitpointRef::Only,
            Vec::new(),
            WaitpointTokenExpiry::Never,
        )
        .await;
    let token = token
        .map_err(|declined| failed(declined.to_string()))?
        .token;
    let approval = |source: &str| SendSignal {
        to: Addressee::Token {
            token: token.reveal().to_owned(),
            execution_id: None,
            namespace: None,
        },
        name: "approved".to_owned(),
        category: None,
        source_type: "bench".to_owned(),
        source_identity: source.to_owned(),
        credential: None,
        correlation_id: None,
        payload: None,
        idempotency_key: None,
        dedup_ttl_ms: None,
    };
    let first = engine.send_signal(approval("first")).await;
    first.map_err(|declined| failed(declined.to_string()))?;
    Ok((id, approval("second")))
}

/// Measures what many suspended executions cost.
pub async fn many(host: &Host, count: u64) -> Result<Suspended, Failure> {
    let engine = host.engine();
    to_stderr(&format!("{count} suspended executions"));
    let before = rss_bytes();
    let bytes_each = bench::suspend(engine, HERD_LANE, KIND, count).await?;
    let mut searches = bench::due_suspensions(engine, SEARCHES).await?;
    let rss = rss_bytes();
    bench::clear(engine, HERD_LANE).await?;
    Ok(Suspended {
        suspended: count,
        bytes_each,
        rss_bytes: rss,
        rss_before_bytes: before,
        find_due_p50_us: percentile(&mut searches, 0.5).as_micros() as f64,
        find_due_p99_us: percentile(&mut searches, 0.99).as_micros() as f64,
    })
}
