//! Who asks for a verb that needs no fence, and what is kept of that.

use model::{ExecutionId, Invalid, Limits};

use crate::checks::{given, text};

/// Who asks for something that needs no fence, and why; kept with the execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// A name or an address, 1 to 255 bytes.
    pub actor: String,
    /// Why they ask, for people; at most 1024 bytes.
    pub reason: Option<String>,
}

impl Operator {
    /// Checks the bounds of a name.
    pub(crate) fn check_actor(actor: &str) -> Result<(), Invalid> {
        given("actor", actor, Limits::ACTOR_BYTES_MAX)
    }

    /// Checks the bounds.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        Self::check_actor(&self.actor)?;
        let reason = self.reason.as_deref().unwrap_or_default();
        text("reason", reason, Limits::REASON_BYTES_MAX)
    }
}

/// Which execution, and who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operate {
    /// The execution the verb acts on.
    pub id: ExecutionId,
    /// The caller's namespace; an execution elsewhere is not found. Absent for
    /// callers that may see every namespace.
    pub namespace: Option<String>,
    /// The operator, whom the execution's history names.
    pub by: Operator,
}

/// What is written into `operation` by a statement that serves other callers too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) verb: &'static str,
    pub(crate) by: Operator,
}
