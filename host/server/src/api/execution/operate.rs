//! What operators ask of an execution, and what is kept of it.

use std::collections::BTreeMap;

use model::{AlreadySatisfied, ExecutionId, FailureClass, LeaseId, PublicState};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::serde::rfc3339;
use utoipa::ToSchema;

use crate::api::answer::{answers, pages};
use crate::api::operator::asks;
use crate::api::payload::present;

asks! {
    /// An operation that needs no more than who asks, and why.
    #[derive(Default)]
    OperateExecution {}

    /// Why an execution expires before its deadline.
    #[derive(Default)]
    ExpireExecution {
        /// The code of its failure: `expired` (when absent), or `attempt_timeout` or
        /// `execution_deadline` for a caller that watches these limits itself.
        expire_reason?: Option<String>,
    }

    /// On whose behalf an execution is cancelled.
    #[derive(Default)]
    CancelExecution {
        /// `operator_override` when absent, or a name of 1 to 64
        /// characters of `a-z`, `0-9`, `_`, `-`, `.` and `:`. `lease_holder` wants the
        /// lease, which must be held; `flow_cascade` and `system_timeout` are recorded by
        /// the engine alone.
        source?: Option<String>,
        /// The lease that is held, with `lease_holder`.
        lease_id?: Option<LeaseId> as Option<String>,
        /// Epoch of that lease.
        epoch?: Option<u64>,
        /// Number of the attempt under that lease.
        attempt?: Option<u32>,
    }

    /// Which lease to revoke.
    #[derive(Default)]
    RevokeLease {
        /// Only this lease; any when absent.
        expected_lease_id?: Option<LeaseId> as Option<String>,
    }

    /// The priority to give an execution.
    SetPriority {
        /// 0 to 9000; within its partition a higher one is served first.
        #[schema(value_type = u16, maximum = 9000)]
        priority: i64,
    }

    /// Why an execution is blocked.
    BlockExecution {
        /// `waiting_for_budget`, `waiting_for_quota`, `waiting_for_capable_worker`,
        /// `waiting_for_locality_match`, `paused_by_operator`, `paused_by_policy`
        /// or `paused_by_flow_cancel`.
        blocking_reason: String,
        /// More about the reason, for people; at most 1024 bytes.
        detail?: Option<String>,
    }

    /// Which reason to be blocked has ended.
    #[derive(Default)]
    UnblockExecution {
        /// Only if it is blocked for this reason; any when absent.
        expected_reason?: Option<String>,
    }

    /// The result a running execution is completed with. At most one of `result`,
    /// `result_text` and `result_base64` is given.
    CompleteOverride {
        /// The result, as JSON; kept byte for byte.
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        result: Option<Box<RawValue>> as Option<serde_json::Value>,
        /// The result, as text instead.
        result_text?: Option<String>,
        /// The result, as base64 instead (standard alphabet, padded).
        result_base64?: Option<String>,
        /// Media type of the result; when absent, that of the form it is given in.
        content_type?: Option<String>,
    }

    /// The failure the attempt of a running execution is ended with.
    FailOverride {
        /// `transient`, `permanent`, `infra_crash`, `timeout` or `cancelled`.
        class: FailureClass as String,
        /// A stable name for programs: 1 to 64 characters of `a-z`, `0-9` and `_`.
        code: String,
        /// A sentence for people; longer text than 4096 bytes is cut.
        message: String,
    }

    /// How long a running execution is delayed.
    #[derive(Default)]
    DelayOverride {
        /// Delay in milliseconds from now, at most ten years; either this or
        /// `delay_until`.
        delay_ms?: Option<u64>,
        /// Time it is due (RFC 3339), from 1970 to 9999 in UTC; immediately when it has
        /// passed. Either this or `delay_ms`.
        #[schema(format = DateTime)]
        delay_until?: Option<String>,
    }

    /// Labels to set and to remove.
    SetTags {
        /// Label to value; `null` removes the label. Labels not named stay.
        tags: BTreeMap<String, Option<String>>,
    }
}

/// The labels of an execution after some were set or removed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TagsSet {
    /// Number of labels the request named.
    pub count: u32,
    /// All labels, `owner.name` to value.
    pub tags: BTreeMap<String, String>,
}

/// The labels of an execution.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Tags {
    /// Labels, `owner.name` to value.
    pub tags: BTreeMap<String, String>,
}

/// What a cancel did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CancelledExecution {
    /// Id of the execution.
    #[schema(value_type = String)]
    pub id: ExecutionId,
    /// Its state now: `cancelled`.
    #[schema(value_type = String)]
    pub public_state: PublicState,
    /// Whether it was running.
    pub was_active: bool,
    /// Whether it had been cancelled before.
    pub already: bool,
}

/// Which lease was revoked.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RevokedExecution {
    /// Id of the execution.
    #[schema(value_type = String)]
    pub id: ExecutionId,
    /// The lease that was revoked.
    #[schema(value_type = String)]
    pub lease_id: LeaseId,
    /// Epoch of that lease.
    pub epoch: u64,
    /// `already_revoked` or `already_expired` when it had ended before; `null` when this
    /// request revoked it.
    #[schema(value_type = Option<String>)]
    pub already: Option<AlreadySatisfied>,
}

answers! {
    /// One thing an operator did.
    Operation(entry: engine::OperationEntry) {
        /// Time it was done.
        #[serde(with = "rfc3339")]
        at: OffsetDateTime,
        /// `cancel`, `expire`, `revoke`, `replay`, `prioritise`, `block`,
        /// `unblock`, `complete`, `fail`, `delay`, `wait_children`, `tag`, `signal`,
        /// `resume`, `close_waitpoint` or `mint_token`.
        verb: String,
        /// Who did it, as the request said.
        actor: String,
        /// Why, as the request said; null when it did not.
        reason: Option<String>,
        /// What it changed, for people; null when the verb says it all.
        detail: Option<String>,
        /// Epoch of the execution afterwards; null for verbs that leave it alone.
        epoch: Option<u64>,
    }
}

pages! {
    /// A page of what operators did to an execution, oldest first.
    Operations of engine::OperationEntry {
        /// The operations of the page.
        operations: Vec<Operation>,
    }
}
