//! The schemas of a condition and of what happens when it is satisfied.
//! `model::ResumeCondition` and `model::ResumePolicy` read and check them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What must have happened for a suspended execution to go on. At most 256 nodes,
/// and 4 composites within each other.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub enum ResumeCondition {
    /// A signal at this waitpoint that the matcher admits.
    Single {
        /// The waitpoint, by its key.
        waitpoint_key: String,
        /// Which signals count.
        matcher: SignalMatcher,
    },
    /// No signal: an operator resumes.
    OperatorOnly,
    /// No signal: the suspension's time limit ends it.
    TimeoutOnly,
    /// Made of others.
    Composite(CompositeBody),
}

/// Which signals count.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub enum SignalMatcher {
    /// Those of this name.
    ByName(String),
    /// All.
    Wildcard,
}

/// How a composite condition is made.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", deny_unknown_fields)]
pub enum CompositeBody {
    /// Every member is satisfied.
    AllOf {
        /// At least one.
        #[schema(no_recursion, min_items = 1)]
        members: Vec<ResumeCondition>,
    },
    /// At least `n` different things among the signals that count.
    Count {
        /// At least 1.
        n: u32,
        /// What must differ: `DistinctWaitpoints`, `DistinctSignals` or
        /// `DistinctSources`.
        count_kind: String,
        /// Which signals count; all when absent.
        matcher: Option<SignalMatcher>,
        /// Whose signals count, by their keys.
        #[schema(min_items = 1)]
        waitpoints: Vec<String>,
    },
}

/// What happens when a condition is satisfied. Every member may be left out.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumePolicy {
    /// Where the execution goes: `Runnable`.
    #[schema(required = false, default = "Runnable")]
    pub resume_target: String,
    /// Whether the signals that satisfied it are done with; otherwise they count
    /// for the next suspension on their waitpoint too, if that stays open.
    #[schema(required = false, default = true)]
    pub consume_matched_signals: bool,
    /// Whether the other signals count for the next suspension on their waitpoint,
    /// if that stays open.
    #[schema(required = false, default = false)]
    pub retain_signal_buffer_until_closed: bool,
    /// How long the execution waits before it is ready, in milliseconds; at most
    /// ten years.
    pub resume_delay_ms: Option<u64>,
    /// Whether the waitpoints close; otherwise they are pending again.
    #[schema(required = false, default = true)]
    pub close_waitpoint_on_resume: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_and_policies_fit_their_schemas() {
        for text in [
            r#"{"Single":{"waitpoint_key":"a","matcher":{"ByName":"x"}}}"#,
            r#"{"Single":{"waitpoint_key":"a","matcher":"Wildcard"}}"#,
            r#""OperatorOnly""#,
            r#"{"Composite":{"kind":"AllOf","members":["TimeoutOnly"]}}"#,
            r#"{"Composite":{"kind":"Count","n":1,"count_kind":"DistinctSources","waitpoints":["a"]}}"#,
        ] {
            let condition: model::ResumeCondition = serde_json::from_str(text).expect(text);
            let text = serde_json::to_string(&condition).expect("writes");
            serde_json::from_str::<ResumeCondition>(&text).expect("fits");
        }
        let policy = model::ResumePolicy {
            resume_delay_ms: Some(1),
            ..model::ResumePolicy::default()
        };
        let text = serde_json::to_string(&policy).expect("writes");
        serde_json::from_str::<ResumePolicy>(&text).expect("fits");
    }
}
