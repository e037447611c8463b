//! Behaviour across the parts of flowhost, on a real database, with real
//! components and real processes. One binary, so that everything is linked once.

mod api;
mod chaos;
mod concurrency;
mod failures;
mod golden;
mod http;
mod lanes;
mod lifecycle;
mod outage;
mod plans;
mod retention;
mod sandbox;
mod tidy;
mod transitions;
mod wit_reference;
mod work;
