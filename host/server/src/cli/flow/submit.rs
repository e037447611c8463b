//! `flowhost flow submit` and `add`: files become flows, and grow them.

use std::path::Path;

use reqwest::Method;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::command::{AddArgs, SubmitArgs};
use super::file::{self, Document, Form};
use super::show::ended;
use crate::api::ChangedFlow;
use crate::cli::execution::tag::read_label;
use crate::cli::execution::watch::within;
use crate::cli::io::{Context, Exit, Failure, Request, actor, interruptible, read_text, to_stderr};

pub(super) async fn submit(context: &Context, args: SubmitArgs) -> Result<Exit, Failure> {
    let document = read(&args.file, Form::Flow)?;
    let mut more = Vec::new();
    if let Some(namespace) = context.namespace(args.namespace) {
        more.push(("namespace", Value::from(namespace)));
    }
    if let Some(key) = args.idempotency_key {
        more.push(("idempotency_key", Value::from(key)));
    }
    let mut labels = Map::new();
    for label in &args.tags {
        match read_label(label)? {
            (key, Some(value)) => drop(labels.insert(key, Value::from(value))),
            (key, None) => {
                let message = format!("--tag {key}-: write owner.name=value");
                return Err(Failure::usage(message));
            }
        }
    }
    let request = Request {
        query: args.dry_run.query(),
        headers: Vec::new(),
        body: Some(body(&document, more, labels)?),
    };
    let client = context.client()?;
    let sent = client.send(Method::POST, "/v1/flows", request).await;
    let answer = sent.map_err(|failure| located(failure, &args.file, &document))?;
    let flow: ChangedFlow = answer.read()?;
    if args.dry_run.is_asked() || !args.wait {
        if !context.prints_json(&answer) {
            let line = match (args.dry_run.is_asked(), flow.created) {
                (false, _) => flow.flow_id.to_string(),
                (true, true) => format!(
                    "it would be created with {} members and {} edges",
                    flow.node_count, flow.edge_count
                ),
                (true, false) => format!("it exists already as {}", flow.flow_id),
            };
            args.dry_run.line(context, &line);
        }
        return Ok(Exit::Ok);
    }
    to_stderr(&format!("flow {}", flow.flow_id));
    let path = format!("/v1/flows/{}", flow.flow_id);
    let (shown, answer) =
        interruptible(within(args.timeout, ended(&client, &path, Vec::new()))).await?;
    if !context.prints_json(&answer) {
        context.line(&super::draw::summary(context.terminal, &shown));
    }
    Ok(super::show::exit(&shown))
}

pub(super) async fn add(context: &Context, args: AddArgs) -> Result<Exit, Failure> {
    let document = read(&args.file, Form::Growth)?;
    let mut query = args.dry_run.query();
    query.extend(args.flow.query(context));
    let mut more = Vec::new();
    if let Some(actor) = actor() {
        more.push(("actor", Value::from(actor)));
    }
    let request = Request {
        query,
        headers: Vec::new(),
        body: Some(body(&document, more, Map::new())?),
    };
    let client = context.client()?;
    let path = args.flow.path("/members");
    let sent = client.send(Method::POST, &path, request);
    let answer = sent
        .await
        .map_err(|failure| located(failure, &args.file, &document))?;
    context.answered(&answer, |flow: ChangedFlow| {
        let line = format!(
            "the flow has {} members and {} edges, at revision {}",
            flow.node_count, flow.edge_count, flow.graph_revision
        );
        args.dry_run.line(context, &line);
    })
}

pub(super) fn read(path: &Path, form: Form) -> Result<Document, Failure> {
    let text = read_text(path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    file::read(&text, folder, form).map_err(|fault| {
        let message = format!("{}:{fault}", path.display());
        Failure::usage(message)
    })
}

/// Returns the body of a request, with what the command line says beside the file. What the
/// file has keeps its text.
pub(super) fn body(
    document: &Document,
    more: Vec<(&'static str, Value)>,
    labels: Map<String, Value>,
) -> Result<(String, Vec<u8>), Failure> {
    type Members = std::collections::BTreeMap<String, Box<RawValue>>;
    let fault = |error: serde_json::Error| Failure::new(Exit::Fault, error.to_string());
    let mut members: Members = serde_json::from_str(&document.body).map_err(fault)?;
    for (name, value) in more {
        // The actor of the file stays.
        if name == "actor" && members.contains_key(name) {
            continue;
        }
        let value = serde_json::value::to_raw_value(&value).map_err(fault)?;
        members.insert(name.to_owned(), value);
    }
    if !labels.is_empty() {
        let mut tags: Map<String, Value> = match members.get("tags") {
            Some(tags) => serde_json::from_str(tags.get()).map_err(fault)?,
            None => Map::new(),
        };
        tags.extend(labels);
        let tags = serde_json::value::to_raw_value(&tags).map_err(fault)?;
        members.insert("tags".to_owned(), tags);
    }
    let bytes = serde_json::to_vec(&members).map_err(fault)?;
    Ok(("application/json".to_owned(), bytes))
}

/// Says where in the file the member is that a problem is about.
pub(super) fn located(mut failure: Failure, path: &Path, document: &Document) -> Failure {
    let problem = failure.problem.as_ref();
    let member = problem.and_then(|it| it["member"].as_str());
    if let Some(at) = member.and_then(|member| document.place_of(member)) {
        failure.message = format!("{}:{at}: {}", path.display(), failure.message);
    }
    failure
}
