//! Behaviour across the parts of flowhost, on a real database, with real
//! components and real processes. One binary, so that everything is linked once.

mod api;
mod chaos;
mod concurrency;
mod conditions;
mod failures;
mod fuzz;
mod golden;
mod grants;
mod hand_off;
mod http;
mod http_operators;
mod http_waitpoint_keys;
mod interleavings;
mod lanes;
mod lifecycle;
mod native_example;
mod native_workers;
mod operators;
mod outage;
mod plans;
mod programs;
mod retention;
mod sandbox;
mod services;
mod suspensions;
mod tidy;
mod transitions;
mod waiting;
mod waitpoint_keys;
mod wit_reference;
mod work;
mod worker_registry;
mod zombies;
