//! States of flows and of their groups, and what a cancellation reaches.

use crate::wire::named;
use crate::{Invalid, Limits, Outcome, PublicState, ensure, quoted};

impl Limits {
    /// Most members of a flow.
    pub const FLOW_MEMBERS_MAX: usize = 10_000;
    /// Most edges of a flow.
    pub const FLOW_EDGES_MAX: usize = 50_000;
    /// Most bytes of the inputs of all members that one request creates.
    pub const FLOW_INPUT_BYTES_MAX: usize = 32 << 20;
    /// Most bytes of the name of a member, and of the name under which a result is passed on.
    pub const MEMBER_NAME_BYTES_MAX: usize = 128;
}

named! {
    /// How the group of edges into an execution stands.
    pub enum EdgeGroupState ("edge group state") {
        /// Not decided.
        Pending = "pending",
        /// As many edges are satisfied as it needs.
        Satisfied = "satisfied",
        /// So many can no longer be satisfied.
        Impossible = "impossible",
        /// Its flow was cancelled before it was decided.
        Cancelled = "cancelled",
    }
}

named! {
    /// Which members of a flow its cancellation reaches.
    #[derive(Default)]
    pub enum FlowCancellationPolicy ("cancellation policy") {
        /// All that have not ended.
        #[default]
        CancelAll = "cancel_all",
        /// Those that do not run.
        CancelPending = "cancel_pending",
        /// None: the flow takes no new members, and those that it has go on.
        CancelFlowOnly = "cancel_flow_only",
    }
}

named! {
    /// The state of a flow in one word, as a list shows it.
    pub enum FlowStatus ("flow status") {
        /// Some member has not ended, or it has none.
        Active = "active",
        /// All members ended, none badly.
        Completed = "completed",
        /// All members ended, some badly.
        Failed = "failed",
        /// It was cancelled.
        Cancelled = "cancelled",
        /// It is in a state that this version does not know.
        Unknown = "unknown",
    }
}

named! {
    /// The state of a flow as follows from the states of its members.
    pub enum PublicFlowState ("flow state") {
        /// Members wait to be run, or there are none.
        Open = "open",
        /// A member runs.
        Running = "running",
        /// None runs, and one waits for something else than a worker.
        Blocked = "blocked",
        /// It was cancelled.
        Cancelled = "cancelled",
        /// All members ended, none badly.
        Completed = "completed",
        /// All members ended, some badly.
        Failed = "failed",
    }
}

named! {
    /// Whether a member of a flow can be run, and if not, why.
    pub enum FlowEligibility ("flow eligibility") {
        /// There is no such execution, or it is of no flow.
        NotFound = "not_found",
        /// Something else than its flow keeps it: a delay, an operator, a limit.
        NotRunnable = "not_runnable",
        /// It runs.
        Owned = "owned",
        /// It has ended.
        Terminal = "terminal",
        /// It waits for a worker.
        Eligible = "eligible",
        /// What it waits for can no longer come true.
        Impossible = "impossible",
        /// It waits for other members.
        BlockedByDependencies = "blocked_by_dependencies",
    }
}

/// How many members of a flow there are, in each public state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlowCounters {
    /// All members of the flow.
    pub total: u32,
    /// Members whose state was read.
    pub sampled: u32,
    /// Members that ended with success.
    pub completed: u32,
    /// Members that ended as failed.
    pub failed: u32,
    /// Members that were cancelled.
    pub cancelled: u32,
    /// Members whose time limit passed.
    pub expired: u32,
    /// Members that were skipped.
    pub skipped: u32,
    /// Members that run under a lease.
    pub active: u32,
    /// Members that wait for signals.
    pub suspended: u32,
    /// Members that wait for a worker.
    pub waiting: u32,
    /// Members that wait for a time.
    pub delayed: u32,
    /// Members that wait for a budget or a quota.
    pub rate_limited: u32,
    /// Members that wait for others.
    pub waiting_children: u32,
}

impl FlowCounters {
    /// Counts members in one state.
    pub const fn add(&mut self, state: PublicState, count: u32) {
        self.sampled += count;
        let counter = match state {
            PublicState::Waiting | PublicState::Resumable => &mut self.waiting,
            PublicState::Delayed => &mut self.delayed,
            PublicState::RateLimited => &mut self.rate_limited,
            PublicState::WaitingChildren => &mut self.waiting_children,
            PublicState::Active => &mut self.active,
            PublicState::Suspended => &mut self.suspended,
            PublicState::Completed => &mut self.completed,
            PublicState::Failed => &mut self.failed,
            PublicState::Cancelled => &mut self.cancelled,
            PublicState::Expired => &mut self.expired,
            PublicState::Skipped => &mut self.skipped,
        };
        *counter += count;
    }

    /// Returns the state of a flow that was not cancelled.
    pub const fn state(&self) -> PublicFlowState {
        let bad = self.failed + self.cancelled + self.expired;
        let ended = self.completed + self.skipped + bad;
        let blocked = self.suspended + self.delayed + self.rate_limited + self.waiting_children;
        if self.total > 0 && ended >= self.total {
            if bad > 0 {
                PublicFlowState::Failed
            } else {
                PublicFlowState::Completed
            }
        } else if self.active > 0 {
            PublicFlowState::Running
        } else if self.waiting > 0 || blocked == 0 {
            PublicFlowState::Open
        } else {
            PublicFlowState::Blocked
        }
    }
}

impl FlowStatus {
    /// Returns the status of a flow from what it counts.
    pub const fn of(cancelled: bool, members: u32, ended: u32, bad: u32) -> Self {
        if cancelled {
            Self::Cancelled
        } else if members == 0 || ended < members {
            Self::Active
        } else if bad > 0 {
            Self::Failed
        } else {
            Self::Completed
        }
    }

    /// Whether a member that ended so makes the flow a failed one.
    pub const fn is_bad(outcome: Outcome) -> bool {
        matches!(
            outcome,
            Outcome::Failed | Outcome::Cancelled | Outcome::Expired
        )
    }
}

/// Checks the name of a member, or the name under which a result is passed on: 1 to 128
/// characters of `a-z`, `A-Z`, `0-9`, `-`, `_` and `.`, beginning with a letter or digit, and
/// no UUID, since members are also named by their ids.
pub fn member_name(field: &'static str, text: &str) -> Result<(), Invalid> {
    let max = Limits::MEMBER_NAME_BYTES_MAX;
    let ok = (1..=max).contains(&text.len())
        && text
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric());
    ensure(field, ok, || {
        format!(
            "{} is not a valid name: it must be 1 to {max} characters of a-z, A-Z, 0-9, '-', '_' and '.', beginning with a letter or digit",
            quoted(text)
        )
    })?;
    ensure(field, uuid::Uuid::try_parse(text).is_err(), || {
        format!(
            "{} reads like an id, and members are named by their ids too",
            quoted(text)
        )
    })
}
