//! Rules of the repository. Each is a function of texts, so that it can be seen to fail
//! on a planted breach, and one test that applies it to every file.

mod comments;
mod crates;
mod docs;
mod files;
mod folders;
mod imports;
mod lists;
mod source;
mod statements;
mod vocabulary;
mod words;
