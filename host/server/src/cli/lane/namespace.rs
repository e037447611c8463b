//! `flowhost namespace`: lists and sets the shares of namespaces.

use clap::{Args, Subcommand};
use reqwest::Method;

use crate::api::{Namespaces, SetNamespace};
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
    let client = context.client()?;
    let page = page.read(&client, "/v1/namespaces", Vec::new(), "namespaces");
    let answer = page.await?;
    if context.prints_json(&answer) {
        return Ok(Exit::Ok);
    }
    let page: Namespaces = answer.read()?;
    if page.namespaces.is_empty() {
        context.line("every namespace has a weight of 100");
        return Ok(Exit::Ok);
    }
    let rows: Vec<_> = page
        .namespaces
        .into_iter()
        .map(|it| {
            vec![
                (Paint::Bold, escape(&it.name)),
                (Paint::Plain, it.weight.to_string()),
            ]
        })
        .collect();
    context.terminal.table(&["NAMESPACE", "WEIGHT"], &rows);
    context.next_page(page.next_cursor.as_deref());
    Ok(Exit::Ok)
}

async fn set(context: &Context, args: SetArgs) -> Result<Exit, Failure> {
    let request = SetNamespace {
        weight: args.weight,
    };
    let path = path_of("/v1/namespaces", &args.name);
    let dry_run = args.dry_run;
    let answer = dry_run.send(context, Method::PUT, &path, &request).await?;
    if !context.prints_json(&answer) {
        dry_run.line(context, "set; every host applies it within a second");
    }
    Ok(Exit::Ok)
}
