//! `flowhost component list` and `show`: lists components and the kinds they handle.

use std::collections::BTreeMap;

use clap::Args;
use model::Digest;

use crate::api::{Component, Components, Kinds};
use crate::cli::io::{
    Client, Context, Exit, Failure, PageArgs, Paint, escape, every_page, format_bytes, format_time,
    name_unreadable,
};

/// Arguments of `component show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Digest of the component; the first digits suffice
    digest: String,
}

/// Returns the kinds each component handles.
async fn kinds_of(client: &Client) -> Result<BTreeMap<Digest, Vec<String>>, Failure> {
    let kinds = every_page(client, "/v1/kinds", Vec::new(), "kinds").await?;
    let kinds: Kinds = kinds.read()?;
    name_unreadable("kind", &kinds.unreadable);
    let mut by_digest: BTreeMap<Digest, Vec<String>> = BTreeMap::new();
    for kind in kinds.kinds {
        for route in kind.routes {
            by_digest
                .entry(route.digest)
                .or_default()
                .push(kind.name.clone());
        }
    }
    Ok(by_digest)
}

/// Lists the components, and the kinds each handles.
pub(super) async fn list(
    context: &Context,
    client: &Client,
    page: PageArgs,
) -> Result<Exit, Failure> {
    let page = page.read(client, "/v1/components", Vec::new(), "components");
    let answer = page.await?;
    if context.prints_json(&answer) {
        return Ok(Exit::Ok);
    }
    let components: Components = answer.read()?;
    name_unreadable("component", &components.unreadable);
    if components.components.is_empty() && components.unreadable.is_empty() {
        context
            .line("no components; publish one with `flowhost component publish FILE --kind KIND`");
        return Ok(Exit::Ok);
    }
    let kinds = kinds_of(client).await?;
    let rows: Vec<_> = components
        .components
        .iter()
        .map(|component| {
            let handles = kinds.get(&component.digest).map(|kinds| kinds.join(", "));
            vec![
                (Paint::Plain, component.digest.short()),
                (Paint::Bold, escape(&handles.unwrap_or_default())),
                (Paint::Plain, escape(&component.world)),
                (Paint::Plain, format_bytes(component.size.unsigned_abs())),
                (Paint::Dim, format_time(component.published_at)),
            ]
        })
        .collect();
    context
        .terminal
        .table(&["DIGEST", "KINDS", "WORLD", "SIZE", "PUBLISHED"], &rows);
    context.next_page(components.next_cursor.as_deref());
    Ok(Exit::Ok)
}

/// Returns the digest of the one component whose digest begins so.
pub(super) async fn digest_of(client: &Client, prefix: &str) -> Result<Digest, Failure> {
    Ok(find(client, prefix).await?.digest)
}

/// Finds the one component whose digest begins so.
async fn find(client: &Client, prefix: &str) -> Result<Component, Failure> {
    let components = every_page(client, "/v1/components", Vec::new(), "components").await?;
    let components: Components = components.read()?;
    name_unreadable("component", &components.unreadable);
    let digits = prefix
        .strip_prefix("sha256:")
        .unwrap_or(prefix)
        .to_ascii_lowercase();
    let mut found = components
        .components
        .into_iter()
        .filter(|component| component.digest.to_string()[7..].starts_with(&digits));
    match (found.next(), found.next()) {
        (Some(component), None) => Ok(component),
        (None, _) => Err(Failure::new(
            Exit::NotFound,
            format!("there is no component {prefix}"),
        )),
        (Some(_), Some(_)) => Err(Failure::usage(format!(
            "several components begin with {prefix}"
        ))),
    }
}

/// Shows the one component whose digest begins so.
pub(super) async fn show(
    context: &Context,
    client: &Client,
    args: &ShowArgs,
) -> Result<Exit, Failure> {
    let component = find(client, &args.digest).await?;
    if context.json {
        context.terminal.json_of(&component)?;
        return Ok(Exit::Ok);
    }
    let kinds = kinds_of(client).await?;
    let handles = kinds
        .get(&component.digest)
        .map(|kinds| kinds.join(", "))
        .unwrap_or_default();
    let terminal = context.terminal;
    terminal.line(&component.digest.to_string());
    terminal.line(&format!("handles    {}", escape(&handles)));
    terminal.line(&format!("world      {}", escape(&component.world)));
    terminal.line(&format!(
        "size       {}",
        format_bytes(component.size.unsigned_abs())
    ));
    terminal.line(&format!(
        "published  {}",
        format_time(component.published_at)
    ));
    for import in &component.imports {
        terminal.line(&format!("imports    {}", escape(import)));
    }
    Ok(Exit::Ok)
}
