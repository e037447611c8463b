//! `flowhost component publish`: publishes a component and routes kinds to it.

use std::path::PathBuf;

use clap::Args;
use model::Digest;
use reqwest::{Method, StatusCode};

use super::progress::PublishingProgress;
use crate::api::{PublishedComponent, PublishingComponent};
use crate::cli::io::{Answer, Client, Context, Exit, Failure, Request, escape};

/// Most times a component is sent to hosts that do not remember it.
const ASKS_MAX: u32 = 5;

/// Arguments of `component publish`.
#[derive(Debug, Args)]
pub struct PublishArgs {
    /// File of the component
    file: PathBuf,
    /// A kind to route to it; may repeat
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<String>,
}

/// Arguments of `component publication`.
#[derive(Debug, Args)]
pub struct PublicationArgs {
    /// Digest of the component, whole
    digest: Digest,
}

/// Shows how far publishing a component is, or what it did.
pub(super) async fn publication(
    context: &Context,
    client: &Client,
    args: &PublicationArgs,
) -> Result<Exit, Failure> {
    let path = format!("/v1/components/{}/publish", args.digest);
    let answer = client.get(&path, Vec::new()).await?;
    if context.prints_json(&answer) {
        return Ok(Exit::Ok);
    }
    if answer.status == StatusCode::ACCEPTED {
        let working: PublishingComponent = answer.read()?;
        PublishingProgress::of(args.digest.short()).show(context, &working);
    } else {
        let published: PublishedComponent = answer.read()?;
        context.line(&format!("{} is published", published.digest));
    }
    Ok(Exit::Ok)
}

/// Publishes a component and waits until that has ended.
pub(super) async fn publish(
    context: &Context,
    client: &Client,
    args: PublishArgs,
) -> Result<Exit, Failure> {
    let bytes =
        std::fs::read(&args.file).map_err(|error| Failure::file("read", &args.file, &error))?;
    let label = args.file.display().to_string();
    let answer = until_published(context, client, label, &bytes, &args.kinds).await?;
    context.answered(&answer, |published: PublishedComponent| {
        let news = if published.new {
            "published"
        } else {
            "was published before"
        };
        context.line(&format!("{} {news}", published.digest));
        for kind in &published.kinds {
            context.line(&format!("handles {}", escape(kind)));
        }
    })
}

/// Publishes a component and reports the progress until it has ended, however long that
/// takes.
async fn until_published(
    context: &Context,
    client: &Client,
    label: String,
    bytes: &[u8],
    kinds: &[String],
) -> Result<Answer, Failure> {
    let mut shown = PublishingProgress::of(label);
    // A host that was restarted, or another one behind the same address, does not know
    // the component: the same bytes make it begin, or join the work that it does.
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
        "the host does not remember what it was asked to publish; if several hosts share one address, name one of them with --url",
    ))
}
