//! The effective configuration with the origin of each value, and what was found.

use clap::Args;
use serde_json::{Value, json};

use super::checks::{self, Finding};
use crate::cli::host::HostArgs;
use crate::cli::io::{Context, Exit, Failure, Paint, escape, escape_lines};
use crate::config::{Loaded, Origin};

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    host: HostArgs,
}

/// Runs the command.
pub async fn run(context: &Context, args: DoctorArgs) -> Result<Exit, Failure> {
    let loaded = args.host.load()?;
    let values = effective(&loaded)?;
    let findings = checks::all(context, &loaded.config).await;
    let well = findings.iter().all(|finding| finding.good != Some(false));
    if context.json {
        let values: Vec<Value> = values
            .iter()
            .map(|(key, value, origin)| json!({"key": key, "value": value, "origin": origin.to_string()}))
            .collect();
        let findings: Vec<Value> = findings
            .iter()
            .map(|it| json!({"what": it.what, "good": it.good, "detail": it.detail}))
            .collect();
        let shown = json!({"configuration": values, "findings": findings});
        context.terminal.json(&shown.to_string());
    } else {
        show(context, &values, &findings);
    }
    Ok(if well { Exit::Ok } else { Exit::Failed })
}

fn show(context: &Context, values: &[(String, Value, Origin)], findings: &[Finding]) {
    let terminal = context.terminal;
    let rows: Vec<_> = values
        .iter()
        .map(|(key, value, origin)| {
            let paint = if *origin == Origin::Default {
                Paint::Dim
            } else {
                Paint::Bold
            };
            let value = match value {
                Value::Null => "-".to_owned(),
                Value::String(text) => escape(text),
                other => escape(&other.to_string()),
            };
            vec![
                (Paint::Plain, key.clone()),
                (paint, value),
                (Paint::Dim, origin.to_string()),
            ]
        })
        .collect();
    terminal.table(&["KEY", "VALUE", "FROM"], &rows);
    terminal.line("");
    for finding in findings {
        let (paint, mark) = match finding.good {
            Some(true) => (Paint::Green, "ok "),
            Some(false) => (Paint::Red, "bad"),
            None => (Paint::Yellow, "-  "),
        };
        let detail = escape_lines(&finding.detail);
        terminal.line(&format!(
            "{} {}: {detail}",
            terminal.paint(paint, mark),
            finding.what
        ));
    }
}

/// Returns key, value and origin of everything that can be configured; a
/// database's password is left out.
fn effective(loaded: &Loaded) -> Result<Vec<(String, Value, Origin)>, Failure> {
    let mut config = loaded.config.clone();
    config.database.url = config.database.redacted_url();
    config.database.listen_url = config.database.redacted_listen_url();
    let sections = serde_json::to_value(&config)
        .map_err(|error| Failure::new(Exit::Fault, error.to_string()))?;
    let mut values = Vec::new();
    for (section, keys) in sections.as_object().into_iter().flatten() {
        for (key, value) in keys.as_object().into_iter().flatten() {
            let path = format!("{section}.{key}");
            let origin = loaded
                .origins
                .get(&path)
                .cloned()
                .unwrap_or(Origin::Default);
            values.push((path, value.clone(), origin));
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    #[test]
    fn every_key_is_listed_and_no_password() {
        let sources = Sources {
            environment: vec![("DATABASE_URL".into(), "postgres://a:s3cret@h/d".into())],
            ..Sources::default()
        };
        let values = effective(&sources.load().expect("valid")).expect("shows");
        let find = |key: &str| values.iter().find(|(it, ..)| it == key).expect("a key");
        assert_eq!(find("database.url").1, "postgres://a:***@h/d");
        assert_eq!(
            find("database.url").2,
            Origin::Environment("DATABASE_URL".into())
        );
        assert_eq!(find("worker.slots").2, Origin::Default);
        assert!(
            values
                .iter()
                .all(|(_, value, _)| !value.to_string().contains("s3cret"))
        );
    }
}
