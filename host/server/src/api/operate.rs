//! What operators ask of an execution.

use std::collections::BTreeMap;

use model::{BlockingReason, FailureClass, LeaseId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::request::present;

/// A request that says who asks and why.
pub trait Asks {
    /// Returns the actor and the reason.
    fn by(&mut self) -> (Option<String>, Option<String>);
}

macro_rules! asks {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* })+) => {
        $(
            $(#[$meta])*
            #[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
            #[serde(deny_unknown_fields)]
            pub struct $name {
                $($(#[$field_meta])* pub $field: $type,)*
                /// Who asks, 1 to 255 bytes; `api` when absent. Kept with the
                /// execution.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub actor: Option<String>,
                /// Why, for people; at most 1024 bytes. Kept with the execution.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub reason: Option<String>,
            }

            impl $crate::api::Asks for $name {
                fn by(&mut self) -> (Option<String>, Option<String>) {
                    (self.actor.take(), self.reason.take())
                }
            }
        )+
    };
}

pub(super) use asks;

asks! {
    /// Who asks, and why.
    #[derive(Default)]
    OperateExecution {}

    /// Why an execution is cancelled.
    #[derive(Default)]
    CancelExecution {
        /// On whose behalf: `operator_override` when absent, or a name of 1 to 64
        /// characters of `a-z`, `0-9`, `_`, `-`, `.` and `:`. `lease_holder`,
        /// `flow_cascade` and `system_timeout` are recorded by the engine alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<String>,
    }

    /// Which lease is taken away.
    #[derive(Default)]
    RevokeLease {
        /// Only this lease; absent, whichever there is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>)]
        expected_lease_id: Option<LeaseId>,
    }

    /// The place an execution gets in its queue.
    SetPriority {
        /// 0 to 9000; within its partition a higher one is served first.
        #[schema(value_type = u16, maximum = 9000)]
        priority: i64,
    }

    /// Why an execution is taken out of its queue.
    BlockExecution {
        /// `waiting_for_budget`, `waiting_for_quota`, `waiting_for_capable_worker`,
        /// `waiting_for_locality_match`, `paused_by_operator`, `paused_by_policy`
        /// or `paused_by_flow_cancel`.
        #[schema(value_type = String)]
        blocking_reason: BlockingReason,
        /// More on that, for people; at most 1024 bytes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    }

    /// Which reason to be blocked is gone.
    #[derive(Default)]
    UnblockExecution {
        /// The reason it is expected to wait for; absent, any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>)]
        expected_reason: Option<BlockingReason>,
    }

    /// The result a running execution is finished with. At most one of `result`,
    /// `result_text` and `result_base64`.
    CompleteOverride {
        /// The result, as JSON.
        #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<serde_json::Value>)]
        result: Option<Box<RawValue>>,
        /// The result, as text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result_text: Option<String>,
        /// The result, as base64 (standard alphabet, padded).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result_base64: Option<String>,
        /// Media type of the result; absent, it follows from its form.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content_type: Option<String>,
    }

    /// The failure the attempt of a running execution is ended with.
    FailOverride {
        /// `transient`, `permanent`, `infra_crash`, `timeout` or `cancelled`.
        #[schema(value_type = String)]
        class: FailureClass,
        /// A stable name for programs: 1 to 64 characters of `a-z`, `0-9` and `_`.
        code: String,
        /// A sentence for people; longer text than 4096 bytes is cut.
        message: String,
    }

    /// For how long a running execution is put down.
    DelayOverride {
        /// Milliseconds from now.
        delay_ms: u64,
    }

    /// Labels to set, and to remove.
    SetTags {
        /// Label to value; `null` removes the label. Labels not named stay.
        tags: BTreeMap<String, Option<String>>,
    }
}

/// The labels of an execution.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Tags {
    /// Label to value.
    pub tags: BTreeMap<String, String>,
}

/// What operators did to an execution, oldest first.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Operations {
    /// At most a thousand.
    pub operations: Vec<Operation>,
    /// Those that cannot be shown, by their numbers; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<super::Unreadable>,
}

/// One thing an operator did.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// What: `cancel`, `expire`, `revoke`, `replay`, `prioritise`, `block`,
    /// `unblock`, `complete`, `fail`, `delay`, `tag`, `signal`, `resume`,
    /// `close_waitpoint` or `mint_token`.
    pub verb: String,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
    /// What changed.
    pub detail: Option<String>,
    /// Epoch of the execution afterwards, where it is concerned.
    pub epoch: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_fits_its_schema() {
        let entry = engine::OperationEntry {
            at: time::OffsetDateTime::UNIX_EPOCH,
            verb: "replay".into(),
            actor: "alice".into(),
            reason: None,
            detail: None,
            epoch: Some(1),
        };
        let text = serde_json::to_string(&entry).expect("writes");
        serde_json::from_str::<Operation>(&text).expect("fits");
    }
}
