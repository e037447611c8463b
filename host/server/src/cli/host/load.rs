//! Publishes every component of a directory to a host in this process, each for
//! the kind its file is named after.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt as _;
use runtime::Publication;
use serde_json::json;

use crate::Host;
use crate::cli::component::PublishingProgress;
use crate::cli::io::{Context, Exit, Failure, Paint, escape, format_duration, to_stderr};
use crate::stopwatch::Stopwatch;

/// Components published at once, so that the compiler never waits for the next.
const AT_ONCE: usize = 4;
/// How long one takes before its progress is reported, and between two reports.
const REPORT_AFTER: Duration = Duration::from_secs(3);
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Publishes every component of a directory. One that cannot be run is reported and
/// skipped.
pub async fn directory(context: &Context, host: &Host, dir: &Path) -> Result<(), Failure> {
    let mut files = components(dir)?;
    // The smallest first, since they are compiled soonest.
    files.sort_by_cached_key(|(_, path)| std::fs::metadata(path).map_or(0, |file| file.len()));
    if files.is_empty() {
        to_stderr(&format!(
            "warning: there is no .wasm file in {}",
            dir.display()
        ));
    }
    let mut published = futures::stream::iter(files)
        .map(|(kind, path)| async move {
            let watch = Stopwatch::start();
            let done = publish_file(context, host, &kind, &path).await;
            (kind, path, done, watch.elapsed())
        })
        .buffer_unordered(AT_ONCE);
    while let Some((kind, path, done, took)) = published.next().await {
        match done {
            Ok(digest) if context.json => {
                let line = json!({"loaded": kind, "digest": digest});
                context.terminal.json(&line.to_string());
            }
            Ok(digest) => context.line(&format!(
                "loaded {} {}",
                context.terminal.paint(Paint::Bold, &kind),
                context.terminal.paint(
                    Paint::Dim,
                    &format!("{} in {}", digest.short(), format_duration(took))
                ),
            )),
            Err(failure) => to_stderr(&format!(
                "warning: {} is not loaded: {}",
                path.display(),
                escape(&failure.message)
            )),
        }
    }
    Ok(())
}

/// Publishes one component and routes a kind to it; reports the progress if that takes
/// long.
pub async fn publish_file(
    context: &Context,
    host: &Host,
    kind: &str,
    path: &Path,
) -> Result<model::Digest, Failure> {
    let bytes = tokio::fs::read(path)
        .await
        .map_err(|error| Failure::file("read", path, &error))?;
    let refused = |text: String| Failure::new(Exit::Fault, text);
    let routes = vec![(kind.to_owned(), 1)];
    let digest = host
        .runtime()
        .begin_publishing(bytes, routes)
        .await?
        .map_err(|refusal| refused(refusal.to_string()))?;
    let mut shown = PublishingProgress::of(kind);
    let mut wait = REPORT_AFTER;
    let end = loop {
        match host.runtime().publication(&digest, wait).await {
            Some(Publication::Ended(end)) => break end,
            Some(Publication::InProgress(progress)) => shown.show(context, &progress.into()),
            None => {
                return Err(refused(
                    "the host no longer knows how publishing it ended".to_owned(),
                ));
            }
        }
        wait = REPORT_EVERY;
    };
    match &*end {
        Ok(Ok(_published)) => {
            host.refresh();
            Ok(digest)
        }
        Ok(Err(refusal)) => Err(refused(refusal.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// Returns kind and path of each component, by name.
fn components(dir: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
    let failed = |error: std::io::Error| Failure::file("read", dir, &error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_component = path
            .extension()
            .is_some_and(|extension| extension == "wasm");
        if let Some(kind) = path.file_stem().and_then(|stem| stem.to_str())
            && is_component
        {
            found.push((kind.to_owned(), path));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_named_after_its_file() {
        let dir = tempfile::tempdir().expect("a directory");
        for name in ["thumbnail.wasm", "csv-report.wasm", "README.md"] {
            std::fs::write(dir.path().join(name), b"").expect("write");
        }
        let kinds: Vec<_> = components(dir.path())
            .expect("reads")
            .into_iter()
            .map(|(kind, _)| kind)
            .collect();
        assert_eq!(kinds, ["csv-report", "thumbnail"]);
    }
}
