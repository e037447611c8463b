//! `flowhost component`: publishes, lists and shows components.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use engine::{ComponentRow, Kind};
use model::Digest;
use reqwest::Method;
use serde::Deserialize;

use super::Context;
use super::client::{Client, Request};
use super::exit::{Exit, Failure};
use super::terminal::{Paint, neutralise, size, when};
use crate::api::PublishedComponent;

/// What to do with components.
#[derive(Debug, Subcommand)]
pub enum ComponentCommand {
    /// Publish a component and route kinds to it
    Publish(PublishArgs),
    /// List components and the kinds they handle
    List,
    /// Show a component
    Show(ShowArgs),
}

/// Arguments of `component publish`.
#[derive(Debug, Args)]
pub struct PublishArgs {
    /// The component
    file: PathBuf,
    /// A kind it shall handle; may repeat
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<String>,
}

/// Arguments of `component show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Its digest; the first digits suffice
    digest: String,
}

#[derive(Deserialize)]
struct Components {
    components: Vec<ComponentRow>,
}

#[derive(Deserialize)]
struct Kinds {
    kinds: Vec<Kind>,
}

/// Runs the command.
pub async fn run(context: &Context, command: ComponentCommand) -> Result<Exit, Failure> {
    let client = context.client()?;
    match command {
        ComponentCommand::Publish(args) => publish(context, &client, args).await,
        ComponentCommand::List => list(context, &client).await,
        ComponentCommand::Show(args) => show(context, &client, &args.digest).await,
    }
}

async fn publish(context: &Context, client: &Client, args: PublishArgs) -> Result<Exit, Failure> {
    let bytes =
        std::fs::read(&args.file).map_err(|error| Failure::file("read", &args.file, &error))?;
    let request = Request {
        query: args.kinds.into_iter().map(|kind| ("kind", kind)).collect(),
        body: Some(("application/wasm".to_owned(), bytes)),
        ..Request::default()
    };
    let answer = client.send(Method::POST, "/v1/components", request).await?;
    if context.json {
        context.terminal.json(&answer.text());
        return Ok(Exit::Ok);
    }
    let published: PublishedComponent = answer.read()?;
    let news = if published.new {
        "published"
    } else {
        "was published before"
    };
    context
        .terminal
        .line(&format!("{} {news}", published.digest));
    for kind in &published.kinds {
        context
            .terminal
            .line(&format!("handles {}", neutralise(kind)));
    }
    Ok(Exit::Ok)
}

/// Returns the kinds each component handles.
async fn kinds_of(client: &Client) -> Result<BTreeMap<Digest, Vec<String>>, Failure> {
    let kinds: Kinds = client.get("/v1/kinds", Vec::new()).await?.read()?;
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

async fn list(context: &Context, client: &Client) -> Result<Exit, Failure> {
    let answer = client.get("/v1/components", Vec::new()).await?;
    if context.json {
        context.terminal.json(&answer.text());
        return Ok(Exit::Ok);
    }
    let components: Components = answer.read()?;
    if components.components.is_empty() {
        context
            .terminal
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
                (Paint::Bold, neutralise(&handles.unwrap_or_default())),
                (Paint::Plain, neutralise(&component.world)),
                (Paint::Plain, size(component.size.unsigned_abs())),
                (Paint::Dim, when(component.published_at)),
            ]
        })
        .collect();
    context
        .terminal
        .table(&["DIGEST", "KINDS", "WORLD", "SIZE", "PUBLISHED"], &rows);
    Ok(Exit::Ok)
}

async fn show(context: &Context, client: &Client, prefix: &str) -> Result<Exit, Failure> {
    let components: Components = client.get("/v1/components", Vec::new()).await?.read()?;
    let digits = prefix
        .strip_prefix("sha256:")
        .unwrap_or(prefix)
        .to_ascii_lowercase();
    let mut found = components
        .components
        .into_iter()
        .filter(|component| component.digest.to_string()[7..].starts_with(&digits));
    let component = match (found.next(), found.next()) {
        (Some(component), None) => component,
        (None, _) => {
            return Err(Failure::new(
                Exit::NotFound,
                format!("there is no component {prefix}"),
            ));
        }
        (Some(_), Some(_)) => {
            return Err(Failure::usage(format!(
                "several components begin with {prefix}"
            )));
        }
    };
    if context.json {
        let text = serde_json::to_string(&component);
        context
            .terminal
            .json(&text.map_err(|error| Failure::new(Exit::Failed, error.to_string()))?);
        return Ok(Exit::Ok);
    }
    let kinds = kinds_of(client).await?;
    let handles = kinds
        .get(&component.digest)
        .map(|kinds| kinds.join(", "))
        .unwrap_or_default();
    let terminal = context.terminal;
    terminal.line(&component.digest.to_string());
    terminal.line(&format!("handles    {}", neutralise(&handles)));
    terminal.line(&format!("world      {}", neutralise(&component.world)));
    terminal.line(&format!(
        "size       {}",
        size(component.size.unsigned_abs())
    ));
    terminal.line(&format!("published  {}", when(component.published_at)));
    for import in &component.imports {
        terminal.line(&format!("imports    {}", neutralise(import)));
    }
    Ok(Exit::Ok)
}
