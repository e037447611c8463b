//! Takes a part of the budget for a sandbox that is to be opened.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::queue::WaitingOpening;
use super::resources::Resources;
use super::{Demand, Reservation, SandboxBudget};

impl SandboxBudget {
    /// Reserves what a sandbox demands, if that is free and no other waits for it.
    pub(crate) fn try_reserve(self: &Arc<Self>, demand: &Demand) -> Option<Arc<Reservation>> {
        let resources = Resources::of(demand);
        let number = self.queue().try_admit(&self.total, resources)?;
        Some(Reservation::new(self.clone(), number, resources, demand))
    }

    /// Reserves what a sandbox demands, waiting for it in order.
    pub(crate) async fn reserve(self: &Arc<Self>, demand: &Demand) -> Arc<Reservation> {
        let resources = Resources::of(demand);
        let mut entry = {
            let mut queue = self.queue();
            if let Some(number) = queue.try_admit(&self.total, resources) {
                drop(queue);
                return Reservation::new(self.clone(), number, resources, demand);
            }
            let (granted, number) = oneshot::channel();
            queue.last_number += 1;
            let ticket = queue.last_number;
            queue
                .openings(resources.shares().is_big())
                .push_back(WaitingOpening {
                    ticket,
                    resources,
                    granted,
                });
            self.break_deadlock(&mut queue);
            self.publish_lengths(&queue);
            QueueEntry {
                budget: self,
                ticket,
                resources,
                number,
            }
        };
        let number = (&mut entry.number).await;
        let number = number.expect("invariant: the queue outlives what waits in it");
        Reservation::new(self.clone(), number, resources, demand)
    }
}

/// The place of a waiting opening in the queue, given up when dropped, unless the number
/// was received.
struct QueueEntry<'a> {
    budget: &'a SandboxBudget,
    ticket: u64,
    resources: Resources,
    number: oneshot::Receiver<u64>,
}

impl Drop for QueueEntry<'_> {
    fn drop(&mut self) {
        let mut queue = self.budget.queue();
        let shares = self.resources.shares();
        if self.number.try_recv().is_ok() {
            self.budget.release(&mut queue, &shares);
            return;
        }
        let ticket = self.ticket;
        queue
            .openings(shares.is_big())
            .retain(|opening| opening.ticket != ticket);
        self.budget.grant(&mut queue);
    }
}
