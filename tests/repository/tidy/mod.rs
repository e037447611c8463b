//! Rules of the repository. Each is a function of texts, so that it can be seen to fail
//! on a planted breach, and one test that applies it to every file.

mod comments;
mod crates;
mod files;
mod source;
mod statements;
