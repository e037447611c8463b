//! prioritize: waiting or parked, to another place in the queue.
//!
//! Locks: the ready or parked row, then the execution. Event: `prioritised`.

use model::{OperateRefusal, PRIORITY_MAX, StateKind};

use crate::operate::Operate;
use crate::statements::{TRIES, conflict};
use crate::{Declined, Engine};

impl Engine {
    /// Changes the priority of an execution that is not running, 0 to 9000; within
    /// its partition a higher one is served first. Returns what it was. Among equals
    /// it keeps its place. The execution keeps the priority when it ends and when it is
    /// replayed. One that has the priority already is left as it is, in any state.
    ///
    /// # Refusals
    /// `execution_not_eligible` for one that runs or is finished.
    pub async fn prioritize(
        &self,
        operate: Operate,
        priority: u16,
    ) -> Result<u16, Declined<OperateRefusal>> {
        model::priority(priority.into())?;
        operate.by.check()?;
        for _ in 0..TRIES {
            let current = self.current_state(operate.id, operate.namespace.as_deref());
            let current = current.await?.ok_or(OperateRefusal::ExecutionNotFound)?;
            if current.priority == priority {
                return Ok(priority);
            }
            if matches!(current.state, StateKind::Active | StateKind::Terminal) {
                return Err(current.not_eligible().into());
            }
            let moved = sqlx::query_file!(
                "src/operator/prioritize.sql",
                operate.id.partition().column(),
                operate.id.uuid(),
                (PRIORITY_MAX - priority) as i16,
                operate.by.actor,
                operate.by.reason,
            )
            .fetch_optional(&self.inner.verbs)
            .await?;
            if let Some(moved) = moved {
                return Ok(u16::try_from(moved.before).unwrap_or(0));
            }
        }
        Err(conflict(operate.id).into())
    }
}
