//! Databases and their servers, beyond what verbs do.

pub(crate) mod backlog;
pub(crate) mod cluster;
pub(crate) mod rows;
