//! `flowhost webhook`: its commands.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use model::{EventFamily, ExecutionId, FlowId};
use uuid::Uuid;

use super::{change, show};
use crate::api::WebhookFilter;
use crate::cli::io::{Client, Context, DryRun, Exit, Failure, PageArgs, every_page};
use crate::duration;

/// What is done to webhooks.
#[derive(Debug, Subcommand)]
pub enum WebhookCommand {
    /// Make a webhook and print its secret, once
    #[command(after_help = "\
Examples:
  flowhost webhook create billing --receiver https://example.com/hooks --family completion
  flowhost webhook create ops --receiver https://example.com/ops --family operator --namespace billing

Standard output is the secret alone. No one can read it again.")]
    Create(CreateArgs),
    /// List the webhooks, newest first
    List(ListArgs),
    /// Show a webhook: where it stands, and how its last try ended
    Show(WebhookArgs),
    /// Change where and which events are sent
    Update(UpdateArgs),
    /// Stop the delivery; the place in the log is kept
    Pause(PauseArgs),
    /// Deliver again from where it stood
    Resume(ChangeArgs),
    /// Print another secret, and sign with the old one too for a while
    Rotate(RotateArgs),
    /// Send a ping to the receiver and show what it answers
    Test(WebhookArgs),
    /// Delete a webhook and its place in the log
    Delete(ChangeArgs),
}

/// Which webhook.
#[derive(Debug, Args)]
pub struct WebhookArgs {
    /// Id of the webhook, or its name
    pub(super) webhook: String,
    /// The namespace whose events it gets
    #[arg(long, value_name = "NAME")]
    pub(super) namespace: Option<String>,
}

/// A webhook that is changed.
#[derive(Debug, Args)]
pub struct ChangeArgs {
    #[command(flatten)]
    pub(super) which: WebhookArgs,
    #[command(flatten)]
    pub(super) dry_run: DryRun,
}

/// Which events of the family.
#[derive(Debug, Args)]
pub struct FilterArgs {
    /// Only events of executions of this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only events of executions of this lane
    #[arg(long, value_name = "LANE")]
    lane: Option<String>,
    /// Only events of this execution
    #[arg(long, value_name = "ID")]
    execution: Option<ExecutionId>,
    /// Only events of members of this flow
    #[arg(long, value_name = "ID")]
    flow: Option<FlowId>,
    /// Only events of executions with this label
    #[arg(long, value_name = "KEY:VALUE")]
    tag: Option<String>,
}

impl FilterArgs {
    /// Returns the filter; `None` if nothing is given.
    pub(super) fn filter(self) -> Option<WebhookFilter> {
        let filter = WebhookFilter {
            kind: self.kind,
            lane: self.lane,
            execution_id: self.execution,
            flow_id: self.flow,
            tag: self.tag,
        };
        (filter != WebhookFilter::default()).then_some(filter)
    }
}

/// Arguments of `webhook create`.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Name of the webhook
    pub(super) name: String,
    /// Where events are sent
    #[arg(long, value_name = "URL")]
    pub(super) receiver: String,
    /// Which events: lease_history, completion, signal_delivery, instance_tags, operator,
    /// registry or lifecycle
    #[arg(long, value_name = "FAMILY")]
    pub(super) family: EventFamily,
    /// The namespace whose events it gets [default: every one]
    #[arg(long, value_name = "NAME")]
    pub(super) namespace: Option<String>,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    /// Begin with the oldest event that is kept, and not with what happens from now on
    #[arg(long)]
    pub(super) from_beginning: bool,
    /// A file with the secret, whsec_ and base64, - for standard input [default: random]
    #[arg(long, value_name = "FILE")]
    pub(super) secret_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) dry_run: DryRun,
}

/// Arguments of `webhook list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only those that get events of this namespace
    #[arg(long, value_name = "NAME")]
    pub(super) namespace: Option<String>,
    #[command(flatten)]
    pub(super) page: PageArgs,
}

/// Arguments of `webhook update`.
#[derive(Debug, Args)]
pub struct UpdateArgs {
    #[command(flatten)]
    pub(super) which: WebhookArgs,
    /// Where events are sent from now on
    #[arg(long, value_name = "URL")]
    pub(super) receiver: Option<String>,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
    /// Send every event of the family from now on
    #[arg(long, conflicts_with_all = ["kind", "lane", "execution", "flow", "tag"])]
    pub(super) no_filter: bool,
    #[command(flatten)]
    pub(super) dry_run: DryRun,
}

/// Arguments of `webhook pause`.
#[derive(Debug, Args)]
pub struct PauseArgs {
    #[command(flatten)]
    pub(super) which: WebhookArgs,
    /// Why it is paused, for people
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    #[command(flatten)]
    pub(super) dry_run: DryRun,
}

/// Arguments of `webhook rotate`.
#[derive(Debug, Args)]
pub struct RotateArgs {
    #[command(flatten)]
    pub(super) which: WebhookArgs,
    /// A file with the new secret, whsec_ and base64, - for standard input [default: random]
    #[arg(long, value_name = "FILE")]
    pub(super) secret_file: Option<PathBuf>,
    /// How long the old secret signs too, 0s for no longer [default: 1d]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub(super) overlap: Option<Duration>,
    #[command(flatten)]
    pub(super) dry_run: DryRun,
}

/// Runs the command.
pub async fn run(context: &Context, command: WebhookCommand) -> Result<Exit, Failure> {
    match command {
        WebhookCommand::Create(args) => change::create(context, args).await,
        WebhookCommand::List(args) => show::list(context, args).await,
        WebhookCommand::Show(args) => show::show(context, args).await,
        WebhookCommand::Update(args) => change::update(context, args).await,
        WebhookCommand::Pause(args) => change::pause(context, args).await,
        WebhookCommand::Resume(args) => change::resume(context, args).await,
        WebhookCommand::Rotate(args) => change::rotate(context, args).await,
        WebhookCommand::Test(args) => change::test(context, args).await,
        WebhookCommand::Delete(args) => change::delete(context, args).await,
    }
}

impl WebhookArgs {
    /// Returns the parameters of a query that bind it to the namespace.
    pub(super) fn query(&self, context: &Context) -> Vec<(&'static str, String)> {
        let namespace = context.namespace(self.namespace.clone());
        namespace
            .into_iter()
            .map(|name| ("namespace", name))
            .collect()
    }

    /// Returns the path of the webhook, which is named by its id or its name.
    pub(super) async fn path(&self, context: &Context, client: &Client) -> Result<String, Failure> {
        let named = &self.webhook;
        let id = match named.parse::<Uuid>() {
            Ok(id) => id,
            Err(_) => {
                let query = self.query(context);
                let whole = every_page(client, "/v1/webhooks", query, "webhooks").await?;
                let whole: crate::api::Webhooks = whole.read()?;
                let mut found = whole.webhooks.iter().filter(|it| it.name == *named);
                match (found.next(), found.next()) {
                    (Some(one), None) => one.id,
                    (Some(_), Some(_)) => {
                        let message = format!(
                            "there are several webhooks `{}`; name one by its id or with --namespace",
                            named.escape_debug()
                        );
                        return Err(Failure::usage(message));
                    }
                    (None, _) => {
                        let message = format!(
                            "there is no webhook `{}`; `flowhost webhook list` names all",
                            named.escape_debug()
                        );
                        return Err(Failure::new(Exit::NotFound, message));
                    }
                }
            }
        };
        Ok(format!("/v1/webhooks/{id}"))
    }
}
