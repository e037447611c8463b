//! Requests over real sockets: what is reached, and where they stop.

mod limits;
mod reach;
mod secure;
mod server;
