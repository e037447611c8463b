//! `flowhost namespace`: lists and sets the shares of namespaces.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::command::APPLIED;
use crate::api::{Namespace, Namespaces, SetNamespace};
use crate::cli::io::{Context, DryRun, Exit, Failure, PageArgs, Paint, escape, path_of};

/// What is done to namespaces.
#[derive(Debug, Subcommand)]
pub enum NamespaceCommand {
    /// List the namespaces that have a share of their own
    List(PageArgs),
    /// Set the share of a namespace
    Set(SetArgs),
}

/// Arguments of `namespace set`.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// Name of the namespace
    name: String,
    /// Its share of a lane against that of other namespaces that have work there
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    weight: u16,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Runs the command.
pub async fn run(context: &Context, command: NamespaceCommand) -> Result<Exit, Failure> {
    match command {
        NamespaceCommand::List(page) => list(context, page).await,
        NamespaceCommand::Set(args) => set(context, args).await,
    }
}

async fn list(context: &Context, page: PageArgs) -> Result<Exit, Failure> {
    let none = "every namespace has a weight of 100";
    let header = ["NAMESPACE", "WEIGHT"];
    let show = |page: &Namespaces| context.rows(&page.namespaces, none, &header, row);
    page.show(context, "/v1/namespaces", Vec::new(), "", show)
        .await
}

fn row(namespace: &Namespace) -> Vec<(Paint, String)> {
    vec![
        (Paint::Bold, escape(&namespace.name)),
        (Paint::Plain, namespace.weight.to_string()),
    ]
}

async fn set(context: &Context, args: SetArgs) -> Result<Exit, Failure> {
    let request = SetNamespace {
        weight: args.weight,
    };
    let path = path_of("/v1/namespaces", &args.name);
    let say = |_: Value| APPLIED.to_owned();
    args.dry_run
        .ask(context, Method::PUT, &path, &request, say)
        .await
}
