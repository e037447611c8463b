//! Ids of attempts, which follow from the execution and the number of the attempt.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ExecutionId, Fence};

/// Names one attempt among those of all executions.
///
/// It is the id of the execution as a UUID of version 8, its last 32 bits combined with
/// the number of the attempt by exclusive or. So it is stored nowhere, every surface shows
/// the same one, and attempt 0 is seen to belong to its execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptId(Uuid);

impl AttemptId {
    /// Returns the id of an attempt, which is counted from zero.
    pub const fn of(execution: ExecutionId, attempt: u32) -> Self {
        let (high, low) = execution.uuid().as_u64_pair();
        let version_8 = (high & !0xf000) | 0x8000;
        Self(Uuid::from_u64_pair(version_8, low ^ attempt as u64))
    }
}

impl Fence {
    /// Returns the id of the attempt that runs under it.
    pub const fn attempt_id(&self) -> AttemptId {
        AttemptId::of(self.execution_id, self.attempt)
    }
}

impl std::fmt::Display for AttemptId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn an_attempt_has_an_id_of_its_own_that_never_changes() {
        let execution: ExecutionId = "01990000-0000-7001-8123-456789abcdef"
            .parse()
            .expect("an id");
        for (attempt, id) in [
            (0, "01990000-0000-8001-8123-456789abcdef"),
            (1, "01990000-0000-8001-8123-456789abcdee"),
            (u32::MAX, "01990000-0000-8001-8123-456776543210"),
        ] {
            let shown = AttemptId::of(execution, attempt);
            assert_eq!(shown.to_string(), id);
            assert_eq!(
                serde_json::to_string(&shown).expect("writes"),
                format!("\"{id}\"")
            );
        }
        let ids: BTreeSet<_> = (0..1000).map(|it| AttemptId::of(execution, it)).collect();
        assert_eq!(ids.len(), 1000);
    }
}
