//! `flowhost kind`: lists kinds and their routes, defines kinds, and routes them by weight.

use clap::{Args, Subcommand};
use model::Digest;
use reqwest::Method;
use serde_json::Value;

use super::list::digest_of;
use crate::api::{DefineKind, DefinedKind, Kind, Kinds, SetRoute, SetRoutes};
use crate::cli::io::{
    Context, DryRun, Exit, Failure, PageArgs, Paint, escape, format_time, path_of,
};

/// What is done to kinds.
#[derive(Debug, Subcommand)]
pub enum KindCommand {
    /// List kinds, and the components that each is routed to
    List(PageArgs),
    /// Define a kind that no component handles, for native workers
    Define(DefineArgs),
    /// Replace the routes of a kind: which components handle it, and how much of it
    Route(RouteArgs),
}

/// Arguments of `kind define`.
#[derive(Debug, Args)]
pub struct DefineArgs {
    /// Name of the kind
    name: String,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Arguments of `kind route`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flowhost kind route echo 3f2a91=90 c07d12=10
  flowhost kind route echo 3f2a91
  flowhost kind route echo --none

The routes given replace those that the kind has; `flowhost component list` shows digests.")]
pub struct RouteArgs {
    /// Name of the kind; it is defined if it is new
    name: String,
    /// DIGEST, or DIGEST=WEIGHT with a share from 0 to 10000; the first digits of a digest
    /// suffice, and a weight is 1 unless given
    #[arg(value_name = "ROUTE", required_unless_present = "none")]
    routes: Vec<String>,
    /// Route the kind to no component
    #[arg(long, conflicts_with = "routes")]
    none: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Runs the command.
pub async fn run(context: &Context, command: KindCommand) -> Result<Exit, Failure> {
    match command {
        KindCommand::List(page) => list(context, page).await,
        KindCommand::Define(args) => define(context, args).await,
        KindCommand::Route(args) => route(context, args).await,
    }
}

async fn list(context: &Context, page: PageArgs) -> Result<Exit, Failure> {
    let none = "no kinds; publishing a component or registering a worker defines some";
    let header = ["KIND", "ROUTES", "DEFINED"];
    let show = |found: &Kinds| context.rows(&found.kinds, none, &header, row);
    page.show(context, "/v1/kinds", Vec::new(), "kind", show)
        .await
}

fn row(kind: &Kind) -> Vec<(Paint, String)> {
    let routes = kind.routes.iter();
    let routes = routes.map(|route| format!("{}={}", route.digest.short(), route.weight));
    let routes = match routes.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "native workers".to_owned(),
        routes => routes,
    };
    vec![
        (Paint::Bold, escape(&kind.name)),
        (Paint::Plain, routes),
        (Paint::Dim, format_time(kind.created_at)),
    ]
}

async fn define(context: &Context, args: DefineArgs) -> Result<Exit, Failure> {
    let path = path_of("/v1/kinds", &args.name);
    let say = |defined: DefinedKind| match defined.new {
        true => "defined".to_owned(),
        false => "was defined before".to_owned(),
    };
    let body = DefineKind {};
    args.dry_run
        .ask(context, Method::PUT, &path, &body, say)
        .await
}

async fn route(context: &Context, args: RouteArgs) -> Result<Exit, Failure> {
    let client = context.client()?;
    let mut routes = Vec::new();
    for text in &args.routes {
        let (prefix, weight) = read_route(text)?;
        // A whole digest is the host's to know; only a part of one is completed here.
        let digest = match prefix.parse::<Digest>() {
            Ok(digest) => digest,
            Err(_) => digest_of(&client, prefix).await?,
        };
        routes.push(SetRoute { digest, weight });
    }
    let path = format!("{}/routes", path_of("/v1/kinds", &args.name));
    let say = |_: Value| match args.routes.len() {
        0 => "routed to no component".to_owned(),
        1 => "routed to one component".to_owned(),
        count => format!("routed to {count} components"),
    };
    let body = SetRoutes { routes };
    args.dry_run
        .ask(context, Method::PUT, &path, &body, say)
        .await
}

/// Reads `DIGEST` or `DIGEST=WEIGHT`.
fn read_route(text: &str) -> Result<(&str, u32), Failure> {
    let Some((digest, weight)) = text.split_once('=') else {
        return Ok((text, 1));
    };
    match weight.parse() {
        Ok(weight) => Ok((digest, weight)),
        Err(_) => Err(Failure::usage(format!(
            "`{text}`: a weight is a number from 0 to 10000; write DIGEST=WEIGHT"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_has_a_weight_of_one_unless_given() {
        assert_eq!(read_route("ab12").expect("a digest"), ("ab12", 1));
        assert_eq!(read_route("sha256:ab=30").expect("both"), ("sha256:ab", 30));
        assert!(read_route("ab=much").is_err());
    }
}
