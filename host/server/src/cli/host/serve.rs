//! `flowhost serve`: runs a host until it is asked to end.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::HostArgs;
use crate::Host;
use crate::cli::io::{Context, Exit, Failure, format_duration, this_binary, to_stderr};
use crate::config::Config;
use crate::host::{Shutdown, Stage};
use crate::stopwatch::Stopwatch;
use crate::telemetry;

/// What a host says that lets anybody beyond this machine do everything.
const INSECURE: &str = "WARNING: the API listens beyond this machine and lets anybody do everything (access.insecure_no_auth)";

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    host: HostArgs,
}

/// Runs the command.
pub async fn run(context: &Context, args: ServeArgs) -> Result<Exit, Failure> {
    let config = args.host.load()?.config;
    telemetry::install(&config.telemetry);
    let shutdown = signals()?;
    let Some(host) = start(context, &config, &shutdown).await? else {
        return Ok(Exit::Ok);
    };
    shutdown.reached(Stage::Draining).await;
    host.stop(config.worker.drain_grace(), Some(&shutdown))
        .await;
    Ok(Exit::Ok)
}

/// Handles the signals of the process from now on.
pub fn signals() -> Result<Shutdown, Failure> {
    Shutdown::on_signals()
        .map_err(|error| Failure::new(Exit::Fault, format!("cannot handle signals: {error}")))
}

/// Starts a host and prints its URL; `None` if the process was asked to end meanwhile.
pub async fn start(
    context: &Context,
    config: &Config,
    shutdown: &Shutdown,
) -> Result<Option<Host>, Failure> {
    let watch = Stopwatch::start();
    let mut asked_to_end = false;
    let host = {
        let starting = Host::start(config, this_binary()?);
        let mut starting = std::pin::pin!(starting);
        // A start is not abandoned half way: what has begun must be stopped.
        tokio::select! {
            host = &mut starting => host?,
            () = shutdown.reached(Stage::Draining) => {
                asked_to_end = true;
                tokio::select! {
                    host = &mut starting => host?,
                    () = shutdown.reached(Stage::Immediately) => return Ok(None),
                }
            }
        }
    };
    if asked_to_end {
        host.stop(Duration::ZERO, Some(shutdown)).await;
        return Ok(None);
    }
    if config.access.is_open(config.http.listen) {
        to_stderr(INSECURE);
    }
    let instance = host.engine().instance().id;
    if context.json {
        let ready = json!({
            "url": host.url(),
            "instance_id": instance,
            "worker_instance_id": host.instance(),
            "ready_ms": watch.elapsed_ms(),
        });
        context.terminal.json(&ready.to_string());
    } else {
        context.line(&format!(
            "flowhost {} is ready at {} (instance {instance}, worker {}, after {})",
            env!("CARGO_PKG_VERSION"),
            host.url(),
            host.instance(),
            format_duration(watch.elapsed()),
        ));
    }
    Ok(Some(host))
}
