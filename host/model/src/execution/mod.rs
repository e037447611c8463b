//! Executions: their states, the views derived from a state, and the table of
//! transitions.

mod blocking_reason;
mod cancel_source;
mod outcome;
mod state;
mod transition;
mod vector;

pub use blocking_reason::BlockingReason;
pub use cancel_source::CancelSource;
pub use outcome::Outcome;
pub use state::{PublicState, State, StateKind};
pub use transition::{INITIAL_STATES, Rule, Verb, figure, rule};
pub use vector::{AttemptState, EligibilityState, LifecyclePhase, OwnershipState, StateVector};
