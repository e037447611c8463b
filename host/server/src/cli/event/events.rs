//! `flowhost events FAMILY`: events from a cursor on, up to the last or without end.
//!
//! Each request asks for what comes after the cursor of the answer before, so a connection
//! that breaks costs no event and repeats none, whichever host answers next.

use clap::Args;
use model::{EventFamily, ExecutionId, FlowId};
use tokio::signal::ctrl_c;

use crate::api::{Event, EventPage, WAIT_MS_MAX};
use crate::cli::execution::filter::tag_query;
use crate::cli::execution::watch::retried;
use crate::cli::io::{
    Client, Context, Exit, Failure, Paint, escape, format_time, interruptible, output_loss,
    to_stderr,
};

/// Events that are shown when nothing else is said and the command does not follow.
const LIMIT_DEFAULT: usize = 50;
/// Most events of one request.
const PAGE_MAX: usize = 1000;

/// Arguments of `events`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flowhost events completion
  flowhost events lifecycle --follow --kind word
  flowhost --json events lease_history --since beginning --limit 1000

FAMILY is lease_history, completion, signal_delivery, instance_tags, operator, registry or
lifecycle. With --json each event is a line of its own, and its `cursor` is what --since
takes. --follow ends with Ctrl-C, and then with exit code 0; a host that goes away is waited
for, and no event is missed or shown twice. If the events after the cursor are no longer
kept, it ends with exit code 9.")]
pub struct EventsArgs {
    /// Which events: one change may be an event of several families
    family: EventFamily,
    /// Show what happens from now on too, without end
    #[arg(long, short = 'f')]
    follow: bool,
    /// Begin after this cursor, at the beginning, or now [default: now with --follow, else
    /// beginning]
    #[arg(long, value_name = "CURSOR")]
    since: Option<String>,
    /// Only those of this namespace
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Only those of executions of this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only those of executions in this lane
    #[arg(long, value_name = "LANE")]
    lane: Option<String>,
    /// Only those of this execution
    #[arg(long, value_name = "ID")]
    execution: Option<ExecutionId>,
    /// Only those of members of this flow
    #[arg(long, value_name = "ID")]
    flow: Option<FlowId>,
    /// Only those of executions that have this label now, owner.name=value
    #[arg(long, value_name = "K=V")]
    tag: Option<String>,
    /// Number of events after which to end [default: 50, without end with --follow]
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
}

impl EventsArgs {
    fn query(&self, context: &Context) -> Result<Vec<(&'static str, String)>, Failure> {
        let filters = [
            ("namespace", context.namespace(self.namespace.clone())),
            ("kind", self.kind.clone()),
            ("lane", self.lane.clone()),
            ("execution_id", self.execution.map(|id| id.to_string())),
            ("flow_id", self.flow.map(|id| id.to_string())),
        ];
        let given = filters.into_iter();
        let given = given.filter_map(|(name, value)| Some((name, value?)));
        let mut query: Vec<_> = given.collect();
        if let Some(tag) = &self.tag {
            query.push(tag_query(tag)?);
        }
        Ok(query)
    }

    /// Returns where to begin, as the API has it: empty for now.
    fn begin(&self) -> String {
        match self.since.as_deref() {
            Some("now") => String::new(),
            None if self.follow => String::new(),
            None => "beginning".to_owned(),
            Some(since) => since.to_owned(),
        }
    }
}

/// What is read, and how far.
struct Reader<'c> {
    context: &'c Context,
    client: Client,
    path: String,
    query: Vec<(&'static str, String)>,
    /// Where the next request begins; empty for now.
    after: String,
    /// How many events are left to show; absent without end.
    left: Option<usize>,
}

/// Runs the command.
pub async fn run(context: &Context, args: EventsArgs) -> Result<Exit, Failure> {
    let limit = args.limit.map(|limit| limit as usize);
    let mut reader = Reader {
        context,
        client: context.client()?,
        path: format!("/v1/events/{}", args.family),
        query: args.query(context)?,
        after: args.begin(),
        left: limit.or_else(|| (!args.follow).then_some(LIMIT_DEFAULT)),
    };
    // A host that is not there at the beginning is a mistake.
    let more = interruptible(reader.read(0)).await?;
    if !args.follow {
        return interruptible(reader.rest(more)).await;
    }
    let followed = tokio::select! {
        followed = reader.follow() => Some(followed),
        Ok(()) = ctrl_c() => None,
    };
    match followed {
        None => {
            reader.say_where();
            Ok(Exit::Ok)
        }
        Some(Ok(())) => Ok(Exit::Ok),
        Some(Err(failure)) => {
            reader.say_where();
            Err(failure)
        }
    }
}

impl Reader<'_> {
    /// Reads and shows a page; returns whether there may be more now.
    async fn read(&mut self, wait_ms: u32) -> Result<bool, Failure> {
        let limit = self.left.unwrap_or(PAGE_MAX).min(PAGE_MAX);
        let mut query = self.query.clone();
        query.push(("after", self.after.clone()));
        query.push(("limit", limit.to_string()));
        query.push(("wait_ms", wait_ms.to_string()));
        let (client, path) = (&self.client, &self.path);
        let answer = match wait_ms {
            0 => client.get(path, query).await?,
            _ => retried(|| client.get(path, query.clone())).await?,
        };
        let page: EventPage = answer.read()?;
        // From here to the end nothing waits, so an interruption comes before or after.
        for event in &page.events {
            if self.context.json {
                self.context.terminal.json_of(event)?;
            } else {
                self.context.line(&line(self.context, event));
            }
        }
        self.left = self.left.map(|left| left.saturating_sub(page.events.len()));
        self.after = page.cursor;
        Ok(page.more)
    }

    /// Whether nothing is left to show, or nothing can be shown any more.
    fn is_done(&self) -> bool {
        self.left == Some(0) || output_loss().is_some()
    }

    async fn rest(&mut self, mut more: bool) -> Result<Exit, Failure> {
        while more && !self.is_done() {
            more = self.read(0).await?;
        }
        if more && !self.context.json {
            let line = format!("more with --since {}", escape(&self.after));
            let line = self.context.terminal.paint(Paint::Dim, &line);
            self.context.line(&line);
        }
        Ok(Exit::Ok)
    }

    async fn follow(&mut self) -> Result<(), Failure> {
        while !self.is_done() {
            self.read(WAIT_MS_MAX).await?;
        }
        Ok(())
    }

    /// Says how to continue where it ended.
    fn say_where(&self) {
        if !self.context.json && !self.after.is_empty() {
            to_stderr(&format!("continue with --since {}", escape(&self.after)));
        }
    }
}

/// Lays out an event: when, what, to which execution or worker, and what else it says.
fn line(context: &Context, event: &Event) -> String {
    let at = context.terminal.paint(Paint::Dim, &format_time(event.at));
    let name = format!("{:<17}", escape(&event.event));
    let name = context.terminal.paint(Paint::Bold, &name);
    let worker = event.worker_instance_id.as_deref();
    let subject = event.execution_id.as_deref().or(worker).unwrap_or_default();
    let mut line = format!("{at}  {name}  {}", escape(subject));
    let attempt = event.attempt.map(|attempt| attempt.to_string());
    let before = event.priority_before.map(|it| it.to_string());
    let priority = event.priority.map(|it| it.to_string());
    let details = [
        ("kind", event.execution_kind.as_deref()),
        ("attempt", attempt.as_deref()),
        ("worker", worker.filter(|_| event.execution_id.is_some())),
        ("worker_id", event.worker_id.as_deref()),
        ("revoked_by", event.revoked_by.as_deref()),
        ("reason", event.reason.as_deref()),
        ("signal", event.signal_id.as_deref()),
        ("from", event.source_identity.as_deref()),
        ("tag", event.tag.as_deref()),
        ("value", event.value.as_deref()),
        ("before", before.as_deref()),
        ("priority", priority.as_deref()),
    ];
    for (name, value) in details {
        if let Some(value) = value {
            line.push_str(&format!("  {name}={}", escape(value)));
        }
    }
    line
}
