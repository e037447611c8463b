//! Pages of executions, of expired leases and of suspended executions.

use model::{BlockingReason, ExecutionId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::serde::rfc3339;
use utoipa::ToSchema;

use super::{CurrentLease, Execution};
use crate::api::Unreadable;
use crate::api::answer::{answers, pages};

/// A page of executions, the last in the order of the list first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ExecutionPage {
    /// The executions of the page.
    pub executions: Vec<Execution>,
    /// What the list is ordered by, the last coming first.
    pub ordered_by: ListOrder,
    /// Number of executions the host looked at, if it stopped there before the page was
    /// full and before the end of the list: more may follow, and `next_cursor` continues.
    /// Absent when the page is full or nothing follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub examined: Option<usize>,
    /// Rows of the page that this version cannot read; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<Unreadable>,
    /// What to pass as `after` for the next page; null on the last.
    pub next_cursor: Option<String>,
}

/// What a list of executions is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListOrder {
    /// Their ids, which begin with the time of their creation.
    Created,
    /// The time of their end.
    Finished,
}

impl From<engine::ListOrder> for ListOrder {
    fn from(order: engine::ListOrder) -> Self {
        match order {
            engine::ListOrder::Created => Self::Created,
            engine::ListOrder::Finished => Self::Finished,
        }
    }
}

impl ExecutionPage {
    /// Shows a page; `cursor` makes the cursor of the next one from its place.
    pub fn new(listed: engine::Listed, cursor: impl FnOnce(&engine::ListPlace) -> String) -> Self {
        let found = listed.page;
        Self {
            ordered_by: listed.order.into(),
            examined: listed.examined,
            next_cursor: found.next().map(cursor),
            executions: found.rows.into_iter().map(Into::into).collect(),
            unreadable: found.unreadable.into_iter().map(Into::into).collect(),
        }
    }
}

pages! {
    /// A page of expired leases, in the order of their executions.
    ExpiredLeases of engine::ExpiredLease {
        /// The leases of the page.
        leases: Vec<ExpiredLease>, examined
    }

    /// A page of suspended executions, the longest suspended first.
    SuspendedExecutions of engine::SuspendedExecution {
        /// The executions of the page.
        executions: Vec<SuspendedExecution>, examined
    }
}

answers! {
    /// A lease that expired and that no host has reclaimed yet.
    ExpiredLease(expired: engine::ExpiredLease) {
        /// Execution the lease is on.
        execution_id: ExecutionId as String,
        /// Namespace of the execution.
        namespace: String,
        /// The lease that expired.
        lease: CurrentLease = expired.lease.into(),
    }

    /// An execution that waits for a signal.
    SuspendedExecution(suspended: engine::SuspendedExecution) {
        /// Id of the execution.
        execution_id: ExecutionId as String,
        /// Namespace it belongs to.
        namespace: String,
        /// Kind, which names the handler it needs.
        kind: String,
        /// Lane it returns to when it resumes.
        lane: String,
        /// What it waits for, as in `blocking_reason` of an execution.
        blocking_reason: BlockingReason as String,
        /// The reason code its handler gave; null when it gave none.
        reason: Option<String>,
        /// Number of attempts that began.
        attempts: u32,
        /// Time it was suspended.
        #[serde(with = "rfc3339")]
        suspended_at: OffsetDateTime,
        /// Time the suspension times out; null when it never does.
        #[serde(with = "rfc3339::option")]
        timeout_at: Option<OffsetDateTime>,
    }
}
