//! What the benchmark found, as JSON and as tables.

use serde::Serialize;

use super::authentication::Authentication;
use super::events::EventLog;
use super::flows::Flows;
use super::kinds::Kinds;
use super::measure::median;
use super::reads::Reads;
use super::streams::Streams;
use super::waits::CreateAndWait;
use crate::cli::io::{Paint, Terminal, format_bytes};

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Version of this program.
    pub version: &'static str,
    /// Whether this is an optimized build; numbers of others mean little.
    pub optimized: bool,
    /// Cores of the machine, shared by host and server.
    pub cores: usize,
    /// Attempts that ran at once.
    pub slots: u32,
    /// Version of the server, if it was the host's own.
    pub postgres: Option<String>,
    /// The baseline: single-row inserts at 16 connections.
    pub inserts_per_second: f64,
    /// One entry for each number in flight.
    pub lifecycles: Vec<Lifecycles>,
    /// One execution at a time on a host with nothing else to do.
    pub idle: Idle,
    /// Creations that wait over HTTP, one entry for each number of connections.
    pub create_and_wait: Vec<CreateAndWait>,
    /// What authentication costs a request, and wrong keys cost right ones.
    pub authentication: Authentication,
    /// One suspended execution at a time, likewise.
    pub waiting: Waiting,
    /// Median time in which another host starts and finishes an execution.
    pub start_us: f64,
    /// What a sandbox costs.
    pub sandbox: runtime::SandboxCost,
    /// Memory of the host.
    pub memory: Memory,
    /// Claims by length of the queue.
    pub backlog: Vec<Backlog>,
    /// One kind among many.
    pub kinds: Kinds,
    /// Many delays due at once.
    pub delays: Delays,
    /// Many leases renewed at once.
    pub leases: Leases,
    /// Many executions that wait.
    pub suspended: Suspended,
    /// Reads beside a short and a long history; absent if they were left out.
    pub reads: Option<Reads>,
    /// The event log and its readers.
    pub events: EventLog,
    /// Attempt streams and their tails.
    pub streams: Streams,
    /// Flows, and lifecycles outside flows.
    pub flows: Flows,
}

/// Lifecycles at one number in flight; costs are per lifecycle.
#[derive(Debug, Clone, Serialize)]
pub struct Lifecycles {
    /// Number of executions in flight.
    pub in_flight: usize,
    /// Executions that ended, with those that did after the time that is measured; of
    /// several rounds together.
    pub ended: u64,
    /// Executions that ended, per second.
    pub per_second: f64,
    /// The same, as a ratio to the baseline.
    pub ratio: f64,
    /// Processor time of the host and its guests, in microseconds.
    pub cpu_host_us: f64,
    /// Processor time of the server in microseconds, if it was the host's own.
    pub cpu_server_us: Option<f64>,
    /// Bytes of write-ahead log written.
    pub wal_bytes: f64,
    /// Number of syncs of that log.
    pub fsyncs: f64,
}

/// Times from create to the end.
#[derive(Debug, Serialize)]
pub struct Idle {
    /// Median time, in microseconds.
    pub p50_us: f64,
    /// 99th percentile, in microseconds.
    pub p99_us: f64,
    /// Median time of one durable commit of one row, in microseconds.
    pub commit_us: f64,
    /// The median as a multiple of a commit.
    pub p50_in_commits: f64,
}

/// Times of suspend → signal → the resumed handler runs: an execution is suspended,
/// the signal it needs is recorded, and it has a lease again and a sandbox opens.
#[derive(Debug, Serialize)]
pub struct Waiting {
    /// Median time, in microseconds.
    pub p50_us: f64,
    /// 99th percentile, in microseconds.
    pub p99_us: f64,
    /// Median time from the signal until the result is recorded, in microseconds.
    pub result_p50_us: f64,
    /// Median time of one durable commit of one row, in microseconds.
    pub commit_us: f64,
    /// 99th percentile of those commits, in microseconds.
    pub commit_p99_us: f64,
    /// The median as a multiple of `commit_us`.
    pub p50_in_commits: f64,
    /// The 99th percentile as a multiple of `commit_us`.
    pub p99_in_commits: f64,
}

/// What many suspended executions cost.
#[derive(Debug, Serialize)]
pub struct Suspended {
    /// Number of suspended executions.
    pub suspended: u64,
    /// Bytes each takes in tables and indexes.
    pub bytes_each: f64,
    /// Memory of the host with them, in bytes.
    pub rss_bytes: u64,
    /// Memory of the host before them, in bytes.
    pub rss_before_bytes: u64,
    /// Median time of a search for expired ones, in microseconds.
    pub find_due_p50_us: f64,
    /// 99th percentile, in microseconds.
    pub find_due_p99_us: f64,
}

/// Memory of the host.
#[derive(Debug, Serialize)]
pub struct Memory {
    /// In bytes, after the start.
    pub idle_rss_bytes: u64,
    /// In bytes, after the lifecycles.
    pub busy_rss_bytes: u64,
    /// In bytes, with the longest backlog waiting.
    pub backlog_rss_bytes: u64,
}

/// Claims of 50 against a queue.
#[derive(Debug, Serialize)]
pub struct Backlog {
    /// Number of ready executions.
    pub ready: u64,
    /// Median time, in microseconds.
    pub claim_p50_us: f64,
    /// 99th percentile, in microseconds.
    pub claim_p99_us: f64,
    /// The median as a ratio to that of the shortest queue.
    pub ratio: f64,
}

/// Delays that are due in one moment.
#[derive(Debug, Serialize)]
pub struct Delays {
    /// Number of delays due at once.
    pub due: u64,
    /// Time until the last of them was ready, in milliseconds.
    pub promoted_ms: f64,
    /// 99th percentile of claims of 50 from another lane meanwhile, in microseconds.
    pub claim_p99_us: f64,
    /// The same as a ratio to that of claims when nothing is due.
    pub ratio: f64,
}

/// Leases of attempts that run long.
#[derive(Debug, Serialize)]
pub struct Leases {
    /// Number of leases renewed together.
    pub leases: u64,
    /// Statements it took: one for each partition.
    pub statements: f64,
    /// Median time to renew them all, in milliseconds.
    pub p50_ms: f64,
    /// Longest time to renew them all, in milliseconds.
    pub max_ms: f64,
}

impl Lifecycles {
    /// Takes the median of each number over several rounds.
    pub fn median(rounds: &[Self]) -> Self {
        let of =
            |number: fn(&Self) -> f64| median(&mut rounds.iter().map(number).collect::<Vec<_>>());
        let server = rounds.iter().all(|round| round.cpu_server_us.is_some());
        Self {
            in_flight: rounds.first().map_or(0, |round| round.in_flight),
            ended: rounds.iter().map(|round| round.ended).sum(),
            per_second: of(|round| round.per_second),
            ratio: of(|round| round.ratio),
            cpu_host_us: of(|round| round.cpu_host_us),
            cpu_server_us: server.then(|| of(|round| round.cpu_server_us.unwrap_or_default())),
            wal_bytes: of(|round| round.wal_bytes),
            fsyncs: of(|round| round.fsyncs),
        }
    }
}

impl Report {
    /// Writes the report as tables.
    pub fn show(&self, terminal: Terminal) {
        let plain = |text: String| (Paint::Plain, text);
        if !self.optimized {
            let warning =
                "this build is not optimized: measure with `cargo run --release -- bench`";
            terminal.line(&terminal.paint(Paint::Yellow, warning));
        }
        let server = self.postgres.as_deref().unwrap_or("elsewhere");
        terminal.line(&format!(
            "flowhost {}, {} cores, {} slots, Postgres {server}\n",
            self.version, self.cores, self.slots
        ));
        terminal.line(&format!(
            "baseline: {:.0} single-row inserts per second at 16 connections, each a durable commit\n",
            self.inserts_per_second
        ));
        let rows: Vec<_> = self
            .lifecycles
            .iter()
            .map(|run| {
                vec![
                    plain(run.in_flight.to_string()),
                    (Paint::Bold, format!("{:.0}", run.per_second)),
                    (Paint::Bold, format!("{:.2}", run.ratio)),
                    plain(format!("{:.0}", run.cpu_host_us)),
                    plain(
                        run.cpu_server_us
                            .map_or("-".to_owned(), |us| format!("{us:.0}")),
                    ),
                    plain(format!("{:.0}", run.wal_bytes)),
                    plain(format!("{:.3}", run.fsyncs)),
                ]
            })
            .collect();
        let header = [
            "IN FLIGHT",
            "LIFECYCLES/S",
            "RATIO",
            "HOST µs",
            "SERVER µs",
            "WAL B",
            "FSYNCS",
        ];
        terminal.table(&header, &rows);
        terminal.line("");
        terminal.line(&format!(
            "idle: p50 {:.0} µs ({:.1} commits of {:.0} µs), p99 {:.0} µs",
            self.idle.p50_us, self.idle.p50_in_commits, self.idle.commit_us, self.idle.p99_us
        ));
        for waits in &self.create_and_wait {
            terminal.line(&waits.line());
        }
        for line in self.authentication.lines() {
            terminal.line(&line);
        }
        terminal.line(&format!(
            "suspend, signal, running again: p50 {:.0} µs ({:.1} commits of {:.0} µs), p99 {:.0} µs ({:.1}; commits {:.0} µs); from signal to result p50 {:.0} µs",
            self.waiting.p50_us,
            self.waiting.p50_in_commits,
            self.waiting.commit_us,
            self.waiting.p99_us,
            self.waiting.p99_in_commits,
            self.waiting.commit_p99_us,
            self.waiting.result_p50_us
        ));
        terminal.line(&format!(
            "start: p50 {:.0} ms from making the process to its first finished execution",
            self.start_us / 1e3
        ));
        terminal.line(&format!(
            "sandbox: p50 {:.1} µs for a fresh one, a call and its end ({}), p99 {:.1} µs; a native call {:.3} µs",
            self.sandbox.p50_us,
            if self.sandbox.pooled { "pooled" } else { "not pooled" },
            self.sandbox.p99_us,
            self.sandbox.native_p50_us,
        ));
        terminal.line(&format!(
            "memory: {} idle, {} after the load, {} with the backlog",
            format_bytes(self.memory.idle_rss_bytes),
            format_bytes(self.memory.busy_rss_bytes),
            format_bytes(self.memory.backlog_rss_bytes)
        ));
        terminal.line("");
        let rows: Vec<_> = self
            .backlog
            .iter()
            .map(|it| {
                vec![
                    plain(it.ready.to_string()),
                    plain(format!("{:.0}", it.claim_p50_us)),
                    plain(format!("{:.0}", it.claim_p99_us)),
                    (Paint::Bold, format!("{:.2}", it.ratio)),
                ]
            })
            .collect();
        terminal.table(&["READY", "CLAIM OF 50 p50 µs", "p99 µs", "RATIO"], &rows);
        terminal.line("");
        for line in self.kinds.lines() {
            terminal.line(&line);
        }
        let Delays {
            due,
            promoted_ms,
            claim_p99_us,
            ratio,
        } = self.delays;
        terminal.line(&format!(
            "delays: {due} due at once are ready after {promoted_ms:.0} ms; claims of 50 meanwhile p99 {claim_p99_us:.0} µs, {ratio:.2} times that without"
        ));
        let Leases {
            leases,
            statements,
            p50_ms,
            max_ms,
        } = self.leases;
        terminal.line(&format!(
            "leases: {leases} renewed by {statements:.1} statements in {p50_ms:.0} ms, at most {max_ms:.0} ms"
        ));
        terminal.line(&format!(
            "suspended: {} take {:.0} bytes of disk each, and {} of memory in all; expired ones are found in p50 {:.0} µs, p99 {:.0} µs",
            self.suspended.suspended,
            self.suspended.bytes_each,
            format_bytes(self.suspended.rss_bytes.saturating_sub(self.suspended.rss_before_bytes)),
            self.suspended.find_due_p50_us,
            self.suspended.find_due_p99_us
        ));
        if let Some(reads) = &self.reads {
            terminal.line("");
            reads.show(terminal);
        }
        terminal.line("");
        let parts = [
            self.events.lines(),
            self.streams.lines(),
            self.flows.lines(),
        ];
        for line in parts.concat() {
            terminal.line(&line);
        }
    }
}
