//! What is decided about a batch of deliveries: the boxes to write, and the verdicts
//! that are true once they are written.

use std::collections::HashMap;

use model::{
    ExecutionId, Heard, InvalidToken, SignalEffect, SignalId, SignalRefusal, SuspensionCloseReason,
    SuspensionId, WaitpointId,
};

use super::Delivered;
use super::deliver::{DeliverVerdict, Resume};
use super::inbox::Read;
use super::resume;
use super::signal::{Right, Signal};
use crate::operate::Operation;
use crate::standby::{Needs, Seat};

/// What was decided: the boxes to write, and for each call its verdict and the box
/// that must be written for it to be true.
#[derive(Default)]
pub(super) struct Plan<'a> {
    pub(super) boxes: Vec<Boxed<'a>>,
    pub(super) verdicts: Vec<(usize, DeliverVerdict, Option<i32>)>,
}

/// What is written whole or not at all; see `deliver.sql`.
pub(super) struct Boxed<'a> {
    pub(super) number: i32,
    pub(super) execution_id: ExecutionId,
    pub(super) suspension_id: Option<SuspensionId>,
    pub(super) waitpoint_id: Option<WaitpointId>,
    pub(super) expected: i32,
    pub(super) only_due: bool,
    pub(super) epoch: u64,
    pub(super) namespace: String,
    /// How long an operator wants it to stay put.
    pub(super) asked_delay_ms: Option<u64>,
    pub(super) ends: Option<Ends>,
    /// Who goes on with it at once.
    pub(super) seat: Option<Seat>,
    /// What operators asked for, and more on it.
    pub(super) operations: Vec<(&'a Operation, Option<String>)>,
    pub(super) signals: Vec<Kept<'a>>,
}

/// How a suspension ends.
pub(super) struct Ends {
    pub(super) reason: SuspensionCloseReason,
    pub(super) satisfiers: Vec<SignalId>,
    pub(super) spent: Vec<SignalId>,
    pub(super) delay_ms: Option<u64>,
    pub(super) closes_waitpoints: bool,
}

/// A signal that was accepted.
pub(super) struct Kept<'a> {
    pub(super) signal: &'a Signal,
    pub(super) waitpoint_id: WaitpointId,
    pub(super) effect: SignalEffect,
}

impl<'a> Plan<'a> {
    /// Decides a signal.
    pub(super) fn signal(
        &mut self,
        at: usize,
        execution_id: ExecutionId,
        signal: &'a Signal,
        read: Option<&mut Read>,
        known: Option<&(SignalId, SignalEffect)>,
    ) {
        let refuse = |plan: &mut Self, refusal| {
            plan.verdicts
                .push((at, DeliverVerdict::Signal(Err(refusal)), None));
        };
        // Whether a token holds no more. A repeat of what it brought while it held is
        // answered all the same.
        let (read, is_over) = match (read, &signal.right) {
            (
                Some(read),
                Right::Token {
                    kid,
                    expires_at,
                    namespace,
                },
            ) => {
                if read.namespace != *namespace {
                    return refuse(self, InvalidToken.into());
                }
                let is_over = !read.accepts(kid, *expires_at);
                (read, is_over)
            }
            (Some(read), Right::Operator { namespace, .. })
                if namespace.as_ref().is_none_or(|it| *it == read.namespace) =>
            {
                (read, false)
            }
            _ => return refuse(self, SignalRefusal::ExecutionNotFound),
        };
        let waitpoint_id = match read.find(&signal.waitpoint) {
            Ok(found) => found,
            Err(_) if is_over => return refuse(self, InvalidToken.into()),
            Err(refusal) => return refuse(self, refusal),
        };
        let delivered = |signal_id, effect, duplicate| Delivered {
            signal_id,
            execution_id,
            waitpoint_id,
            effect,
            duplicate,
        };
        if let Some(&(signal_id, effect)) = known {
            let verdict = DeliverVerdict::Signal(Ok(delivered(signal_id, effect, true)));
            return self.verdicts.push((at, verdict, None));
        }
        if is_over {
            return refuse(self, InvalidToken.into());
        }
        if let Some(key) = &signal.deliver.idempotency_key
            && let Some((first, effect, number)) = self.twin(execution_id, waitpoint_id, key)
        {
            let verdict = DeliverVerdict::Signal(Ok(delivered(first, effect, true)));
            return self.verdicts.push((at, verdict, Some(number)));
        }
        let heard = Heard {
            waitpoint_id,
            signal_id: signal.id,
            name: signal.deliver.name.clone(),
            source_type: signal.deliver.source_type.clone(),
            source_identity: signal.deliver.source_identity.clone(),
        };
        let effect = match read.inbox.deliver(heard) {
            Ok(effect) => effect,
            Err(refusal) => return refuse(self, refusal),
        };
        let boxed = self.boxed(execution_id, waitpoint_id, read);
        boxed.signals.push(Kept {
            signal,
            waitpoint_id,
            effect,
        });
        if let Right::Operator { operation, .. } = &signal.right {
            let detail = format!("{} at waitpoint {waitpoint_id}", signal.deliver.name);
            boxed.operations.push((operation, Some(detail)));
        }
        let number = boxed.number;
        let verdict = DeliverVerdict::Signal(Ok(delivered(signal.id, effect, false)));
        self.verdicts.push((at, verdict, Some(number)));
    }

    /// Decides a wish to go on.
    pub(super) fn resume(
        &mut self,
        at: usize,
        execution_id: ExecutionId,
        resume: &'a Resume,
        read: Option<&mut Read>,
    ) {
        let mut read = read;
        let goes_on = read.as_deref_mut().is_some_and(|read| {
            let waiting = read.inbox.waiting.as_ref();
            waiting.is_some_and(|it| it.suspension_id == resume.suspension)
                && (!resume.only_due || read.is_due)
                && read.inbox.resume(resume.reason)
        });
        let Some(read) = read.filter(|_| goes_on) else {
            let verdict = DeliverVerdict::Resume(false);
            return self.verdicts.push((at, verdict, None));
        };
        let boxed = self.suspension(execution_id, read);
        boxed.only_due |= resume.only_due;
        boxed.asked_delay_ms = resume.delay_ms;
        let operation = resume.operation.as_ref();
        let detail = resume::detail(resume.delay_ms);
        boxed.operations.extend(operation.map(|it| (it, detail)));
        let number = boxed.number;
        self.verdicts
            .push((at, DeliverVerdict::Resume(true), Some(number)));
    }

    /// Finds a signal of this batch with the same key.
    fn twin(
        &self,
        execution_id: ExecutionId,
        waitpoint_id: WaitpointId,
        key: &str,
    ) -> Option<(SignalId, SignalEffect, i32)> {
        self.boxes
            .iter()
            .rev()
            .take_while(|boxed| boxed.execution_id == execution_id)
            .flat_map(|boxed| boxed.signals.iter().map(|kept| (kept, boxed.number)))
            .find(|(kept, _)| {
                kept.waitpoint_id == waitpoint_id
                    && kept.signal.deliver.idempotency_key.as_deref() == Some(key)
            })
            .map(|(kept, number)| (kept.signal.id, kept.effect, number))
    }

    /// Finds the box a waitpoint belongs to.
    fn boxed(
        &mut self,
        execution_id: ExecutionId,
        waitpoint_id: WaitpointId,
        read: &Read,
    ) -> &mut Boxed<'a> {
        if read.of_suspension.contains(&waitpoint_id) {
            return self.suspension(execution_id, read);
        }
        let expected = read.signals.get(&waitpoint_id).copied().unwrap_or(0);
        self.find_or_add(execution_id, None, Some(waitpoint_id), expected, read)
    }

    fn suspension(&mut self, execution_id: ExecutionId, read: &Read) -> &mut Boxed<'a> {
        let waiting = read.inbox.waiting.as_ref();
        let suspension_id = waiting.map(|waiting| waiting.suspension_id);
        self.find_or_add(execution_id, suspension_id, None, read.changes, read)
    }

    fn find_or_add(
        &mut self,
        execution_id: ExecutionId,
        suspension_id: Option<SuspensionId>,
        waitpoint_id: Option<WaitpointId>,
        expected: i32,
        read: &Read,
    ) -> &mut Boxed<'a> {
        let at = self.boxes.iter().rposition(|boxed| {
            boxed.execution_id == execution_id
                && boxed.suspension_id == suspension_id
                && boxed.waitpoint_id == waitpoint_id
        });
        let at = at.unwrap_or_else(|| {
            self.boxes.push(Boxed {
                number: i32::try_from(self.boxes.len()).unwrap_or(i32::MAX),
                execution_id,
                suspension_id,
                waitpoint_id,
                expected,
                only_due: false,
                epoch: read.epoch,
                namespace: read.namespace.clone(),
                asked_delay_ms: None,
                ends: None,
                seat: None,
                operations: Vec::new(),
                signals: Vec::new(),
            });
            self.boxes.len() - 1
        });
        &mut self.boxes[at]
    }

    /// Notes in each box how its suspension ends, once everything is decided, and
    /// puts them into the order in which rows are locked.
    pub(super) fn end(&mut self, reads: &HashMap<ExecutionId, Read>) {
        for boxed in &mut self.boxes {
            boxed.end(&reads[&boxed.execution_id]);
        }
        self.boxes
            .sort_by_key(|boxed| (boxed.execution_id, boxed.waitpoint_id.map(|id| id.0)));
    }
}

impl Boxed<'_> {
    /// Whether the execution is ready when this is written.
    pub(super) fn wakes(&self) -> bool {
        self.ends
            .as_ref()
            .is_some_and(|ends| ends.delay_ms.is_none())
    }

    /// Returns what a worker must offer to go on with it at once, if it goes on.
    pub(super) fn needs<'r>(&self, read: &'r Read) -> Option<Needs<'r>> {
        read.needs().filter(|_| self.wakes())
    }

    /// Notes how the suspension ends, if it does.
    fn end(&mut self, read: &Read) {
        let waiting = read.inbox.waiting.as_ref();
        let Some((waiting, closing)) = waiting
            .filter(|waiting| self.suspension_id == Some(waiting.suspension_id))
            .and_then(|waiting| Some((waiting, waiting.closing.as_ref()?)))
        else {
            return;
        };
        self.ends = Some(Ends {
            reason: closing.reason,
            satisfiers: closing.satisfiers.clone(),
            spent: closing.spent.clone(),
            delay_ms: self
                .asked_delay_ms
                .or(waiting.policy.resume_delay_ms)
                .filter(|ms| *ms > 0),
            closes_waitpoints: waiting.policy.close_waitpoint_on_resume,
        });
    }
}
