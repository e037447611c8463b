//! Faults: what goes wrong through nobody's request.
//!
//! Expected answers are refusals, which are values; see [`crate::Answer`].

use std::sync::Arc;

/// A fault while talking to the database.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The database could not be reached or did not answer in time. Whether
    /// the verb took effect is unknown; every verb may be asked again.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The database refused a statement.
    #[error("the database refused a statement: {0}")]
    Database(Arc<sqlx::Error>),
    /// A row holds what this version cannot read.
    #[error("{table}.{column} of {id} is corrupt: {detail}")]
    Corrupt {
        /// Table of the row.
        table: &'static str,
        /// Column of the value.
        column: &'static str,
        /// Key of the row.
        id: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A server that would lose acknowledged work.
    #[error(
        "refusing a database server with {setting} = {value}: {why}; start it with {setting} = {wanted}, or pass --i-accept-loss"
    )]
    Unsafe {
        /// The server's setting.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What it must be.
        wanted: &'static str,
        /// What would be lost.
        why: &'static str,
    },
    /// Secrets in the database cannot be written or read with this host's key.
    #[error(transparent)]
    Secrets(#[from] crate::SecretsFault),
    /// The schema is not the one this version works on.
    #[error("the schema of the database does not fit this version: {0}")]
    Schema(String),
}

impl Error {
    /// Whether asking again later may succeed.
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// Builds the error of a value that cannot be read.
    pub(crate) fn corrupt(
        table: &'static str,
        column: &'static str,
        id: impl ToString,
        detail: impl ToString,
    ) -> Self {
        Self::Corrupt {
            table,
            column,
            id: id.to_string(),
            detail: detail.to_string(),
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let unavailable = match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            // Connection exceptions (08), out of disk, memory or connections
            // (53), stopped by an operator or still starting (57), system
            // errors (58), and conflicts that a repeat resolves (40).
            sqlx::Error::Database(db) => db.code().is_some_and(|code| {
                ["08", "53", "57", "58", "40"]
                    .iter()
                    .any(|class| code.starts_with(class))
            }),
            _ => false,
        };
        if unavailable {
            Self::Unavailable(error.to_string())
        } else {
            Self::Database(Arc::new(error))
        }
    }
}

impl From<sqlx::migrate::MigrateError> for Error {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        match error {
            sqlx::migrate::MigrateError::Execute(error) => error.into(),
            other => Self::Schema(other.to_string()),
        }
    }
}
