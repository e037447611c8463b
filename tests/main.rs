//! Behaviour across the parts of flowhost, on a real database, with real
//! components and real processes. One binary, so that everything is linked once.

mod api;
mod chaos;
mod concurrency;
mod failures;
mod golden;
mod http;
mod lifecycle;
mod outage;
mod plans;
mod sandbox;
mod services;
mod tidy;
mod transitions;
mod wit_reference;
mod work;
