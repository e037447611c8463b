//! What the repository promises of itself.

mod golden;
mod guide;
mod plans;
mod tidy;
mod wit_reference;
