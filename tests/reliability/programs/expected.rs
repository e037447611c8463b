//! What waiting promises, in memory and as simple as it can be said; nothing here
//! is the code of the engine.

use model::{
    Outcome, PublicState, SignalEffect, SignalId, SuspensionCloseReason, TimeoutBehavior,
    WaitpointCloseReason, WaitpointState,
};

use super::facts::{Arrives, Asked, Place, Signal, Suspends, Suspension, Waitpoint};

/// Everything that is known of one execution.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) place: Place,
    pub(super) waitpoints: Vec<Waitpoint>,
    pub(super) signals: Vec<Signal>,
    pub(super) suspensions: Vec<Suspension>,
    replays: u32,
}

impl Expected {
    pub(super) fn new() -> Self {
        Self {
            place: Place::Ready,
            waitpoints: Vec::new(),
            signals: Vec::new(),
            suspensions: Vec::new(),
            replays: 0,
        }
    }

    pub(super) fn public(&self) -> PublicState {
        match self.place {
            Place::Ready => PublicState::Waiting,
            Place::Active => PublicState::Active,
            Place::Suspended => PublicState::Suspended,
            Place::Done(Outcome::Success) => PublicState::Completed,
            Place::Done(Outcome::Cancelled) => PublicState::Cancelled,
            Place::Done(Outcome::Expired) => PublicState::Expired,
            Place::Done(_) => PublicState::Failed,
        }
    }

    fn is_open(&self, waitpoint: usize) -> bool {
        let state = self.waitpoints[waitpoint].state;
        matches!(state, WaitpointState::Pending | WaitpointState::Active)
    }

    /// Finds the open waitpoint with a key.
    pub(super) fn open(&self, key: &str) -> Option<usize> {
        (0..self.waitpoints.len()).find(|&it| self.waitpoints[it].key == key && self.is_open(it))
    }

    /// Finds the open one with a key, or else the last that had it.
    pub(super) fn find(&self, key: &str) -> Option<usize> {
        let last = self.waitpoints.iter().rposition(|it| it.key == key);
        self.open(key).or(last)
    }

    fn make(&mut self, key: &str, state: WaitpointState, of: Option<usize>) -> usize {
        self.waitpoints.push(Waitpoint {
            key: key.to_owned(),
            state,
            reason: None,
            ends: state == WaitpointState::Pending,
            of,
        });
        self.waitpoints.len() - 1
    }

    /// Returns the waitpoint, and whether it was there; `None` without a lease.
    pub(super) fn create(&mut self, key: &str) -> Option<(usize, bool)> {
        if self.place != Place::Active {
            return None;
        }
        Some(match self.open(key) {
            Some(found) => (found, true),
            None => (self.make(key, WaitpointState::Pending, None), false),
        })
    }

    /// Returns what a suspension has received, in the order it was accepted.
    fn received(&self, at: &dyn Fn(usize) -> bool) -> Vec<&Signal> {
        let all = self.signals.iter();
        all.filter(|it| !it.consumed && at(it.waitpoint)).collect()
    }

    pub(super) fn suspend(&mut self, asked: Asked) -> Suspends {
        if self.place != Place::Active {
            return Suspends::Refused("");
        }
        let named = self.suspensions.iter().position(|it| {
            it.replays == self.replays && asked.name.is_some() && it.asked.name == asked.name
        });
        if let Some(named) = named {
            return Suspends::Satisfied(named);
        }
        let keys = match asked.condition.keys() {
            keys if keys.is_empty() => vec![""],
            keys => keys,
        };
        if asked.fresh && keys.iter().any(|key| self.open(key).is_some()) {
            return Suspends::Refused("waitpoint_already_exists");
        }
        let pending: Vec<usize> = keys.iter().filter_map(|key| self.open(key)).collect();
        let number = self.suspensions.len();
        let mut suspension = Suspension {
            asked,
            replays: self.replays,
            reason: None,
            satisfiers: Vec::new(),
            escalated: false,
        };
        let received = self.received(&|it| pending.contains(&it));
        if let Some(satisfiers) = asked.condition.satisfiers(&received) {
            suspension.reason = Some(SuspensionCloseReason::Satisfied);
            suspension.satisfiers = satisfiers;
            self.suspensions.push(suspension);
            self.leave(number, &pending, WaitpointCloseReason::Resumed);
            return Suspends::Satisfied(number);
        }
        self.suspensions.push(suspension);
        self.place = Place::Suspended;
        let mut waits = Vec::new();
        for key in keys {
            waits.push(match self.open(key) {
                Some(found) if !key.is_empty() => {
                    let waitpoint = &mut self.waitpoints[found];
                    waitpoint.state = WaitpointState::Active;
                    waitpoint.of = Some(number);
                    waitpoint.ends = false;
                    found
                }
                _ => self.make(key, WaitpointState::Active, Some(number)),
            });
        }
        Suspends::Yes(waits)
    }

    /// Does to waitpoints and signals what the policy of their suspension says.
    fn leave(&mut self, number: usize, waitpoints: &[usize], reason: WaitpointCloseReason) {
        let Suspension {
            asked, satisfiers, ..
        } = self.suspensions[number].clone();
        for &it in waitpoints {
            let waitpoint = &mut self.waitpoints[it];
            if asked.closes {
                waitpoint.state = WaitpointState::Closed;
                waitpoint.reason = Some(reason);
            } else {
                waitpoint.state = WaitpointState::Pending;
            }
        }
        if !asked.closes {
            for signal in &mut self.signals {
                let matched = satisfiers.contains(&signal.at);
                signal.consumed |=
                    waitpoints.contains(&signal.waitpoint) && (matched || !asked.retains);
            }
        }
    }

    fn active(&self) -> Vec<usize> {
        let active = |it: &usize| self.waitpoints[*it].state == WaitpointState::Active;
        (0..self.waitpoints.len()).filter(active).collect()
    }

    fn end(
        &mut self,
        reason: SuspensionCloseReason,
        satisfiers: Vec<usize>,
        why: WaitpointCloseReason,
    ) {
        let number = self.suspensions.len() - 1;
        self.suspensions[number].reason = Some(reason);
        self.suspensions[number].satisfiers = satisfiers;
        self.leave(number, &self.active(), why);
        self.place = Place::Ready;
    }

    pub(super) fn signal(
        &mut self,
        waitpoint: Option<usize>,
        name: &'static str,
        source: &'static str,
        idempotency_key: Option<&'static str>,
    ) -> Arrives {
        let Some(waitpoint) = waitpoint else {
            return Arrives::Refused("waitpoint_not_found");
        };
        let twin = self.signals.iter().position(|it| {
            idempotency_key.is_some()
                && it.waitpoint == waitpoint
                && it.idempotency_key == idempotency_key
        });
        if let Some(twin) = twin {
            return Arrives::Again(twin);
        }
        if matches!(self.place, Place::Done(_)) {
            return Arrives::Refused("target_not_signalable");
        }
        if !self.is_open(waitpoint) {
            return Arrives::Refused("waitpoint_closed");
        }
        let at = self.signals.len();
        self.signals.push(Signal {
            at,
            waitpoint,
            key: self.waitpoints[waitpoint].key.clone(),
            name,
            source,
            idempotency_key,
            effect: SignalEffect::BufferedForPendingWaitpoint,
            consumed: false,
            id: SignalId(uuid::Uuid::nil()),
        });
        if self.waitpoints[waitpoint].state == WaitpointState::Active {
            let number = self.suspensions.len() - 1;
            let condition = self.suspensions[number].asked.condition;
            // Whether its waitpoint was closed since or not.
            let received = self.received(&|it| self.waitpoints[it].of == Some(number));
            let satisfiers = condition.satisfiers(&received);
            self.signals[at].effect = match &satisfiers {
                Some(_) => SignalEffect::ResumeConditionSatisfied,
                None => condition.effect(&received),
            };
            if let Some(satisfiers) = satisfiers {
                let reason = SuspensionCloseReason::Satisfied;
                self.end(reason, satisfiers, WaitpointCloseReason::Resumed);
            }
        }
        Arrives::Accepted(self.signals[at].effect)
    }

    pub(super) fn close(&mut self, key: &str) -> Result<(), &'static str> {
        let found = self.find(key).ok_or("waitpoint_not_found")?;
        let is_open = self.is_open(found);
        let waitpoint = &mut self.waitpoints[found];
        if is_open {
            waitpoint.state = WaitpointState::Closed;
            waitpoint.reason = Some(WaitpointCloseReason::ProactiveClose);
        }
        match waitpoint.reason {
            Some(WaitpointCloseReason::ProactiveClose) => Ok(()),
            _ => Err("waitpoint_closed"),
        }
    }

    /// Whether an operator's resume is answered as done: it is, or the same operator
    /// has resumed the last suspension since the last replay before.
    pub(super) fn resume(&mut self) -> bool {
        let reason = SuspensionCloseReason::OperatorResume;
        if self.place == Place::Suspended {
            self.end(reason, Vec::new(), WaitpointCloseReason::Resumed);
            return true;
        }
        let last = self.resumption();
        last.is_some_and(|last| last.reason == Some(reason))
    }

    /// Lets the timeout of a suspension pass.
    pub(super) fn time_out(&mut self) {
        let Some(last) = self.suspensions.last_mut() else {
            return;
        };
        if self.place != Place::Suspended || last.escalated {
            return;
        }
        match last.asked.timeout {
            None => {}
            Some(TimeoutBehavior::Escalate) => last.escalated = true,
            Some(TimeoutBehavior::AutoResumeWithTimeoutSignal) => self.end(
                SuspensionCloseReason::TimedOutAutoResume,
                Vec::new(),
                WaitpointCloseReason::TimedOutAutoResume,
            ),
            Some(TimeoutBehavior::Fail) => self.finish(
                Outcome::Failed,
                SuspensionCloseReason::TimedOutFail,
                WaitpointCloseReason::TimedOutFail,
            ),
            Some(TimeoutBehavior::Cancel) => self.finish(
                Outcome::Cancelled,
                SuspensionCloseReason::TimedOutCancel,
                WaitpointCloseReason::TimedOutCancel,
            ),
            Some(TimeoutBehavior::Expire) => self.finish(
                Outcome::Expired,
                SuspensionCloseReason::TimedOutExpire,
                WaitpointCloseReason::TimedOutExpire,
            ),
        }
    }

    /// Lets the time of pending waitpoints pass.
    pub(super) fn expire(&mut self) {
        for waitpoint in &mut self.waitpoints {
            if waitpoint.state == WaitpointState::Pending && waitpoint.ends {
                waitpoint.state = WaitpointState::Expired;
                waitpoint.reason = Some(WaitpointCloseReason::NeverCommitted);
            }
        }
    }

    pub(super) fn cancel(&mut self) {
        if !matches!(self.place, Place::Done(_)) {
            self.finish(
                Outcome::Cancelled,
                SuspensionCloseReason::Cancelled,
                WaitpointCloseReason::Cancelled,
            );
        }
    }

    fn finish(
        &mut self,
        outcome: Outcome,
        reason: SuspensionCloseReason,
        why: WaitpointCloseReason,
    ) {
        if self.place == Place::Suspended
            && let Some(last) = self.suspensions.last_mut()
        {
            last.reason = Some(reason);
            for it in self.active() {
                self.waitpoints[it].state = WaitpointState::Closed;
                self.waitpoints[it].reason = Some(why);
            }
        }
        self.place = Place::Done(outcome);
    }

    /// Whether a replay is answered as done: it is, or the same operator has begun
    /// the present run with one before.
    pub(super) fn replay(&mut self) -> bool {
        let over = matches!(self.place, Place::Done(_));
        if over {
            self.place = Place::Ready;
            self.replays += 1;
            for waitpoint in &mut self.waitpoints {
                if waitpoint.state == WaitpointState::Pending {
                    waitpoint.state = WaitpointState::Closed;
                    waitpoint.reason = Some(WaitpointCloseReason::NeverCommitted);
                }
            }
        }
        over || self.replays > 0
    }

    /// Returns the suspension a lease resumes from.
    pub(super) fn resumption(&self) -> Option<&Suspension> {
        let last = self.suspensions.last()?;
        (last.replays == self.replays).then_some(last)
    }
}
