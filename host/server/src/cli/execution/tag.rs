//! `flowhost tag`: shows, sets and removes the labels of an execution.

use std::collections::BTreeMap;

use clap::Args;
use reqwest::Method;
use serde_json::json;

use super::operate::{Which, send};
use crate::api::Tags;
use crate::cli::io::{Context, Exit, Failure, escape};

/// Arguments of `tag`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flowhost tag ID
  flowhost tag ID app.customer=acme app.urgent-")]
pub struct TagArgs {
    #[command(flatten)]
    which: Which,
    /// owner.name=value sets a label, owner.name- removes it; none shows them
    #[arg(value_name = "LABEL")]
    labels: Vec<String>,
}

/// Runs the command.
pub async fn run(context: &Context, args: TagArgs) -> Result<Exit, Failure> {
    let dry_run = args.which.dry_run;
    let answer = if args.labels.is_empty() {
        let path = format!("/v1/executions/{}/tags", args.which.id);
        context.client()?.get(&path, Vec::new()).await?
    } else {
        let labels = args.labels.iter().map(|label| read_label(label));
        let tags = labels.collect::<Result<BTreeMap<_, _>, _>>()?;
        let body = json!({"tags": tags});
        send(context, Method::PATCH, "tags", args.which, body).await?
    };
    if context.prints_json(&answer) {
        return Ok(Exit::Ok);
    }
    for (key, value) in answer.read::<Tags>()?.tags {
        let line = format!("{}={}", escape(&key), escape(&value));
        context.line(&line);
    }
    if dry_run.is_asked() {
        dry_run.line(context, "it would have these labels");
    }
    Ok(Exit::Ok)
}

/// Reads `key=value` or `key-`.
pub fn read_label(label: &str) -> Result<(String, Option<String>), Failure> {
    if let Some((key, value)) = label.split_once('=') {
        return Ok((key.to_owned(), Some(value.to_owned())));
    }
    match label.strip_suffix('-') {
        Some(key) => Ok((key.to_owned(), None)),
        None => Err(Failure::usage(format!(
            "`{label}` is neither owner.name=value nor owner.name-"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_set_and_removed() {
        let set = read_label("app.a=b=c").expect("sets");
        assert_eq!(set, ("app.a".to_owned(), Some("b=c".to_owned())));
        assert_eq!(read_label("app.a-").expect("removes").1, None);
        assert!(read_label("app.a").is_err());
    }
}
