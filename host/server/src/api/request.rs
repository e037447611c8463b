//! Asking for executions, and what is answered.

use std::collections::BTreeMap;
use std::fmt;

use model::{AlreadySatisfied, ExecutionId, ExecutionPolicy, LeaseId, PublicState};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::Policy;

/// One execution to create. At most one of `input`, `input_text` and
/// `input_base64` is given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateExecution {
    /// Which handler it needs.
    pub kind: String,
    /// The input, as JSON; kept byte for byte.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub input: Option<Box<RawValue>>,
    /// The input, as text.
    pub input_text: Option<String>,
    /// The input, as base64 (standard alphabet, padded).
    pub input_base64: Option<String>,
    /// Media type of the input; absent, it follows from the form of the input.
    pub content_type: Option<String>,
    /// Namespace; `default` when absent.
    pub namespace: Option<String>,
    /// Lane; `default` when absent.
    pub lane: Option<String>,
    /// 0 to 9000; within its partition a higher one is served first. 0 when absent.
    #[schema(value_type = Option<u16>, maximum = 9000)]
    pub priority: Option<i64>,
    /// Makes the request repeatable; the header `Idempotency-Key` does the same.
    pub idempotency_key: Option<String>,
    /// Labels, `owner.name` to value; at most 32.
    #[serde(default, deserialize_with = "without_doubles")]
    pub tags: BTreeMap<String, String>,
    /// Retries, time limits and requirements.
    #[schema(value_type = Option<Policy>)]
    pub policy: Option<ExecutionPolicy>,
    /// Not before so many milliseconds from now.
    pub delay_ms: Option<u64>,
    /// Not before this time (RFC 3339), from 1970 to 9999 in UTC; excludes `delay_ms`.
    #[schema(format = DateTime)]
    pub delay_until: Option<String>,
    /// Ends as expired at this time (RFC 3339), from 1970 to 9999 in UTC, and after
    /// `delay_until`.
    #[schema(format = DateTime)]
    pub deadline_at: Option<String>,
    /// Who asks.
    pub creator: Option<String>,
    /// An id of the caller's making: a version 7 UUID of the form this server gives
    /// out, whose 12 bits after the version number a partition of the instance. The
    /// same request with the same id makes nothing more; another one is refused.
    #[schema(value_type = Option<String>)]
    pub id: Option<ExecutionId>,
}

/// Up to 1,000 executions to create.
#[derive(Debug, ToSchema)]
pub struct CreateBatch {
    /// Each on its own: some may be created and others refused.
    #[schema(max_items = 1000)]
    pub executions: Vec<CreateExecution>,
}

/// What a create did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreatedExecution {
    /// The execution.
    #[schema(value_type = String)]
    pub id: ExecutionId,
    /// Whether it existed: the idempotency key or the id was used before with the
    /// same request.
    pub duplicate: bool,
    /// Where it stands; absent for a duplicate that was not waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub state: Option<PublicState>,
}

/// One verdict for each item of a batch, in its order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BatchResults {
    /// The verdicts.
    pub results: Vec<BatchVerdict>,
}

/// What became of one item: an execution or a problem.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BatchVerdict {
    /// The status a single create would have had.
    pub status: u16,
    /// What was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<CreatedExecution>,
    /// Why nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<super::ProblemBody>)]
    pub problem: Option<serde_json::Value>,
}

/// What a cancel did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CancelledExecution {
    /// The execution.
    #[schema(value_type = String)]
    pub id: ExecutionId,
    /// Whether it was running.
    pub was_active: bool,
    /// Whether it had been cancelled before.
    pub already: bool,
}

/// Which lease was taken away.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RevokedExecution {
    /// The execution.
    #[schema(value_type = String)]
    pub id: ExecutionId,
    /// The lease that is gone.
    #[schema(value_type = String)]
    pub lease_id: LeaseId,
    /// Its epoch.
    pub epoch: u64,
    /// `already_revoked` or `already_expired` when it was gone before; `null` when this
    /// request took it away.
    #[schema(value_type = Option<String>)]
    pub already: Option<AlreadySatisfied>,
}

/// A JSON `null` is an input like any other; only a missing field is none.
pub(crate) fn present<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(d).map(Some)
}

/// Refuses an object that names a key twice.
fn without_doubles<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeMap<String, String>, D::Error> {
    struct Distinct;
    impl<'de> Visitor<'de> for Distinct {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of texts")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some((key, value)) = access.next_entry::<String, String>()? {
                if map.contains_key(&key) {
                    return Err(A::Error::custom(format!("`{key}` is given twice")));
                }
                map.insert(key, value);
            }
            Ok(map)
        }
    }
    d.deserialize_map(Distinct)
}
