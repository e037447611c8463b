//! prioritize: waiting or parked, to another place in the queue.
//!
//! Locks: the ready or parked row, then the execution. Event: `prioritised`.

use model::{Invalid, OperateRefusal, PRIORITY_MAX, StateKind};

use crate::operate::Operate;
use crate::statements::{TRIES, conflict};
use crate::{Answer, Engine};

impl Engine {
    /// Changes the priority of an execution that is not running, 0 to 9000; within
    /// its partition a higher one is served first. Returns what it was. Among equals
    /// it keeps its place. The execution keeps the priority when it ends and when it is
    /// replayed. One that has the priority already is left as it is, in any state.
    ///
    /// # Refusals
    /// `execution_not_eligible` for one that runs or is finished.
    pub async fn prioritize(&self, operate: Operate, priority: u16) -> Answer<u16, OperateRefusal> {
        if priority > PRIORITY_MAX {
            return Ok(Err(Invalid::new(
                "priority",
                format!("{priority} is out of range: 0 to {PRIORITY_MAX}"),
            )
            .into()));
        }
        if let Err(invalid) = operate.by.check() {
            return Ok(Err(invalid.into()));
        }
        for _ in 0..TRIES {
            let current = self.current_state(operate.id, operate.namespace.as_deref());
            let Some(current) = current.await? else {
                return Ok(Err(OperateRefusal::ExecutionNotFound));
            };
            if current.priority == priority {
                return Ok(Ok(priority));
            }
            if matches!(current.state, StateKind::Active | StateKind::Terminal) {
                return Ok(Err(current.not_eligible()));
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
                return Ok(Ok(u16::try_from(moved.before).unwrap_or(0)));
            }
        }
        Err(conflict(operate.id))
    }
}
