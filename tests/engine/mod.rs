//! The engine on a real database, without HTTP and without components.

mod access;
mod concurrency;
mod counts;
mod direct_dispatch;
mod events;
mod failures;
mod flows;
mod grants;
mod kinds;
mod lanes;
mod lifecycle;
mod lists;
mod operators;
mod repeats;
mod retention;
mod streams;
mod timeline;
mod transitions;
mod unreadable;
mod waiting;
mod webhooks;
mod worker_registry;
