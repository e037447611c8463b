//! Requests to create executions, and what is answered.

use std::collections::BTreeMap;
use std::fmt;

use engine::Created;
use model::{ExecutionId, PublicState};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::Policy;
use crate::api::payload::present;

/// One execution to create. At most one of `input`, `input_text` and
/// `input_base64` is given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateExecution {
    /// Kind, which names the handler it needs.
    pub kind: String,
    /// The input, as JSON; kept byte for byte.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub input: Option<Box<RawValue>>,
    /// The input, as text instead.
    pub input_text: Option<String>,
    /// The input, as base64 instead (standard alphabet, padded).
    pub input_base64: Option<String>,
    /// Media type of the input; when absent, that of the form it is given in.
    pub content_type: Option<String>,
    /// Namespace it belongs to; `default` when absent.
    pub namespace: Option<String>,
    /// Lane it is queued in; `default` when absent.
    pub lane: Option<String>,
    /// 0 to 9000; within its partition a higher one is served first. 0 when absent.
    #[schema(value_type = Option<u16>, maximum = 9000)]
    pub priority: Option<i64>,
    /// Makes the request safe to repeat; the header `Idempotency-Key` does the same.
    pub idempotency_key: Option<String>,
    /// Labels, `owner.name` to value; at most 32.
    #[serde(default, deserialize_with = "unique_keys")]
    pub tags: BTreeMap<String, String>,
    /// Retries, time limits and requirements; the defaults when absent.
    #[schema(value_type = Option<Policy>)]
    pub policy: Option<Box<RawValue>>,
    /// Earliest start, in milliseconds from now; excludes `delay_until`.
    pub delay_ms: Option<u64>,
    /// Earliest start (RFC 3339), from 1970 to 9999 in UTC; excludes `delay_ms`.
    #[schema(format = DateTime)]
    pub delay_until: Option<String>,
    /// Time it expires unless it has finished (RFC 3339), from 1970 to 9999 in UTC and
    /// after `delay_until`; never when absent.
    #[schema(format = DateTime)]
    pub deadline_at: Option<String>,
    /// Who creates it, for people; null when absent.
    pub creator: Option<String>,
    /// An id that the caller chose: a version 7 UUID whose 12 bits after the version are
    /// the number of a partition of the instance. The same request with the same id
    /// creates nothing more; another request with it is refused. Chosen by the server
    /// when absent.
    #[schema(value_type = Option<String>)]
    pub id: Option<ExecutionId>,
}

/// Up to 1,000 executions to create.
#[derive(Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateBatch {
    /// The executions; each is created or refused on its own.
    #[schema(max_items = 1000)]
    pub executions: Vec<CreateExecution>,
}

/// What a request to create an execution did.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreatedExecution {
    /// Id of the execution.
    #[schema(value_type = String)]
    pub id: ExecutionId,
    /// Whether it existed before: the idempotency key or the id was used before with the
    /// same request.
    pub duplicate: bool,
    /// Its state; absent for a duplicate that was not waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub state: Option<PublicState>,
}

impl From<Created> for CreatedExecution {
    fn from(created: Created) -> Self {
        let (id, state) = match created {
            Created::Created { id, state } => (id, Some(state)),
            Created::Duplicate { id } => (id, None),
        };
        Self {
            id,
            duplicate: state.is_none(),
            state,
        }
    }
}

/// The verdicts on the items of a batch.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BatchResults {
    /// One verdict for each item, in the order of the request.
    pub results: Vec<BatchVerdict>,
}

/// The verdict on one item of a batch: an execution or a problem.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BatchVerdict {
    /// The status a single create would have had.
    pub status: u16,
    /// The execution that was created, or existed before; absent with a problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<CreatedExecution>,
    /// Why none was created; absent with an execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<crate::api::ProblemBody>)]
    pub problem: Option<serde_json::Value>,
}

/// Reads labels; refuses an object that names a key twice.
pub(crate) fn unique_keys<'de, D: Deserializer<'de>>(
    d: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    struct Distinct;
    impl<'de> Visitor<'de> for Distinct {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object whose values are strings")
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
