//! Pairs of concurrent verbs on one execution: in every order of their statements, both
//! answers and the state after are as if one verb had run after the other.
//!
//! Two engines ask at the same time, so that nothing is batched. Four
//! schedules are forced on the server for each ordered pair:
//!
//! - *behind a lock*: the rows of the execution are locked; both statements have
//!   begun, with their snapshots, before either can change anything;
//! - *before the commit*: the first has done its work and is stopped just before
//!   it commits; the second begins then;
//! - *after the reading*: both have read what they decide on; the first has
//!   committed when the statement of the second begins;
//! - *together*: both at once, as they come.

mod ask;
mod pairs;
mod places;
mod schedules;
