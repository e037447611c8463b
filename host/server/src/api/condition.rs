//! The schemas of a resume condition and a resume policy, which
//! [`model::ResumeCondition`] and [`model::ResumePolicy`] read, check and write.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The condition for a suspended execution to resume. At most 256 nodes, and 4
/// composites within each other.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub enum ResumeCondition {
    /// A signal that the matcher accepts, at one waitpoint.
    #[schema(title = "SingleCondition")]
    Single(SingleBody),
    /// No signal: an operator resumes.
    #[schema(title = "OperatorOnlyCondition")]
    OperatorOnly,
    /// No signal: the suspension's time limit ends it.
    #[schema(title = "TimeoutOnlyCondition")]
    TimeoutOnly,
    /// A condition made of others.
    #[schema(title = "CompositeCondition")]
    Composite(CompositeBody),
}

/// Which signals at which waitpoint satisfy a condition.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SingleBody {
    /// Key of the waitpoint.
    pub waitpoint_key: String,
    /// Which of its signals count.
    pub matcher: SignalMatcher,
}

/// Which signals count for a condition.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub enum SignalMatcher {
    /// Signals with this name.
    #[schema(title = "NameMatcher")]
    ByName(String),
    /// Signals with any name.
    #[schema(title = "WildcardMatcher")]
    Wildcard,
}

/// How a composite condition is made of others.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", deny_unknown_fields)]
pub enum CompositeBody {
    /// Every member must be satisfied.
    #[schema(title = "AllOfBody")]
    AllOf {
        /// The conditions; at least one.
        #[schema(no_recursion, min_items = 1)]
        members: Vec<ResumeCondition>,
    },
    /// At least `n` of the signals that count must differ.
    #[schema(title = "CountBody")]
    Count {
        /// How many must differ; at least 1.
        n: u32,
        /// What they must differ in: `DistinctWaitpoints`, `DistinctSignals` or
        /// `DistinctSources`.
        count_kind: String,
        /// Which signals count; all when absent.
        matcher: Option<SignalMatcher>,
        /// Keys of the waitpoints whose signals count.
        #[schema(min_items = 1)]
        waitpoints: Vec<String>,
    },
}

/// What happens when a condition is satisfied. Every member is optional.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumePolicy {
    /// Where the execution is put: `Runnable`, the only value.
    #[schema(required = false, default = "Runnable")]
    pub resume_target: String,
    /// Whether the signals that satisfied it are consumed; otherwise they also count for
    /// the next suspension at their waitpoint, if that stays open.
    #[schema(required = false, default = true)]
    pub consume_matched_signals: bool,
    /// Whether the other signals count for the next suspension at their waitpoint, if
    /// that stays open.
    #[schema(required = false, default = false)]
    pub retain_signal_buffer_until_closed: bool,
    /// Delay before the execution is ready, in milliseconds, at most ten years; none when
    /// absent.
    pub resume_delay_ms: Option<u64>,
    /// Whether its waitpoints close; otherwise they are pending again.
    #[schema(required = false, default = true)]
    pub close_waitpoint_on_resume: bool,
    /// Whether the credential that asked for the execution may approve or reject it.
    #[serde(default)]
    #[schema(required = false, default = false)]
    pub allow_requester: bool,
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
