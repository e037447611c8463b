//! Callback URLs: what outsiders with nothing but a token may do, and what they
//! learn.

mod client;
mod requests;
mod tokens;
