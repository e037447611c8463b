//! Requests that are made again.

mod asks;
mod ids;
mod keys;
mod requests;
mod table;
mod verbs;
