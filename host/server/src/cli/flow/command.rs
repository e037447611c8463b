//! `flowhost flow`: its commands.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use model::{ExecutionId, FlowCancellationPolicy, FlowId, FlowStatus};

use super::{children, file, list, operate, show, submit};
use crate::cli::io::{Context, DryRun, Exit, Failure, PageArgs, to_stdout};
use crate::duration;

/// What is done with flows.
#[derive(Debug, Subcommand)]
pub enum FlowCommand {
    /// Create a flow from a file, with its whole graph at once
    #[command(after_help = "\
Examples:
  flowhost flow submit graph.yaml --wait
  flowhost flow submit graph.json --idempotency-key nightly-2030-01-31 --tag app.team=data
  flowhost flow submit - --dry-run < graph.yaml

The id is printed; with --wait, the exit code is that of the outcome.")]
    Submit(SubmitArgs),
    /// Draw a flow as a graph, with the states of its members
    #[command(after_help = "\
Examples:
  flowhost flow show ID
  flowhost flow show ID --watch")]
    Show(ShowArgs),
    /// List flows, newest first
    List(ListArgs),
    /// List the members of a flow
    Members(MembersArgs),
    /// List the edges of a flow, or those of one member
    Edges(EdgesArgs),
    /// Cancel a flow: it takes no new members, and those that the policy names are cancelled
    Cancel(CancelArgs),
    /// Show, set and remove the labels of a flow
    Tag(TagArgs),
    /// Add members, edges and policies from a file to a flow
    Add(AddArgs),
    /// List what an execution has started, and what others of its flow give to it
    Children {
        /// Id of the execution
        id: ExecutionId,
        /// Namespace it belongs to
        #[arg(long, value_name = "NAME")]
        namespace: Option<String>,
    },
    /// Print the JSON schema of the files that `submit` reads
    Schema,
}

/// Which flow.
#[derive(Debug, Clone, Args)]
pub struct FlowArgs {
    /// Id of the flow
    pub(super) id: FlowId,
    /// Namespace it belongs to
    #[arg(long, value_name = "NAME")]
    pub(super) namespace: Option<String>,
}

impl FlowArgs {
    /// Returns the path of the flow, and of what is below it.
    pub(super) fn path(&self, below: &str) -> String {
        format!("/v1/flows/{}{below}", self.id)
    }

    /// Returns the parameters of a query that bind it to the namespace.
    pub(super) fn query(&self, context: &Context) -> Vec<(&'static str, String)> {
        let namespace = context.namespace(self.namespace.clone());
        namespace
            .into_iter()
            .map(|name| ("namespace", name))
            .collect()
    }
}

/// Arguments of `flow submit`.
#[derive(Debug, Args)]
pub struct SubmitArgs {
    /// The file, in YAML or JSON; - for standard input
    pub(super) file: PathBuf,
    /// Wait until it ends; the exit code is its outcome
    #[arg(long, short, conflicts_with = "dry_run")]
    pub(super) wait: bool,
    /// With --wait, give up after so long; the flow continues
    #[arg(long, value_name = "DURATION", requires = "wait", value_parser = duration::parse)]
    pub(super) timeout: Option<Duration>,
    /// Makes the command safe to repeat [default: that of the file]
    #[arg(long, visible_alias = "key", value_name = "KEY")]
    pub(super) idempotency_key: Option<String>,
    /// Namespace it belongs to [default: that of the file]
    #[arg(long, value_name = "NAME")]
    pub(super) namespace: Option<String>,
    /// A label beside those of the file, owner.name=value; may repeat
    #[arg(long = "tag", value_name = "K=V")]
    pub(super) tags: Vec<String>,
    #[command(flatten)]
    pub(super) dry_run: DryRun,
}

/// Arguments of `flow add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    #[command(flatten)]
    pub(super) flow: FlowArgs,
    /// The file, in YAML or JSON; - for standard input
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) dry_run: DryRun,
}

/// Arguments of `flow show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    #[command(flatten)]
    pub(super) flow: FlowArgs,
    /// Keep it up to date until the flow ends; the exit code is its outcome
    #[arg(long, short)]
    pub(super) watch: bool,
}

/// Arguments of `flow list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only flows of this namespace
    #[arg(long, value_name = "NAME")]
    pub(super) namespace: Option<String>,
    /// Only flows of this kind
    #[arg(long, value_name = "KIND")]
    pub(super) kind: Option<String>,
    /// Only flows with this status: active, completed, failed or cancelled
    #[arg(long, value_name = "STATUS")]
    pub(super) status: Option<FlowStatus>,
    /// Only flows with this label, owner.name=value
    #[arg(long, value_name = "K=V")]
    pub(super) tag: Option<String>,
    #[command(flatten)]
    pub(super) page: PageArgs,
}

/// Arguments of `flow members`.
#[derive(Debug, Args)]
pub struct MembersArgs {
    #[command(flatten)]
    pub(super) flow: FlowArgs,
    #[command(flatten)]
    pub(super) page: PageArgs,
}

/// Arguments of `flow edges`.
#[derive(Debug, Args)]
pub struct EdgesArgs {
    #[command(flatten)]
    pub(super) flow: FlowArgs,
    /// Only edges that lead away from this execution
    #[arg(long, value_name = "ID", conflicts_with = "downstream")]
    pub(super) upstream: Option<ExecutionId>,
    /// Only edges that lead to this execution
    #[arg(long, value_name = "ID")]
    pub(super) downstream: Option<ExecutionId>,
    #[command(flatten)]
    pub(super) page: PageArgs,
}

/// Arguments of `flow cancel`.
#[derive(Debug, Args)]
pub struct CancelArgs {
    #[command(flatten)]
    pub(super) flow: FlowArgs,
    /// Which members: cancel_all, cancel_pending or cancel_flow_only [default: as it was created with]
    #[arg(long, value_name = "POLICY")]
    pub(super) policy: Option<FlowCancellationPolicy>,
    /// Why, for people; kept with the flow
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Wait so long until its members have ended, at most 60s [default: not at all]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub(super) wait: Option<Duration>,
    #[command(flatten)]
    pub(super) dry_run: DryRun,
}

/// Arguments of `flow tag`.
#[derive(Debug, Args)]
pub struct TagArgs {
    #[command(flatten)]
    pub(super) flow: FlowArgs,
    /// owner.name=value sets a label, owner.name- removes it; none shows them
    #[arg(value_name = "LABEL")]
    pub(super) labels: Vec<String>,
    #[command(flatten)]
    pub(super) dry_run: DryRun,
}

/// Runs the command.
pub async fn run(context: &Context, command: FlowCommand) -> Result<Exit, Failure> {
    match command {
        FlowCommand::Submit(args) => submit::submit(context, args).await,
        FlowCommand::Show(args) => show::show(context, args).await,
        FlowCommand::List(args) => list::list(context, args).await,
        FlowCommand::Members(args) => list::members(context, args).await,
        FlowCommand::Edges(args) => list::edges(context, args).await,
        FlowCommand::Cancel(args) => operate::cancel(context, args).await,
        FlowCommand::Tag(args) => operate::tag(context, args).await,
        FlowCommand::Add(args) => submit::add(context, args).await,
        FlowCommand::Children { id, namespace } => children::list(context, id, namespace).await,
        FlowCommand::Schema => {
            to_stdout(file::schema().as_bytes());
            Ok(Exit::Ok)
        }
    }
}
