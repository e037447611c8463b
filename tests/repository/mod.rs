//! What the repository promises of itself.

mod closed_sets;
mod event_plans;
mod flow_plans;
mod golden;
mod guide;
mod plans;
mod plans_at_scale;
mod read_plans;
mod read_walks;
mod tidy;
mod verbs;
mod wit_reference;
mod writes;
