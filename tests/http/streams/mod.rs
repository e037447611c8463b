//! Streams of attempts over HTTP: appended to, read, followed, and refused.

mod append;
mod ends;
mod follow;
mod logs;
mod pages;
mod refused;
mod work;
