//! `flowhost dev`: runs a host for development, loads components from a
//! directory, and can show what it does with samples.

use std::path::PathBuf;

use clap::Args;

use super::{HostArgs, demo, load, samples, serve};
use crate::cli::io::{
    Client, Context, Exit, Failure, Paint, Target, URL_DEFAULT, escape, same_host, to_stderr,
};
use crate::config::Config;
use crate::host::Stage;
use crate::telemetry;

/// Arguments of `dev`.
#[derive(Debug, Args)]
pub struct DevArgs {
    #[command(flatten)]
    host: HostArgs,
    /// Publish every component in this directory, each for the kind its file is named after
    #[arg(long, value_name = "DIR")]
    load: Option<PathBuf>,
    /// Submit the samples of this file and show how they run
    #[arg(long, value_name = "FILE")]
    demo: Option<PathBuf>,
    /// Directory for the results of the samples
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
}

/// Runs the command.
pub async fn run(context: &Context, args: DevArgs) -> Result<Exit, Failure> {
    let mut loaded = args.host.load()?;
    // Logs and a live table share the terminal: here people watch the table.
    if !loaded.origins.contains_key("telemetry.log") {
        loaded.config.telemetry.log = "warn,sqlx=error".to_owned();
    }
    let config = loaded.config;
    telemetry::install(&config.telemetry);
    let samples = args.demo.as_deref().map(samples::read).transpose()?;
    let shutdown = serve::signals()?;
    let Some(host) = serve::start(context, &config, &shutdown).await? else {
        return Ok(Exit::Ok);
    };
    let url = host.url();
    let work = async {
        if let Some(dir) = &args.load {
            load::directory(context, &host, dir).await?;
        }
        if let Some(samples) = &samples {
            let client = Client::of(&own(context, &config, &url))?;
            demo::run(context, &client, samples, &args.results).await?;
        }
        next_steps(context, &url);
        Ok::<(), Failure>(())
    };
    let interrupted = tokio::select! {
        done = work => {
            // The host stays up, so that people can find out why.
            if let Err(failure) = done {
                to_stderr(&format!("error: {}", escape(&failure.message)));
            }
            false
        }
        () = shutdown.reached(Stage::Draining) => true,
    };
    if !interrupted {
        shutdown.reached(Stage::Draining).await;
    }
    host.stop(config.worker.drain_grace(), Some(&shutdown))
        .await;
    Ok(Exit::Ok)
}

/// Returns the host in this process as a target: it is trusted by what was named for hosts,
/// or else by its own certificate, and gets the key that the environment or a profile of
/// its URL has.
fn own(context: &Context, config: &Config, url: &str) -> Target {
    let named = context.target().ok();
    let ca = named.and_then(|it| it.ca.clone());
    let key = named.filter(|it| same_host(&it.url, url));
    Target {
        key: key.and_then(|it| it.key.clone()),
        ca: ca.or_else(|| config.tls.certificate.clone()),
        ..Target::at(url)
    }
}

fn next_steps(context: &Context, url: &str) {
    if context.json {
        return;
    }
    let terminal = context.terminal;
    let at = if url == URL_DEFAULT {
        String::new()
    } else {
        format!("--url {url} ")
    };
    terminal.line("");
    terminal.line(&terminal.paint(
        Paint::Bold,
        "The host stays up; Ctrl-C ends it. Try, in another terminal:",
    ));
    let commands = [
        (format!("flowhost {at}list"), "what ran"),
        (
            format!("flowhost {at}show ID"),
            "attempts, logs and usage of one",
        ),
        (
            format!("flowhost {at}submit KIND --file FILE --wait"),
            "run a file of your own",
        ),
        (
            format!("flowhost {at}component publish FILE.wasm --kind KIND"),
            "add a handler",
        ),
        (format!("curl {url}/openapi.json"), "the API"),
    ];
    let width = commands
        .iter()
        .map(|(command, _)| command.len())
        .max()
        .unwrap_or(0);
    for (command, what) in commands {
        terminal.line(&format!(
            "  {command:<width$}  {}",
            terminal.paint(Paint::Dim, what)
        ));
    }
}
