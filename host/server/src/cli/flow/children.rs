//! Children: those that an execution has started, and what others of its flow give to it.

use std::path::PathBuf;

use clap::Args;
use model::ExecutionId;
use reqwest::Method;
use serde_json::{Value, json};

use super::file::Form;
use super::submit::{body, located, read};
use crate::api::{ChangedFlow, Child, FlowInput, GivenResults};
use crate::cli::io::{Context, Exit, Failure, Paint, Request, escape, to_stdout};

/// Arguments of `lease start-children`.
#[derive(Debug, Args)]
pub struct StartChildrenArgs {
    /// The lease, as it was claimed
    lease: String,
    /// The file, in YAML or JSON, as `flow add` reads it; - for standard input
    file: PathBuf,
}

/// Starts children under a lease.
pub async fn start(context: &Context, args: StartChildrenArgs) -> Result<Exit, Failure> {
    let document = read(&args.file, Form::Growth)?;
    let more = vec![("lease", Value::from(args.lease))];
    let request = Request {
        query: Vec::new(),
        headers: Vec::new(),
        body: Some(body(&document, more, serde_json::Map::new())?),
    };
    let client = context.client()?;
    let sent = client.send(Method::POST, "/v1/leases/children", request);
    let answer = sent
        .await
        .map_err(|failure| located(failure, &args.file, &document))?;
    context.answered(&answer, |flow: ChangedFlow| {
        for member in &flow.members {
            let name = member.name.as_deref().unwrap_or("-");
            context.line(&format!("{} {}", member.execution_id, escape(name)));
        }
    })
}

/// Lists the children and inputs that the holder of a lease is given.
pub async fn results(context: &Context, lease: &str) -> Result<Exit, Failure> {
    let client = context.client()?;
    let body = json!({"lease": lease});
    let sent = client.send_json(Method::POST, "/v1/leases/results", &body);
    context.answered(&sent.await?, |given| show(context, &given))
}

/// Prints the result of one of them.
pub async fn result(context: &Context, lease: &str, id: ExecutionId) -> Result<Exit, Failure> {
    let client = context.client()?;
    let body = json!({"lease": lease, "execution_id": id});
    let sent = client.send_json(Method::POST, "/v1/leases/result", &body);
    to_stdout(&sent.await?.body);
    Ok(Exit::Ok)
}

pub(super) async fn list(
    context: &Context,
    id: ExecutionId,
    namespace: Option<String>,
) -> Result<Exit, Failure> {
    let namespace = context.namespace(namespace);
    let query = namespace.into_iter().map(|name| ("namespace", name));
    let request = Request {
        query: query.collect(),
        headers: Vec::new(),
        body: None,
    };
    let client = context.client()?;
    let path = format!("/v1/executions/{id}/children");
    let answer = client.send(Method::GET, &path, request).await?;
    context.answered(&answer, |given| show(context, &given))
}

fn show(context: &Context, given: &GivenResults) {
    let header = ["CHILD", "OUTCOME", "RESULT", "ID"];
    context.rows(&given.children, "no children", &header, child);
    if !given.inputs.is_empty() {
        let header = ["INPUT", "OUTCOME", "RESULT", "ID"];
        context.rows(&given.inputs, "no inputs", &header, input);
    }
}

fn child(child: &Child) -> Vec<(Paint, String)> {
    let outcome = child.outcome.map_or("-", model::Outcome::as_str);
    vec![
        (Paint::Bold, escape(child.name.as_deref().unwrap_or("-"))),
        (Paint::Plain, outcome.to_owned()),
        (
            Paint::Plain,
            size(child.result_type.as_deref(), child.result_bytes),
        ),
        (Paint::Dim, child.execution_id.to_string()),
    ]
}

fn input(input: &FlowInput) -> Vec<(Paint, String)> {
    let outcome = input.outcome.map_or("-", model::Outcome::as_str);
    let bytes = input.result_type.as_ref().map(|_| input.result_bytes);
    vec![
        (Paint::Bold, escape(&input.name)),
        (Paint::Plain, outcome.to_owned()),
        (Paint::Plain, size(input.result_type.as_deref(), bytes)),
        (Paint::Dim, input.execution_id.to_string()),
    ]
}

fn size(media_type: Option<&str>, bytes: Option<u64>) -> String {
    match (media_type, bytes) {
        (Some(media_type), Some(bytes)) => format!("{bytes} B of {}", escape(media_type)),
        _ => "-".to_owned(),
    }
}
