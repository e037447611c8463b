//! How long a starting host takes until its first execution finishes: another process of
//! this program, on the server that runs already and with the component compiled before.

use std::process::Stdio;
use std::time::Duration;

use engine::Create;

use super::lifecycles::{EXECUTION_MAX, KIND, input};
use super::measure::percentile;
use crate::Host;
use crate::cli::io::{Exit, Failure, this_binary};
use crate::config::Config;

/// Lane that only the starting host serves.
const LANE: &str = "bench-start";
const STARTS: usize = 9;

/// Returns the median time from before the process is made to the end of the
/// execution that waited for it, by the database's clock.
pub async fn measure(host: &Host, config: &Config) -> Result<Duration, Failure> {
    let mut times = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        times.push(one(host, config).await?);
    }
    Ok(percentile(&mut times, 0.5))
}

async fn one(host: &Host, config: &Config) -> Result<Duration, Failure> {
    let engine = host.engine();
    let create = Create {
        lane: LANE.to_owned(),
        ..Create::new(KIND, input())
    };
    let id = engine.create(create).await?.id();
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Fault, format!("cannot start another host: {error}"))
    };
    let mut child = tokio::process::Command::new(this_binary()?)
        .arg("serve")
        .args(["--database-url", host.database().url()])
        .args(["--listen", "127.0.0.1:0", "--lane", LANE, "--log", "error"])
        .arg("--cache-dir")
        .arg(config.code_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let finished = engine.wait_finished(id, EXECUTION_MAX).await?;
    child.kill().await.map_err(failed)?;
    let info = engine.get(id, None).await?;
    let took = info.and_then(|info| Some(info.finished_at? - info.created_at));
    match took {
        Some(took) if finished => Ok(Duration::try_from(took).unwrap_or_default()),
        _ => Err(Failure::new(
            Exit::Fault,
            "another host was started and ran nothing",
        )),
    }
}
