//! `flowhost flow show`: a flow as a graph, once or until it ends.

use std::time::Duration;

use model::{FlowStatus, PublicFlowState};

use super::command::ShowArgs;
use super::draw;
use crate::api::{Edges, Flow, FlowMembers};
use crate::cli::execution::watch::retried;
use crate::cli::io::{
    Answer, Client, Context, Exit, Failure, every_page, interruptible, output_loss,
};

/// Most members, and edges, of a flow that is drawn.
pub(super) const DRAWN_MAX: u32 = 300;
/// Pause between two reads of a flow that is followed.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) async fn show(context: &Context, args: ShowArgs) -> Result<Exit, Failure> {
    let client = context.client()?;
    if args.watch {
        return interruptible(watch(context, &client, &args)).await;
    }
    let answer = client
        .get(&args.flow.path(""), args.flow.query(context))
        .await?;
    if context.prints_json(&answer) {
        return Ok(Exit::Ok);
    }
    let flow: Flow = answer.read()?;
    for line in lines(context, &client, &args, &flow).await? {
        context.line(&line);
    }
    Ok(Exit::Ok)
}

/// On a terminal a graph that keeps itself up to date; else the flow whenever a count of its
/// members changes.
async fn watch(context: &Context, client: &Client, args: &ShowArgs) -> Result<Exit, Failure> {
    let terminal = context.terminal;
    let (mut above, mut shown) = (0, String::new());
    loop {
        let path = args.flow.path("");
        let answer = retried(|| client.get(&path, args.flow.query(context))).await?;
        let flow: Flow = answer.read()?;
        if terminal.live && !context.json {
            let lines = lines(context, client, args, &flow).await?;
            terminal.redraw(above, &lines);
            above = lines.len();
        } else {
            let summary = draw::summary(terminal, &flow);
            if summary != shown {
                if !context.prints_json(&answer) {
                    context.line(&summary);
                }
                shown = summary;
            }
        }
        if has_ended(&flow) {
            return Ok(exit(&flow));
        }
        if output_loss().is_some() {
            return Ok(Exit::Ok);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Reads and draws a flow.
async fn lines(
    context: &Context,
    client: &Client,
    args: &ShowArgs,
    flow: &Flow,
) -> Result<Vec<String>, Failure> {
    let terminal = context.terminal;
    let mut lines = draw::head(terminal, flow);
    if flow.node_count > DRAWN_MAX || flow.edge_count > DRAWN_MAX {
        lines.push(format!(
            "too large to draw; see flowhost flow members {id} and flow edges {id}",
            id = flow.flow_id
        ));
        return Ok(lines);
    }
    let query = args.flow.query(context);
    let path = args.flow.path("/members");
    let members = every_page(client, &path, query.clone(), "members").await?;
    let members: FlowMembers = members.read()?;
    let edges = every_page(client, &args.flow.path("/edges"), query, "edges").await?;
    let edges: Edges = edges.read()?;
    lines.extend(draw::graph(terminal, &members.members, &edges.edges));
    Ok(lines)
}

/// Waits until every member of a flow has ended; returns it, also as it was answered.
pub(super) async fn ended(
    client: &Client,
    path: &str,
    query: Vec<(&'static str, String)>,
) -> Result<(Flow, Answer), Failure> {
    loop {
        let answer = retried(|| client.get(path, query.clone())).await?;
        let flow: Flow = answer.read()?;
        if has_ended(&flow) {
            return Ok((flow, answer));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether nothing more happens in a flow by itself. One without members waits for them, so
/// it is not waited for.
fn has_ended(flow: &Flow) -> bool {
    let it = &flow.counters;
    let ended = it.completed + it.failed + it.cancelled + it.expired + it.skipped;
    // Not by the status alone: members of a cancelled flow may run on.
    ended >= it.total && (it.total == 0 || flow.status != FlowStatus::Active)
}

/// Returns the exit code for the state of a flow.
pub(super) fn exit(flow: &Flow) -> Exit {
    match flow.public_flow_state {
        PublicFlowState::Failed => Exit::Failed,
        PublicFlowState::Cancelled => Exit::Cancelled,
        _ => Exit::Ok,
    }
}
