//! Faults: failures that no request causes.
//!
//! Expected answers are refusals, which are values; see [`Declined`](crate::Declined).

use std::sync::Arc;

use crate::database::sqlstate::{self, Meaning};

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
    /// The engine itself failed: a defect, and not the database's. A retry would fail the
    /// same way.
    #[error("the engine has a defect: {0}")]
    Defect(String),
    /// A row holds what this version cannot read.
    #[error("{table}.{column} of {id} is corrupt: {detail}")]
    Corrupt {
        /// Table of the row.
        table: &'static str,
        /// Column of the value.
        column: &'static str,
        /// Key of the row.
        id: String,
        /// What is wrong with the value.
        detail: String,
    },
    /// The server may lose acknowledged work.
    #[error(
        "refusing a database server with {setting} = {value}: {why}; start it with {setting} = {wanted}, or pass --i-accept-loss"
    )]
    Unsafe {
        /// Name of the server's setting.
        setting: &'static str,
        /// Value that it has.
        value: String,
        /// Value that it must have.
        wanted: &'static str,
        /// What would be lost otherwise.
        why: &'static str,
    },
    /// A session does not have the settings that this version needs, or does not last.
    #[error("the database's sessions cannot be used: {0}")]
    Session(String),
    /// Secrets in the database cannot be written or read with this host's key.
    #[error(transparent)]
    Secrets(#[from] crate::SecretsFault),
    /// The schema is not that of this version.
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
        // What is wrong with a session was described when it was opened.
        let error = match error {
            sqlx::Error::Configuration(inner) => match inner.downcast::<Self>() {
                Ok(error) => return *error,
                Err(inner) => sqlx::Error::Configuration(inner),
            },
            other => other,
        };
        match sqlstate::of_error(&error) {
            Meaning::Fault => Self::Database(Arc::new(error)),
            Meaning::Unavailable | Meaning::SessionLost => Self::Unavailable(error.to_string()),
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
