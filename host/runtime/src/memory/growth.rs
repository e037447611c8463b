//! Takes more bytes of the budget for a sandbox that is open, and returns them.

use tokio::sync::oneshot;

use super::queue::{AdmissionQueue, WaitingGrowth};
use super::{Reservation, SandboxBudget};

/// Why a sandbox cannot grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GrowthRefusal {
    /// Other sandboxes hold what it wants.
    BudgetExhausted,
    /// It alone would hold more than one sandbox may on this host.
    ExceedsShare {
        /// The most bytes that one sandbox may hold.
        max: u64,
    },
}

impl SandboxBudget {
    /// Takes bytes for an open sandbox if that many are free now.
    pub(super) fn try_grow(
        &self,
        reservation: &Reservation,
        more: u64,
    ) -> Result<(), GrowthRefusal> {
        let mut queue = self.queue();
        if self.grow_if_free(&mut queue, reservation, more)? {
            return Ok(());
        }
        self.mark_stopping(&mut queue, reservation.state());
        Err(GrowthRefusal::BudgetExhausted)
    }

    /// Takes bytes for an open sandbox, waiting for them as long as that may help.
    pub(super) async fn grow(
        &self,
        reservation: &Reservation,
        more: u64,
    ) -> Result<(), GrowthRefusal> {
        let mut entry = {
            let mut queue = self.queue();
            if self.grow_if_free(&mut queue, reservation, more)? {
                return Ok(());
            }
            let number = reservation.number();
            let (sender, answer) = oneshot::channel();
            let at = queue.growths.partition_point(|other| other.number < number);
            queue.growths.insert(
                at,
                WaitingGrowth {
                    number,
                    opened_with: reservation.opened_with(),
                    state: reservation.state().clone(),
                    more,
                    answer: sender,
                },
            );
            self.break_deadlock(&mut queue);
            QueueEntry {
                budget: self,
                reservation,
                more,
                answer,
            }
        };
        match tokio::time::timeout(self.growth_wait_max, &mut entry.answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_closed)) => Err(GrowthRefusal::BudgetExhausted),
            Err(_elapsed) => {
                self.mark_stopping(&mut self.queue(), reservation.state());
                Err(GrowthRefusal::BudgetExhausted)
            }
        }
    }

    /// Returns bytes of an open sandbox to the budget.
    pub(super) fn shrink(&self, reservation: &Reservation, less: u64) {
        let mut queue = self.queue();
        let before = reservation.state().bytes();
        self.resize(&mut queue, reservation, before.saturating_sub(less));
        self.grant_if_waited_for(&mut queue);
    }

    fn resize(&self, queue: &mut AdmissionQueue, reservation: &Reservation, bytes: u64) {
        let state = reservation.state();
        queue.used = queue
            .used
            .plus(reservation.shares_with(bytes))
            .minus(reservation.shares_with(state.bytes()));
        state.set_bytes(bytes);
    }

    fn grow_if_free(
        &self,
        queue: &mut AdmissionQueue,
        reservation: &Reservation,
        more: u64,
    ) -> Result<bool, GrowthRefusal> {
        let bytes = reservation.state().bytes();
        let before = reservation.shares_with(bytes);
        let after = reservation.shares_with(bytes.saturating_add(more));
        let max = self.total.quarters(3).bytes();
        if after.big.bytes() > max {
            return Err(GrowthRefusal::ExceedsShare { max });
        }
        // A big sandbox does not overtake those that wait.
        let overtakes = after.is_big() && !queue.growths.is_empty();
        if overtakes || !queue.fits(&self.total, &before, &after) {
            return Ok(false);
        }
        self.resize(queue, reservation, bytes.saturating_add(more));
        Ok(true)
    }
}

/// The place of a waiting growth in the queue, given up when dropped, unless the answer
/// was received.
struct QueueEntry<'a> {
    budget: &'a SandboxBudget,
    reservation: &'a Reservation,
    more: u64,
    answer: oneshot::Receiver<Result<(), GrowthRefusal>>,
}

impl Drop for QueueEntry<'_> {
    fn drop(&mut self) {
        let mut queue = self.budget.queue();
        if let Ok(Ok(())) = self.answer.try_recv() {
            drop(queue);
            self.budget.shrink(self.reservation, self.more);
            return;
        }
        let number = self.reservation.number();
        queue.growths.retain(|growth| growth.number != number);
        self.budget.grant(&mut queue);
    }
}
