//! Webhooks over real sockets: what a receiver gets, and what people can do.

mod delivery;
mod manage;
mod receiver;
