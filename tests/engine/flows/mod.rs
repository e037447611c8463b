//! Flows: how graphs are built, and what follows from the ends of their members.

mod building;
mod cancelling;
mod children;
mod concurrency;
mod random;
mod replaying;
mod resolving;
mod retention;
