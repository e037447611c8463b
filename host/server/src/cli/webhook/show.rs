//! `flowhost webhook list` and `show`.

use model::WebhookState;

use super::command::{ListArgs, WebhookArgs};
use crate::api::{Webhook, Webhooks};
use crate::cli::io::{Context, Exit, Failure, Paint, escape, format_time};

pub(super) async fn list(context: &Context, args: ListArgs) -> Result<Exit, Failure> {
    let namespace = context.namespace(args.namespace);
    let query = namespace
        .into_iter()
        .map(|name| ("namespace", name))
        .collect();
    let header = [
        "NAME",
        "NAMESPACE",
        "FAMILY",
        "STATE",
        "FAILURES",
        "DELIVERED",
        "ID",
    ];
    let show = |page: &Webhooks| context.rows(&page.webhooks, "no webhooks", &header, row);
    let page = args.page;
    page.show(context, "/v1/webhooks", query, "webhook", show)
        .await
}

fn row(webhook: &Webhook) -> Vec<(Paint, String)> {
    let namespace = webhook.namespace.as_deref().unwrap_or("every");
    let delivered = webhook.last_delivery_at;
    vec![
        (Paint::Bold, escape(&webhook.name)),
        (Paint::Plain, escape(namespace)),
        (Paint::Plain, webhook.family.to_string()),
        (paint(webhook), webhook.state.to_string()),
        (Paint::Plain, webhook.failures.to_string()),
        (
            Paint::Dim,
            delivered.map_or_else(|| "-".to_owned(), format_time),
        ),
        (Paint::Dim, webhook.id.to_string()),
    ]
}

fn paint(webhook: &Webhook) -> Paint {
    match (webhook.state, webhook.failures) {
        (WebhookState::Active, 0) => Paint::Green,
        (WebhookState::Active, _) | (WebhookState::Paused, _) => Paint::Yellow,
        (WebhookState::Stalled, _) => Paint::Red,
    }
}

pub(super) async fn show(context: &Context, args: WebhookArgs) -> Result<Exit, Failure> {
    let client = context.client()?;
    let path = args.path(context, &client).await?;
    let answer = client.get(&path, args.query(context)).await?;
    if context.prints_json(&answer) {
        return Ok(Exit::Ok);
    }
    let webhook: Webhook = answer.read()?;
    let terminal = context.terminal;
    let field = |name: &str, value: String| {
        let name = terminal.paint(Paint::Dim, &format!("{name:<10}"));
        terminal.line(&format!("{name} {value}"));
    };
    let namespace = webhook.namespace.as_deref().unwrap_or("every");
    field(
        "webhook",
        format!("{} ({})", escape(&webhook.name), webhook.id),
    );
    field(
        "events",
        format!("{} in namespace {}", webhook.family, escape(namespace)),
    );
    let filter = &webhook.filter;
    for (name, value) in [
        ("kind", &filter.kind),
        ("lane", &filter.lane),
        ("execution", &filter.execution_id.map(|id| id.to_string())),
        ("tag", &filter.tag),
    ] {
        if let Some(value) = value {
            field(name, escape(value));
        }
    }
    field("url", escape(&webhook.url));
    let state = webhook.state.to_string();
    let state = terminal.paint(paint(&webhook), &state);
    field(
        "state",
        match &webhook.reason {
            Some(reason) => format!("{state}: {}", escape(reason)),
            None => state,
        },
    );
    if let Some(at) = webhook.last_delivery_at {
        field("delivered", format_time(at));
    }
    if let (Some(since), Some(error)) = (webhook.failed_since, &webhook.last_error) {
        let since = format_time(since);
        field(
            "failures",
            format!("{} since {since}: {}", webhook.failures, escape(error)),
        );
        field("next try", format_time(webhook.next_try_at));
    }
    if let Some(until) = webhook.old_secret_until {
        field(
            "secret",
            format!("the old one signs too until {}", format_time(until)),
        );
    }
    let (at, by) = (format_time(webhook.created_at), escape(&webhook.created_by));
    field("created", format!("{at} by {by}"));
    let (at, by) = (format_time(webhook.changed_at), escape(&webhook.changed_by));
    field("changed", format!("{at} by {by}"));
    Ok(Exit::Ok)
}
