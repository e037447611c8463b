//! `flowhost lane`: lists lanes and what waits in one, and sets what they take and serve.

use clap::{Args, Subcommand, ValueEnum};
use model::LaneState;
use reqwest::Method;
use serde_json::Value;

use crate::api::{EligibleExecution, EligibleExecutions, Lane, Lanes, SetLane};
use crate::cli::io::{
    Context, DryRun, Exit, Failure, PageArgs, Paint, escape, format_count, format_time, path_of,
};

/// What people are told of a share or a state that was set.
pub(super) const APPLIED: &str = "set; every host applies it within a second";

/// What is done to lanes.
#[derive(Debug, Subcommand)]
pub enum LaneCommand {
    /// List lanes with their state, share and load
    List(PageArgs),
    /// Set the state and the share of a lane; defines the lane if it is new
    Set(SetArgs),
    /// List what waits in a lane and may be granted, in the order of service
    Eligible(EligibleArgs),
}

/// Arguments of `lane eligible`.
#[derive(Debug, Args)]
pub struct EligibleArgs {
    /// Name of the lane
    name: String,
    #[command(flatten)]
    page: PageArgs,
}

/// Arguments of `lane set`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flowhost lane set night --state paused --dry-run
  flowhost lane set bulk --weight 10")]
#[group(required = true, multiple = true, args = ["state", "weight"])]
pub struct SetArgs {
    /// Name of the lane
    name: String,
    /// Whether it takes and serves work
    #[arg(long, value_name = "STATE")]
    state: Option<State>,
    /// Its share of service against that of other lanes; 100 unless set
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    weight: Option<u16>,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Whether a lane takes and serves work.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    /// Takes work and serves it
    Active,
    /// Takes work and does not serve it
    Paused,
    /// Takes no new work and serves what it has
    Draining,
    /// Takes no new work and serves none
    Disabled,
}

impl From<State> for LaneState {
    fn from(state: State) -> Self {
        match state {
            State::Active => Self::Active,
            State::Paused => Self::Paused,
            State::Draining => Self::Draining,
            State::Disabled => Self::Disabled,
        }
    }
}

/// Runs the command.
pub async fn run(context: &Context, command: LaneCommand) -> Result<Exit, Failure> {
    match command {
        LaneCommand::List(page) => list(context, page).await,
        LaneCommand::Set(args) => set(context, args).await,
        LaneCommand::Eligible(args) => eligible(context, args).await,
    }
}

async fn list(context: &Context, page: PageArgs) -> Result<Exit, Failure> {
    let show = |page: &Lanes| {
        let rows: Vec<_> = page.lanes.iter().map(row).collect();
        let header = ["LANE", "STATE", "WEIGHT", "WAITING", "ACTIVE", "CREATED"];
        context.terminal.table(&header, &rows);
    };
    page.show(context, "/v1/lanes", Vec::new(), "", show).await
}

fn row(lane: &Lane) -> Vec<(Paint, String)> {
    let paint = match lane.state {
        LaneState::Active => Paint::Green,
        LaneState::Paused | LaneState::Draining => Paint::Yellow,
        LaneState::Disabled => Paint::Red,
    };
    vec![
        (Paint::Bold, escape(&lane.name)),
        (paint, lane.state.as_str().to_owned()),
        (Paint::Plain, lane.weight.to_string()),
        (Paint::Plain, format_count(lane.waiting, lane.waiting_exact)),
        (Paint::Plain, format_count(lane.active, lane.active_exact)),
        (Paint::Dim, format_time(lane.created_at)),
    ]
}

async fn set(context: &Context, args: SetArgs) -> Result<Exit, Failure> {
    let request = SetLane {
        state: args.state.map(LaneState::from),
        weight: args.weight,
    };
    let path = path_of("/v1/lanes", &args.name);
    let say = |_: Value| APPLIED.to_owned();
    args.dry_run
        .ask(context, Method::PUT, &path, &request, say)
        .await
}

async fn eligible(context: &Context, args: EligibleArgs) -> Result<Exit, Failure> {
    let path = format!("{}/eligible", path_of("/v1/lanes", &args.name));
    let none = "nothing waits there that may be granted";
    let header = ["ID", "KIND", "PRIORITY", "READY", "NEEDS", ""];
    let show =
        |found: &EligibleExecutions| context.rows(&found.executions, none, &header, eligible_row);
    args.page.show(context, &path, Vec::new(), "", show).await
}

fn eligible_row(eligible: &EligibleExecution) -> Vec<(Paint, String)> {
    let lost = if eligible.reclaimable {
        "its holder was lost"
    } else {
        ""
    };
    vec![
        (Paint::Plain, eligible.id.to_string()),
        (Paint::Bold, escape(&eligible.kind)),
        (Paint::Plain, eligible.priority.to_string()),
        (Paint::Dim, format_time(eligible.ready_at)),
        (
            Paint::Plain,
            escape(&eligible.required_capabilities.join(", ")),
        ),
        (Paint::Dim, lost.to_owned()),
    ]
}
