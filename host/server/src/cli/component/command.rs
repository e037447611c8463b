//! The commands of `flowhost component`.

use clap::Subcommand;

use super::list::{self, ShowArgs};
use super::publish::{self, PublicationArgs, PublishArgs};
use crate::cli::io::{Context, Exit, Failure, PageArgs};

/// What is done to components.
#[derive(Debug, Subcommand)]
pub enum ComponentCommand {
    /// Publish a component and route kinds to it
    Publish(PublishArgs),
    /// List components and the kinds they handle
    List(PageArgs),
    /// Show a component
    Show(ShowArgs),
    /// Show how far a host is with publishing a component
    Publication(PublicationArgs),
}

/// Runs the command.
pub async fn run(context: &Context, command: ComponentCommand) -> Result<Exit, Failure> {
    let client = context.client()?;
    match command {
        ComponentCommand::Publish(args) => publish::publish(context, &client, args).await,
        ComponentCommand::List(page) => list::list(context, &client, page).await,
        ComponentCommand::Show(args) => list::show(context, &client, &args).await,
        ComponentCommand::Publication(args) => publish::publication(context, &client, &args).await,
    }
}
