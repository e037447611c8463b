//! What a command that failed says, and the exit code it ends with.

use model::ExecutionId;
use serde_json::{Value, json};

use super::Exit;
use crate::StartError;
use crate::config::ConfigError;

/// Most bytes of a message: others may have written it.
const MESSAGE_BYTES_MAX: usize = 8 << 10;
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
            _ => Exit::Fault,
        };
        Self::new(exit, format!("cannot {verb} {}: {error}", path.display()))
    }

    /// Builds the failure of a request that was answered with a problem.
    pub fn answered(status: u16, problem: Option<Value>) -> Self {
        let exit = match status {
            401 => Exit::Unauthenticated,
            403 => Exit::Denied,
            404 => Exit::NotFound,
            409 => Exit::Conflict,
            408 | 429 | 502..=504 => Exit::Unavailable,
            400..=499 => Exit::Invalid,
            _ => Exit::Fault,
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
        match (exit, text("role")) {
            (Exit::Unauthenticated, _) => failure.message.push_str(
                "; give a key with FLOWHOST_API_KEY, or keep one with `flowhost profile set`",
            ),
            (Exit::Denied, Some(role)) => {
                let role = model::truncated(role, model::QUOTED_NAME_BYTES_MAX);
                let namespace = text("namespace").map(|name| {
                    let name = model::truncated(name, model::QUOTED_NAME_BYTES_MAX);
                    format!(" in namespace {name}")
                });
                failure.message.push_str(&format!(
                    "; the role that is missing is {role}{}: ask an admin for a key that has it",
                    namespace.unwrap_or_default()
                ));
            }
            _ => {}
        }
        failure.problem = problem;
        failure
    }

    /// Returns the code of the problem that the host answered with.
    pub fn code(&self) -> Option<&str> {
        self.problem.as_ref()?.get("code")?.as_str()
    }

    /// Builds the failure of output that did not arrive; `became` says what the command
    /// did.
    pub fn output(became: &str, why: &str) -> Self {
        let message = format!("cannot write the output: {why}; {became}");
        Self::new(Exit::Output, message)
    }

    /// Adds how to follow an execution that continues although the command does not.
    pub fn about(mut self, id: ExecutionId) -> Self {
        if matches!(
            self.exit,
            Exit::Unavailable | Exit::Timeout | Exit::Interrupted
        ) {
            let hint = format!(
                "; execution {id} continues: `flowhost watch {id}` follows it, `flowhost result {id}` reads its result"
            );
            self.message.push_str(&hint);
        }
        self
    }

    /// Shows it to programs: the problem of the API as it was answered, or one of this
    /// program, whose code is the name of the exit code, and which has no status.
    pub fn to_json(&self) -> Value {
        match &self.problem {
            Some(problem) => problem.clone(),
            None => json!({
                "type": format!("https://flowhost.dev/problems/{}", self.exit.name()),
                "title": self.exit.meaning(),
                "code": self.exit.name(),
                "detail": self.message,
            }),
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
            Exit::Fault
        };
        Self::new(exit, error.to_string())
    }
}

impl<R: std::fmt::Display> From<engine::Declined<R>> for Failure {
    fn from(declined: engine::Declined<R>) -> Self {
        match declined {
            engine::Declined::Refused(refusal) => Self::new(Exit::Fault, refusal.to_string()),
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
            _ => Exit::Fault,
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
            StartError::Runtime(_) => Self::new(Exit::Fault, message),
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
        assert_eq!(failure.exit, Exit::Invalid);
        assert_eq!(failure.message, "nothing handles it (unknown_kind)");
        let long = json!({"code": "x", "detail": "y".repeat(1 << 20)});
        let failure = Failure::answered(422, Some(long));
        assert!(failure.message.len() < 5000, "{}", failure.message.len());
        for passing in [408, 429, 503] {
            assert_eq!(Failure::answered(passing, None).exit, Exit::Unavailable);
        }
        assert_eq!(Failure::answered(403, None).exit, Exit::Denied);
        let lacks =
            json!({"code": "role_missing", "detail": "no", "role": "operator", "namespace": "a"});
        let failure = Failure::answered(403, Some(lacks));
        assert!(
            failure
                .message
                .contains("missing is operator in namespace a"),
            "{failure:?}"
        );
        let failure = Failure::answered(401, None);
        assert_eq!(failure.exit, Exit::Unauthenticated);
        assert!(failure.message.contains("FLOWHOST_API_KEY"), "{failure:?}");
        assert_eq!(Failure::answered(404, None).exit, Exit::NotFound);
        assert_eq!(Failure::answered(500, None).exit, Exit::Fault);
    }

    #[test]
    fn a_failure_from_here_is_shown_as_a_problem_without_a_status() {
        let own = Failure::usage("what?").to_json();
        assert_eq!(own["code"], "usage");
        assert_eq!(own["detail"], "what?");
        assert!(
            own["type"]
                .as_str()
                .is_some_and(|it| it.ends_with("/usage"))
        );
        assert!(own["status"].is_null());
    }
}
