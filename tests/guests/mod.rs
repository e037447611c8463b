//! Real components on a real host.

mod events;
mod executions;
mod flow_examples;
mod flows;
mod hoarding;
mod misuse;
mod odd_outcomes;
mod outcomes;
mod publishing;
mod room;
mod sandbox;
mod services;
mod streams;
mod suspensions;
