//! Hand-over: what goes on begins at once on a worker that stood by for it.
//!
//! The statement that ended the suspension wrote the lease; what its handler goes on
//! with is read after it, so that whoever signalled need not wait for that. What
//! cannot be read, or is lost with this process, lapses and is claimed again.

use std::collections::HashMap;
use std::time::Instant;

use model::{ExecutionId, LeaseId, Partition};

use super::resumption;
use crate::execution::{Statements, read_leased};
use crate::standby::Seat;

impl Statements {
    /// Gives executions that go on to the workers that took them; their leases were
    /// asked for at `sent`.
    pub(super) fn hand_over(
        &self,
        partition: Partition,
        taken: Vec<(ExecutionId, LeaseId, Seat)>,
        sent: Instant,
    ) {
        if taken.is_empty() {
            return;
        }
        let pool = self.verbs.clone();
        tokio::spawn(async move {
            let leases: Vec<_> = taken.iter().map(|(id, lease, _)| (*id, *lease)).collect();
            let wanted: Vec<_> = leases.iter().map(|(id, _)| (*id, None)).collect();
            // Neither answer is needed to ask for the other.
            let read = futures::try_join!(
                read_leased(&pool, partition, &leases),
                resumption::read(&pool, partition, &wanted),
            );
            let (claimed, mut resumptions) = match read {
                Ok(read) => read,
                Err(error) => {
                    let executions = leases.len();
                    return tracing::warn!(%error, executions, "what goes on could not be read");
                }
            };
            let mut seats: HashMap<_, _> =
                taken.into_iter().map(|(id, _, seat)| (id, seat)).collect();
            for mut claimed in claimed {
                let id = claimed.fence.execution_id;
                claimed.resumption = resumptions.remove(&id).map(Box::new);
                if let Some(seat) = seats.remove(&id) {
                    seat.take(claimed, sent);
                }
            }
        });
    }
}
