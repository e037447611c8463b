//! Conditions: which signals let a suspended execution resume.
//!
//! A condition is a tree. Its leaves match signals of named waitpoints, or none;
//! [`CompositeBody::AllOf`] joins conditions. It is evaluated from all signals each time
//! ([`evaluate`]), so there is no stored progress that could disagree with them.
//!
//! In JSON, as FlowFabric writes it:
//!
//! ```json
//! {"Single": {"waitpoint_key": "approval", "matcher": {"ByName": "approved"}}}
//! {"Single": {"waitpoint_key": "approval", "matcher": "Wildcard"}}
//! "OperatorOnly"
//! "TimeoutOnly"
//! {"Composite": {"kind": "AllOf", "members": ["OperatorOnly"]}}
//! {"Composite": {"kind": "Count", "n": 2, "count_kind": "DistinctSources",
//!                "matcher": {"ByName": "vote"}, "waitpoints": ["a", "b"]}}
//! ```
//!
//! A `matcher` of `Count` may be absent. Unknown fields are errors.

mod check;
mod effect;
mod evaluate;
mod fault;
mod flat;
mod resume_condition;
mod structure;

pub use effect::effect;
pub use evaluate::{Evaluation, SignalFact, evaluate};
pub use fault::{ConditionError, ConditionFault};
pub use flat::FlatCondition;
pub use resume_condition::{CompositeBody, CountKind, ResumeCondition, SignalMatcher};
