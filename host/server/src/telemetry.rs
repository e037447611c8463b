//! Log lines on standard error: for people on a terminal, JSON for programs.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::Telemetry;

/// Installs the process's subscriber. Later calls change nothing.
///
/// A filter that cannot be parsed is replaced by the default, with a warning.
pub fn install(settings: &Telemetry) {
    let (filter, wrong) = match EnvFilter::try_new(&settings.log) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(Telemetry::default().log), Some(error)),
    };
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let installed = if settings.log_json {
        builder.json().flatten_event(true).try_init()
    } else {
        let colors = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        builder
            .with_ansi(colors)
            .with_target(false)
            .compact()
            .try_init()
    };
    if installed.is_ok()
        && let Some(error) = wrong
    {
        tracing::warn!(%error, "telemetry.log is not a valid filter; the default is used");
    }
}
