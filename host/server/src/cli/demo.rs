//! Samples: submits each, shows live what becomes of them, and writes their
//! results to a directory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use model::ExecutionId;
use reqwest::Method;
use serde::Deserialize;

use super::client::{Client, Request};
use super::exit::{Exit, Failure};
use super::input::of_extension;
use super::terminal::{Paint, neutralise, size};
use super::{Context, watch};
use crate::api::{CreatedExecution, Execution, Progress};
use crate::duration;

/// Between two looks at the samples that run.
const INTERVAL: Duration = Duration::from_millis(100);

/// A file of samples.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    sample: Vec<Entry>,
}

/// One sample as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Which handler it needs.
    kind: String,
    /// A file that is the input, relative to the file of samples.
    file: Option<PathBuf>,
    /// The input itself.
    input: Option<String>,
    /// Media type of the input; absent, by the file's extension.
    content_type: Option<String>,
    /// Name of the file the result is written to.
    output: Option<PathBuf>,
    /// Labels, `owner.name` to value.
    #[serde(default)]
    tags: std::collections::BTreeMap<String, String>,
}

/// One sample, ready to be submitted.
#[derive(Debug)]
pub struct Sample {
    kind: String,
    shown: String,
    content_type: String,
    input: Vec<u8>,
    output: Option<PathBuf>,
    tags: std::collections::BTreeMap<String, String>,
}

/// Reads a file of samples and the files it names.
pub fn read(path: &Path) -> Result<Vec<Sample>, Failure> {
    let wrong = |detail: String| Failure::usage(format!("{}: {detail}", path.display()));
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
    let file: File = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let dir = path.parent().unwrap_or(Path::new("."));
    file.sample
        .into_iter()
        .map(|entry| {
            let (shown, default_type, input) = match (&entry.file, entry.input) {
                (Some(file), None) => {
                    let path = dir.join(file);
                    let bytes = std::fs::read(&path)
                        .map_err(|error| Failure::file("read", &path, &error))?;
                    (file.display().to_string(), of_extension(file), bytes)
                }
                (None, Some(text)) => {
                    let shown: String = text.chars().take(24).collect();
                    (shown, "text/plain; charset=utf-8", text.into_bytes())
                }
                _ => {
                    let detail = format!("a sample of {} needs either file or input", entry.kind);
                    return Err(wrong(detail));
                }
            };
            if entry
                .output
                .as_ref()
                .is_some_and(|output| !is_plain(output))
            {
                return Err(wrong(format!(
                    "output of a sample of {} must be a plain file name",
                    entry.kind
                )));
            }
            Ok(Sample {
                kind: entry.kind,
                shown,
                content_type: entry
                    .content_type
                    .unwrap_or_else(|| default_type.to_owned()),
                input,
                output: entry.output,
                tags: entry.tags,
            })
        })
        .collect()
}

/// Results stay in their directory.
fn is_plain(output: &Path) -> bool {
    output
        .file_name()
        .is_some_and(|name| name == output.as_os_str())
}

/// A sample that was submitted.
struct Running<'a> {
    sample: &'a Sample,
    id: ExecutionId,
    info: Option<Execution>,
    written: Option<String>,
}

impl Running<'_> {
    fn ended(&self) -> bool {
        self.info
            .as_ref()
            .is_some_and(|info| info.public_state.is_terminal())
    }
}

/// Submits the samples and returns when all have ended; says where results are.
pub async fn run(
    context: &Context,
    client: &Client,
    samples: &[Sample],
    results: &Path,
) -> Result<(), Failure> {
    std::fs::create_dir_all(results).map_err(|error| Failure::file("create", results, &error))?;
    let mut running = Vec::new();
    for sample in samples {
        running.push(submit(client, sample).await?);
    }
    let mut above = 0;
    loop {
        for one in running.iter_mut().filter(|one| !one.ended()) {
            look(client, one, results).await?;
            if one.ended() && !context.terminal.live && !context.json {
                context.terminal.line(&said(context, one));
            }
        }
        if context.terminal.live && !context.json {
            let rows: Vec<_> = running.iter().map(row).collect();
            let lines = context.terminal.table_lines(&HEADER, &rows);
            context.terminal.redraw(above, &lines);
            above = lines.len();
        }
        if running.iter().all(Running::ended) {
            break;
        }
        tokio::time::sleep(INTERVAL).await;
    }
    summary(context, &running, results);
    Ok(())
}

async fn submit<'a>(client: &Client, sample: &'a Sample) -> Result<Running<'a>, Failure> {
    let mut query = vec![("kind", sample.kind.clone())];
    for (key, value) in &sample.tags {
        query.push(("tag", format!("{key}:{value}")));
    }
    let request = Request {
        query,
        headers: Vec::new(),
        body: Some((sample.content_type.clone(), sample.input.clone())),
    };
    let created: CreatedExecution = client
        .send(Method::POST, "/v1/executions", request)
        .await?
        .read()?;
    Ok(Running {
        sample,
        id: created.id,
        info: None,
        written: None,
    })
}

async fn look(client: &Client, one: &mut Running<'_>, results: &Path) -> Result<(), Failure> {
    let path = format!("/v1/executions/{}", one.id);
    let info: Execution = client.get(&path, Vec::new()).await?.read()?;
    if Exit::of_state(info.public_state) == Exit::Ok
        && info.public_state.is_terminal()
        && let Some(output) = &one.sample.output
    {
        let result = client.get(&format!("{path}/result"), Vec::new()).await?;
        let path = results.join(output);
        std::fs::write(&path, &result.body)
            .map_err(|error| Failure::file("write", &path, &error))?;
        one.written = Some(format!(
            "{} ({})",
            path.display(),
            size(result.body.len() as u64)
        ));
    }
    one.info = Some(info);
    Ok(())
}

const HEADER: [&str; 6] = ["KIND", "INPUT", "STATE", "ATTEMPTS", "TOOK", "RESULT"];

fn row(one: &Running<'_>) -> Vec<(Paint, String)> {
    let sample = one.sample;
    let mut cells = vec![
        (Paint::Bold, neutralise(&sample.kind)),
        (Paint::Plain, neutralise(&sample.shown)),
    ];
    let Some(info) = &one.info else {
        cells.push((Paint::Dim, "waiting".to_owned()));
        return cells;
    };
    let took = info.finished_at.map(|finished| {
        duration::show(Duration::try_from(finished - info.created_at).unwrap_or_default())
    });
    let outcome = match (&one.written, &info.failure) {
        (Some(written), _) => written.clone(),
        (None, Some(failure)) => neutralise(&failure.code),
        (None, None) => info
            .progress
            .as_ref()
            .map(said_progress)
            .unwrap_or_default(),
    };
    cells.extend([
        (
            Paint::of_state(info.public_state),
            info.public_state.to_string(),
        ),
        (Paint::Plain, info.attempts.to_string()),
        (Paint::Plain, took.unwrap_or_default()),
        (Paint::Dim, outcome),
    ]);
    cells
}

fn said_progress(progress: &Progress) -> String {
    let percent = progress.percent.map(|percent| format!("{percent} % "));
    let message: String = progress
        .message
        .iter()
        .flat_map(|text| text.chars().take(40))
        .collect();
    format!("{}{}", percent.unwrap_or_default(), neutralise(&message))
}

fn said(context: &Context, one: &Running<'_>) -> String {
    let Some(info) = &one.info else {
        return String::new();
    };
    let written = one.written.as_ref().map(|text| format!(" -> {text}"));
    format!(
        "{} {}: {}{}{}",
        neutralise(&one.sample.kind),
        neutralise(&one.sample.shown),
        context.terminal.paint(
            Paint::of_state(info.public_state),
            info.public_state.as_str()
        ),
        watch::why(info),
        written.unwrap_or_default(),
    )
}

fn summary(context: &Context, running: &[Running<'_>], results: &Path) {
    if context.json {
        for one in running {
            let line = serde_json::json!({
                "kind": one.sample.kind,
                "id": one.id,
                "state": one.info.as_ref().map(|info| info.public_state),
                "output": one.sample.output,
            });
            context.terminal.json(&line.to_string());
        }
        return;
    }
    let results = std::fs::canonicalize(results).unwrap_or_else(|_| results.to_owned());
    context.terminal.line("");
    context.terminal.line(&format!(
        "results are in {}",
        context
            .terminal
            .paint(Paint::Bold, &results.display().to_string())
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(text: &str) -> Result<Vec<Sample>, Failure> {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("a.png"), b"png").expect("write");
        let path = dir.path().join("samples.toml");
        std::fs::write(&path, text).expect("write");
        read(&path)
    }

    #[test]
    fn files_are_found_beside_the_samples() {
        let read = samples("[[sample]]\nkind = \"k\"\nfile = \"a.png\"\noutput = \"b.png\"\n");
        let sample = read.expect("valid").pop().expect("one");
        assert_eq!(
            (sample.content_type.as_str(), sample.input.as_slice()),
            ("image/png", b"png".as_slice())
        );
    }

    #[test]
    fn a_sample_has_one_input_and_stays_in_its_directory() {
        for text in [
            "[[sample]]\nkind = \"k\"\n",
            "[[sample]]\nkind = \"k\"\ninput = \"x\"\nfile = \"a.png\"\n",
            "[[sample]]\nkind = \"k\"\ninput = \"x\"\noutput = \"../x\"\n",
            "[[sample]]\nkind = \"k\"\ninput = \"x\"\noutput = \"/x\"\n",
            "[[sample]]\nkind = \"k\"\ninput = \"x\"\nfoo = 1\n",
        ] {
            assert!(samples(text).is_err(), "{text}");
        }
    }
}
