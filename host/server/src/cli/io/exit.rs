//! Exit codes, which only this file assigns, and what a command that failed says.

use std::process::ExitCode;

use model::{ExecutionId, PublicState};
use serde::Serialize;
use serde_json::{Value, json};

use crate::StartError;
use crate::config::ConfigError;

/// Most bytes of a message: others may have written it.
const MESSAGE_BYTES_MAX: usize = 8 << 10;

/// The exit code of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Exit {
    /// The command did what it was asked.
    Ok = 0,
    /// The execution failed, expired or was skipped, or something else did not
    /// work.
    Failed = 1,
    /// The command line or a request is not valid.
    Usage = 2,
    /// What it names does not exist.
    NotFound = 3,
    /// The host or the database cannot be reached.
    Unavailable = 4,
    /// It conflicts with the state of what it names.
    Conflict = 5,
    /// The execution was cancelled.
    Cancelled = 6,
    /// The token gives no right to do that.
    Denied = 7,
    /// Its output could not be written; what it was asked may have been done.
    Output = 8,
    /// The reader of its output went away: 128 and the number of `SIGPIPE`, as of a
    /// program that the signal ends.
    Pipe = 141,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// Returns the code for the state an execution ended in; `Ok` before the end.
    pub const fn of_state(state: PublicState) -> Self {
        match state {
            PublicState::Failed | PublicState::Expired | PublicState::Skipped => Self::Failed,
            PublicState::Cancelled => Self::Cancelled,
            _ => Self::Ok,
        }
    }
}

/// Most bytes shown of the detail of a problem.
const DETAIL_BYTES_MAX: usize = 4096;

/// Why a command failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Exit code of the command.
    pub exit: Exit,
    /// A sentence for people; guests or callers may have written it, so it is escaped
    /// when printed.
    pub message: String,
    /// Problem that the host answered with; absent when the failure is from here.
    pub problem: Option<Value>,
}

impl Failure {
    /// Builds a failure, cutting a message that is too long.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        let message = model::truncated(&message.into(), MESSAGE_BYTES_MAX).into_owned();
        Self {
            exit,
            message,
            problem: None,
        }
    }

    /// Builds the failure of a command line that is not valid.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Builds the failure of a file that cannot be read or written.
    pub fn file(verb: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let exit = match error.kind() {
            std::io::ErrorKind::NotFound => Exit::NotFound,
            _ if verb == "write" => Exit::Output,
            _ => Exit::Failed,
        };
        Self::new(exit, format!("cannot {verb} {}: {error}", path.display()))
    }

    /// Builds the failure of a request that was answered with a problem.
    pub fn answered(status: u16, problem: Option<Value>) -> Self {
        let exit = match status {
            403 => Exit::Denied,
            404 => Exit::NotFound,
            409 => Exit::Conflict,
            400..=499 => Exit::Usage,
            502..=504 => Exit::Unavailable,
            _ => Exit::Failed,
        };
        let text = |name: &str| problem.as_ref()?.get(name)?.as_str();
        let message = match (text("detail"), text("code")) {
            (Some(detail), Some(code)) => format!(
                "{} ({})",
                model::truncated(detail, DETAIL_BYTES_MAX),
                model::truncated(code, model::QUOTED_NAME_BYTES_MAX)
            ),
            _ => format!("the host answered with status {status}"),
        };
        let mut failure = Self::new(exit, message);
        failure.problem = problem;
        failure
    }

    /// Builds the failure of output that did not arrive; `became` says what the command
    /// did.
    pub fn output(became: &str, why: &str) -> Self {
        let message = format!("cannot write the output: {why}; {became}");
        Self::new(Exit::Output, message)
    }

    /// Adds how to follow an execution whose host became unavailable meanwhile.
    pub fn about(mut self, id: ExecutionId) -> Self {
        if self.exit == Exit::Unavailable {
            let hint = format!(
                "; execution {id} continues: `flowhost watch {id}` follows it, `flowhost result {id}` reads its result"
            );
            self.message.push_str(&hint);
        }
        self
    }

    /// Shows it to programs: the problem of the API, or an object like one.
    pub fn to_json(&self) -> Value {
        match &self.problem {
            Some(problem) => problem.clone(),
            None => json!({"code": self.exit, "detail": self.message}),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<engine::Error> for Failure {
    fn from(error: engine::Error) -> Self {
        let exit = if error.is_unavailable() {
            Exit::Unavailable
        } else {
            Exit::Failed
        };
        Self::new(exit, error.to_string())
    }
}

impl<R: std::fmt::Display> From<engine::Declined<R>> for Failure {
    fn from(declined: engine::Declined<R>) -> Self {
        match declined {
            engine::Declined::Refused(refusal) => Self::new(Exit::Failed, refusal.to_string()),
            engine::Declined::Fault(fault) => fault.into(),
        }
    }
}

impl From<pgserver::Error> for Failure {
    fn from(error: pgserver::Error) -> Self {
        Self::new(Exit::Unavailable, error.to_string())
    }
}

impl From<runtime::Error> for Failure {
    fn from(error: runtime::Error) -> Self {
        Self::from(&error)
    }
}

impl From<&runtime::Error> for Failure {
    fn from(error: &runtime::Error) -> Self {
        let exit = match error {
            runtime::Error::Busy { .. } => Exit::Unavailable,
            runtime::Error::Engine(error) if error.is_unavailable() => Exit::Unavailable,
            _ => Exit::Failed,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let message = error.to_string();
        match error {
            StartError::Listen { .. } => Self::new(Exit::Unavailable, message),
            StartError::Config(_) => Self::usage(message),
            StartError::Postgres(error) => error.into(),
            StartError::Engine(error) => error.into(),
            StartError::Runtime(_) => Self::new(Exit::Failed, message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_becomes_a_sentence_and_a_code() {
        let problem = json!({"code": "unknown_kind", "detail": "nothing handles it"});
        let failure = Failure::answered(422, Some(problem));
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(failure.message, "nothing handles it (unknown_kind)");
        let long = json!({"code": "x", "detail": "y".repeat(1 << 20)});
        let failure = Failure::answered(422, Some(long));
        assert!(failure.message.len() < 5000, "{}", failure.message.len());
        assert_eq!(Failure::answered(503, None).exit, Exit::Unavailable);
        assert_eq!(Failure::answered(403, None).exit, Exit::Denied);
        assert_eq!(Failure::answered(404, None).exit, Exit::NotFound);
        assert_eq!(Failure::answered(500, None).exit, Exit::Failed);
    }
}
