//! What an SQLSTATE says about the database: that it cannot run the statement *now*, so
//! that the same statement may succeed later, or that something is wrong.
//!
//! This is the only place that sorts them. A caller that is answered *unavailable* asks
//! again, and an outcome that meets it is kept until its lease ends; a caller that is
//! answered with a fault gives up. So a code is *unavailable* if a healthy server gives
//! it for a moment: while it is shut down, started, failed over, full or congested.

use std::borrow::Cow;

/// What a code says about the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The same statement may succeed later.
    Unavailable,
    /// As `Unavailable`, and the state of this session is unknown, so its connection is
    /// closed.
    SessionLost,
    /// The statement, the schema or the data are wrong.
    Fault,
}

/// Codes with a meaning of their own, before those of their class.
const CODES: &[(&str, Meaning)] = &[
    // The server has become a replica, or an operator or a full disk made it so.
    ("25006", Meaning::Unavailable),
    // A rehearsal one of whose statements failed; it begins again on another connection.
    ("25P02", Meaning::SessionLost),
    // A transaction that was left open for too long; the server closed the session.
    ("25P03", Meaning::SessionLost),
    ("25P04", Meaning::SessionLost),
    // Not the session on which the connection prepared its statements.
    ("26000", Meaning::SessionLost),
    ("42P05", Meaning::SessionLost),
    // A password that is being changed, a role or a database that is being created.
    ("28000", Meaning::SessionLost),
    ("28P01", Meaning::SessionLost),
    ("3D000", Meaning::SessionLost),
    // A constraint that a conflict broke: a repeat breaks it again.
    ("40002", Meaning::Fault),
    // A lock that is held for longer than this server lets a statement wait.
    ("55P03", Meaning::Unavailable),
    // A statement that took longer than it may, or was canceled by an operator.
    ("57014", Meaning::Unavailable),
    // A missing file of the server does not return by itself.
    ("58P01", Meaning::Fault),
    ("58P02", Meaning::Fault),
    // A snapshot that was held for longer than this server keeps old rows.
    ("72000", Meaning::Unavailable),
];

/// Classes, by the first two characters.
const CLASSES: &[(&str, Meaning)] = &[
    // Connection exceptions.
    ("08", Meaning::SessionLost),
    // Conflicts between transactions.
    ("40", Meaning::Unavailable),
    // Out of disk, memory or connections.
    ("53", Meaning::Unavailable),
    // Stopped by an operator, crashed, or still starting.
    ("57", Meaning::SessionLost),
    // The operating system refused to read or write.
    ("58", Meaning::Unavailable),
];

/// Texts of the operating system inside an error that the server could not sort.
const OS_ERRORS: &[&str] = &[
    "No space left on device",
    "Disk quota exceeded",
    "Input/output error",
    "Too many open files",
    "Cannot allocate memory",
];

/// The code of errors that the server could not sort.
const INTERNAL: &str = "XX000";

/// Returns what an error with this code and message says about the database.
pub(crate) fn meaning(code: &str, message: &str) -> Meaning {
    if let Some((_, meaning)) = CODES.iter().find(|(known, _)| *known == code) {
        return *meaning;
    }
    if code == INTERNAL && OS_ERRORS.iter().any(|text| message.contains(text)) {
        return Meaning::Unavailable;
    }
    CLASSES
        .iter()
        .find(|(class, _)| code.starts_with(class))
        .map_or(Meaning::Fault, |(_, meaning)| *meaning)
}

/// Returns what an error of the client library says about the database.
pub(crate) fn of_error(error: &sqlx::Error) -> Meaning {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or(Cow::Borrowed(""));
            meaning(&code, error.message())
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed => Meaning::SessionLost,
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Meaning::Unavailable,
        _ => Meaning::Fault,
    }
}

/// The part of the database that does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The database itself, or the way to it.
    Database,
    /// Its taking of writes.
    Writes,
    /// Every part works: it is busy, or the statement is wrong.
    Nothing,
}

/// Describes a server that takes no writes.
pub(crate) const READ_ONLY: &str = "it takes no writes: it is read-only or a replica";

/// Describes what an error says about the database, without anything that is stored in
/// it.
pub(super) fn describe(error: &sqlx::Error) -> (Part, &'static str) {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or(Cow::Borrowed(""));
            if meaning(&code, error.message()) == Meaning::Fault {
                return (Part::Nothing, "");
            }
            match &*code {
                "25006" => (Part::Writes, READ_ONLY),
                "53100" => (Part::Writes, "its disk is full"),
                "53300" => (Part::Database, "it has no connection to spare"),
                "57014" => (Part::Database, "a statement took longer than it may"),
                "26000" | "42P05" => (
                    Part::Database,
                    "statements vanish: a pooler in between gives each transaction another session",
                ),
                code if code.starts_with("28") || code == "3D000" => (
                    Part::Database,
                    "it refuses this host's role, password or database",
                ),
                code if code.starts_with("53") => (Part::Database, "it is short of memory or disk"),
                code if code.starts_with("57") => {
                    (Part::Database, "it is stopping, starting or was shut down")
                }
                code if code.starts_with("58") || code == INTERNAL => {
                    (Part::Writes, "it cannot read or write its files")
                }
                code if code.starts_with("08") => (Part::Database, "it cannot be reached"),
                // Statements that conflict, or wait for each other.
                _ => (Part::Nothing, ""),
            }
        }
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            (Part::Database, "it does not answer")
        }
        sqlx::Error::Tls(_) => (Part::Database, "no encrypted connection can be made"),
        sqlx::Error::PoolTimedOut => (Part::Database, "no connection could be opened in time"),
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            (Part::Database, "it cannot be reached")
        }
        _ => (Part::Nothing, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_a_healthy_server_gives_for_a_moment_is_not_a_fault() {
        for (code, message, wanted) in [
            (
                "25006",
                "cannot execute INSERT in a read-only transaction",
                Meaning::Unavailable,
            ),
            (
                "57P01",
                "terminating connection due to administrator command",
                Meaning::SessionLost,
            ),
            (
                "57P02",
                "terminating connection because of crash",
                Meaning::SessionLost,
            ),
            (
                "57P03",
                "the database system is starting up",
                Meaning::SessionLost,
            ),
            ("57P04", "database was dropped", Meaning::SessionLost),
            (
                "57014",
                "canceling statement due to statement timeout",
                Meaning::Unavailable,
            ),
            ("53100", "could not extend file", Meaning::Unavailable),
            ("53200", "out of memory", Meaning::Unavailable),
            (
                "53300",
                "sorry, too many clients already",
                Meaning::Unavailable,
            ),
            ("08006", "connection failure", Meaning::SessionLost),
            ("40001", "could not serialize access", Meaning::Unavailable),
            ("40P01", "deadlock detected", Meaning::Unavailable),
            ("55P03", "could not obtain lock", Meaning::Unavailable),
            ("58030", "could not write block", Meaning::Unavailable),
            (
                "25P03",
                "terminating connection due to idle-in-transaction timeout",
                Meaning::SessionLost,
            ),
            (
                "26000",
                "prepared statement does not exist",
                Meaning::SessionLost,
            ),
            (
                "28P01",
                "password authentication failed",
                Meaning::SessionLost,
            ),
            (
                "XX000",
                "could not open file: No space left on device",
                Meaning::Unavailable,
            ),
        ] {
            assert_eq!(meaning(code, message), wanted, "{code}: {message}");
        }
    }

    #[test]
    fn a_code_that_no_retry_cures_is_a_fault() {
        for (code, message) in [
            ("23505", "duplicate key value violates unique constraint"),
            ("40002", "transaction integrity constraint violation"),
            ("42P01", "relation does not exist"),
            ("42501", "permission denied for table lease"),
            (
                "58P01",
                "could not access file \"$libdir/x\": No such file or directory",
            ),
            ("XX000", "cache lookup failed for relation 1"),
            ("XX001", "invalid page in block 1"),
            ("", ""),
        ] {
            assert_eq!(meaning(code, message), Meaning::Fault, "{code}: {message}");
        }
    }
}
