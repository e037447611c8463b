//! `flowhost component`: publishes, lists and shows components.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use model::Digest;
use reqwest::{Method, StatusCode};

use super::Context;
use super::client::{Answer, Client, Request};
use super::exit::{Exit, Failure};
use super::list::hidden_as;
use super::terminal::{Paint, complain, neutralise, size, when};
use crate::api::{Components, Kinds, PublishedComponent, PublishingComponent, PublishingState};
use crate::duration;

/// How often a component is given to hosts that do not remember it.
const ASKS_MAX: u32 = 5;
/// Time between two lines that say the same.
const SHOWN_EVERY_MS: u64 = 5_000;

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
    let label = args.file.display().to_string();
    let answer = until_published(context, client, label, &bytes, &args.kinds).await?;
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

/// Publishes a component and shows how far that is until it has ended, however
/// long it takes.
async fn until_published(
    context: &Context,
    client: &Client,
    label: String,
    bytes: &[u8],
    kinds: &[String],
) -> Result<Answer, Failure> {
    let mut shown = Shown::of(label);
    // A host that was restarted, or another one behind the same address, knows
    // nothing of it: the same bytes make it begin, or join what it does.
    for _ in 0..ASKS_MAX {
        let request = Request {
            query: kinds.iter().map(|kind| ("kind", kind.clone())).collect(),
            headers: vec![("prefer", "wait=1".to_owned())],
            body: Some(("application/wasm".to_owned(), bytes.to_vec())),
        };
        let mut answer = client.send(Method::POST, "/v1/components", request).await?;
        loop {
            if answer.status != StatusCode::ACCEPTED {
                return Ok(answer);
            }
            let working: PublishingComponent = answer.read()?;
            shown.show(context, &working);
            let request = Request {
                headers: vec![("prefer", "wait=1".to_owned())],
                ..Request::default()
            };
            let path = format!("/v1/components/{}/publish", working.digest);
            answer = match client.send(Method::GET, &path, request).await {
                Ok(answer) => answer,
                Err(failure) if failure.exit == Exit::NotFound => break,
                Err(failure) => return Err(failure),
            };
        }
    }
    Err(Failure::new(
        Exit::Unavailable,
        "the host forgets again and again what it was asked to publish; are there several behind one address? Name one with --url",
    ))
}

/// Says on standard error how far publishing is: when it changes, and every few
/// seconds.
#[derive(Debug)]
pub struct Shown {
    label: String,
    last: Option<(PublishingState, u32)>,
    next_ms: u64,
}

impl Shown {
    /// Begins with what people call the component.
    pub fn of(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            last: None,
            next_ms: 0,
        }
    }

    /// Says it, if it is time to.
    pub fn show(&mut self, context: &Context, working: &PublishingComponent) {
        let now = (working.state, working.ahead);
        if self.last == Some(now) && working.elapsed_ms < self.next_ms {
            return;
        }
        self.last = Some(now);
        self.next_ms = working.elapsed_ms + SHOWN_EVERY_MS;
        if context.json {
            // Programs that can write it can read it.
            complain(&serde_json::to_string(working).unwrap_or_default());
        } else {
            complain(&neutralise(&sentence(&self.label, working)));
        }
    }
}

fn sentence(label: &str, working: &PublishingComponent) -> String {
    let elapsed = duration::show(Duration::from_millis(working.elapsed_ms));
    match (working.state, working.behind) {
        (PublishingState::Queued, Some(behind)) => format!(
            "{label} waits for the compiler, {} before it, {} being compiled ({elapsed})",
            working.ahead,
            behind.short()
        ),
        (PublishingState::Queued, None) => format!(
            "{label} waits for the compiler, {} before it ({elapsed})",
            working.ahead
        ),
        (PublishingState::Compiling, _) => format!("{label} is being compiled ({elapsed})"),
        (PublishingState::Working, _) => {
            format!("{label} is being checked and stored ({elapsed})")
        }
    }
}

/// Returns the kinds each component handles.
async fn kinds_of(client: &Client) -> Result<BTreeMap<Digest, Vec<String>>, Failure> {
    let kinds: Kinds = client.get("/v1/kinds", Vec::new()).await?.read()?;
    hidden_as("kind", &kinds.unreadable);
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
    hidden_as("component", &components.unreadable);
    if components.components.is_empty() && components.unreadable.is_empty() {
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
    hidden_as("component", &components.unreadable);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_says_what_it_waits_for() {
        let mut working = PublishingComponent {
            digest: Digest([0xab; 32]),
            state: PublishingState::Queued,
            elapsed_ms: 12_000,
            ahead: 2,
            behind: Some(Digest([0xcd; 32])),
        };
        let text = sentence("a.wasm", &working);
        assert!(
            text.contains("waits for the compiler, 2 before it"),
            "{text}"
        );
        assert!(text.contains(&Digest([0xcd; 32]).short()), "{text}");
        working.state = PublishingState::Compiling;
        assert!(sentence("a.wasm", &working).contains("a.wasm is being compiled"));
    }
}
