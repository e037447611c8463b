//! `flowhost flow cancel` and `tag`.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::json;

use super::command::{CancelArgs, TagArgs};
use crate::api::{CancelFlow, CancelledFlow, Flow, FlowCancelStatus, TagsSet};
use crate::cli::execution::tag::read_label;
use crate::cli::io::{Context, Exit, Failure, Request, actor, escape};

pub(super) async fn cancel(context: &Context, args: CancelArgs) -> Result<Exit, Failure> {
    let mut query = args.dry_run.query();
    query.extend(args.flow.query(context));
    if let Some(wait) = args.wait {
        query.push(("wait_ms", wait.as_millis().to_string()));
    }
    let body = CancelFlow {
        cancellation_policy: args.policy,
        reason: args.reason,
        actor: actor(),
    };
    let request = Request {
        query,
        ..Request::json(&body)?
    };
    let client = context.client()?;
    let path = args.flow.path("/cancel");
    let answer = client.send(Method::POST, &path, request).await?;
    context.answered(&answer, |cancelled: CancelledFlow| {
        args.dry_run.line(context, &said(&cancelled));
    })
}

fn said(cancelled: &CancelledFlow) -> String {
    let (members, open) = (cancelled.member_count, cancelled.open_member_count);
    let policy = cancelled.cancellation_policy;
    match cancelled.status {
        FlowCancelStatus::Cancelled => format!("cancelled, {policy}: {members} members"),
        FlowCancelStatus::CancellationScheduled => {
            format!("cancelled, {policy}: {members} members end from now on")
        }
        FlowCancelStatus::PartiallyCancelled => {
            format!("cancelled, {policy}: {open} of {members} members have not ended yet")
        }
        FlowCancelStatus::AlreadyTerminal => {
            let reason = cancelled.reason.as_deref();
            let reason = reason.map(|reason| format!(", for: {}", escape(reason)));
            let reason = reason.unwrap_or_default();
            format!("was cancelled before, {policy}{reason}; {open} members have not ended yet")
        }
    }
}

pub(super) async fn tag(context: &Context, args: TagArgs) -> Result<Exit, Failure> {
    let client = context.client()?;
    let mut query = args.flow.query(context);
    if args.labels.is_empty() {
        let answer = client.get(&args.flow.path(""), query).await?;
        return context.answered(&answer, |flow: Flow| show(context, &flow.tags));
    }
    let labels = args.labels.iter().map(|label| read_label(label));
    let tags = labels.collect::<Result<BTreeMap<_, _>, _>>()?;
    query.extend(args.dry_run.query());
    let request = Request {
        query,
        ..Request::json(&json!({"tags": tags}))?
    };
    let path = args.flow.path("/tags");
    let answer = client.send(Method::PATCH, &path, request).await?;
    context.answered(&answer, |set: TagsSet| {
        show(context, &set.tags);
        if args.dry_run.is_asked() {
            args.dry_run.line(context, "it would have these labels");
        }
    })
}

fn show(context: &Context, tags: &BTreeMap<String, String>) {
    for (key, value) in tags {
        context.line(&format!("{}={}", escape(key), escape(value)));
    }
}
