//! Executions: their states, the views derived from a state, and the table of
//! transitions.

mod cancel_source;
mod state;
mod transition;

pub use cancel_source::CancelSource;
pub use state::{
    AttemptState, BlockingReason, EligibilityState, LifecyclePhase, Outcome, OwnershipState,
    PublicState, State, StateKind, StateVector,
};
pub use transition::{INITIAL_STATES, Rule, Verb, figure, rule};
