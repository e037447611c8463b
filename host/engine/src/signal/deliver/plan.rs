//! Decides what the calls of a batch do: the units to write, and the verdicts that are
//! true once these are written.

use std::collections::{BTreeMap, HashMap};

use model::{
    ExecutionId, InvalidWaitpointToken, SignalEffect, SignalHeader, SignalId, SignalRefusal,
    SuspensionEnd, SuspensionId, WaitpointId,
};

use super::existing::ExistingSignal;
use super::request::{
    Authority, AuthorizedSignal, DeliverCall, DeliverRequest, DeliverVerdict, Delivered, Resume,
};
use crate::dispatch::ReservedSlot;
use crate::operate::Operation;
use crate::waitpoint::{Snapshots, SuspensionSnapshot};

/// What was decided about a batch.
#[derive(Default)]
pub(super) struct DeliveryPlan<'a> {
    /// In the order in which rows are locked.
    pub(super) units: BTreeMap<UnitKey, WriteUnit<'a>>,
    pub(super) verdicts: Vec<PlannedVerdict>,
}

/// The execution of a unit, and its waitpoint if it is a pending one.
pub(super) type UnitKey = (ExecutionId, Option<WaitpointId>);

/// A verdict on the call at this place of the batch.
pub(super) struct PlannedVerdict {
    pub(super) at: usize,
    pub(super) verdict: DeliverVerdict,
    /// The unit that must be written for the verdict to be true.
    pub(super) unit: Option<UnitKey>,
}

/// What is written whole or not at all: an open suspension with its active waitpoints, or
/// one pending waitpoint; see `deliver.sql`.
pub(super) struct WriteUnit<'a> {
    /// The suspension; absent for a pending waitpoint.
    pub(super) suspension_id: Option<SuspensionId>,
    /// The guard: changes of the suspension or signals of the waitpoint, as they were read.
    pub(super) expected: i32,
    pub(super) epoch: u64,
    pub(super) namespace: String,
    pub(super) signals: Vec<AcceptedSignal<'a>>,
    /// What operators asked for, with its detail.
    pub(super) operations: Vec<(&'a Operation, Option<String>)>,
    /// How long an operator asked the execution to be delayed.
    operator_delay_ms: Option<u64>,
    /// How the suspension ends; absent if it stays open.
    pub(super) end: Option<UnitEnd>,
    /// The idle worker that resumes the execution immediately; absent if none is free.
    pub(super) slot: Option<ReservedSlot>,
}

/// A signal that was accepted.
pub(super) struct AcceptedSignal<'a> {
    pub(super) signal: &'a AuthorizedSignal,
    pub(super) waitpoint_id: WaitpointId,
    pub(super) effect: SignalEffect,
}

/// How the suspension of a unit ends.
pub(super) struct UnitEnd {
    pub(super) end: SuspensionEnd,
    /// How long the execution is delayed, in milliseconds; absent: it is ready immediately.
    pub(super) delay_ms: Option<u64>,
    pub(super) closes_waitpoints: bool,
}

/// Names of the signals by which people decide.
const DECISIONS: [&str; 2] = ["approved", "rejected"];

/// Returns the refusal of a decision by the credential that asked for the execution, unless
/// the suspension allows it. What is not suspended yet allows nothing.
fn decides_alone(
    signal: &AuthorizedSignal,
    snapshot: &SuspensionSnapshot,
) -> Option<SignalRefusal> {
    let request = &signal.request;
    let is_decision = DECISIONS.contains(&request.name.as_str());
    let credential = request.credential.as_ref().filter(|_| is_decision)?;
    let suspension = snapshot.target.suspension.as_ref();
    let is_allowed = suspension.is_some_and(|it| it.policy.allow_requester);
    let is_own = snapshot.requester.as_ref() == Some(credential);
    (is_own && !is_allowed).then(|| SignalRefusal::ApprovalByRequester {
        credential: credential.clone(),
    })
}

impl<'a> DeliveryPlan<'a> {
    /// Decides the calls at these places of a batch, in their order.
    pub(super) fn of(
        batch: &'a [Box<DeliverCall>],
        open: &[usize],
        snapshots: &mut Snapshots,
        existing: &HashMap<usize, ExistingSignal>,
    ) -> Self {
        let mut plan = Self::default();
        for &at in open {
            let id = batch[at].execution_id;
            if let Some(error) = snapshots.unreadable.get(&id) {
                let verdict = DeliverVerdict::Unreadable(error.clone());
                plan.answer(at, verdict, None);
                continue;
            }
            let snapshot = snapshots.found.get_mut(&id);
            match &batch[at].request {
                DeliverRequest::Signal(signal) => {
                    let decided = match snapshot {
                        Some(snapshot) => {
                            plan.decide_signal(id, signal, snapshot, existing.get(&at))
                        }
                        None => Err(SignalRefusal::ExecutionNotFound),
                    };
                    let (answer, unit) = match decided {
                        Ok((delivered, unit)) => (Ok(delivered), unit),
                        Err(refusal) => (Err(refusal), None),
                    };
                    plan.answer(at, DeliverVerdict::Signal(answer), unit);
                }
                DeliverRequest::Resume(resume) => {
                    let unit = snapshot.and_then(|it| plan.decide_resume(id, resume, it));
                    plan.answer(at, DeliverVerdict::Resume(unit.is_some()), unit);
                }
            }
        }
        for ((id, _), unit) in &mut plan.units {
            unit.end(&snapshots.found[id]);
        }
        plan
    }

    fn answer(&mut self, at: usize, verdict: DeliverVerdict, unit: Option<UnitKey>) {
        self.verdicts.push(PlannedVerdict { at, verdict, unit });
    }

    fn decide_signal(
        &mut self,
        execution_id: ExecutionId,
        signal: &'a AuthorizedSignal,
        snapshot: &mut SuspensionSnapshot,
        existing: Option<&ExistingSignal>,
    ) -> Result<(Delivered, Option<UnitKey>), SignalRefusal> {
        // A repeat of a signal that came with a token which has expired since is answered
        // all the same.
        let token_expired = match &signal.authority {
            Authority::Token { namespace, .. } if *namespace != snapshot.namespace => {
                return Err(InvalidWaitpointToken.into());
            }
            Authority::Token {
                kid, expires_at, ..
            } => !snapshot.accepts_token(kid, *expires_at),
            Authority::Operator { namespace, .. } => {
                if namespace
                    .as_ref()
                    .is_some_and(|it| *it != snapshot.namespace)
                {
                    return Err(SignalRefusal::ExecutionNotFound);
                }
                false
            }
        };
        if let Some(refusal) = decides_alone(signal, snapshot) {
            return Err(refusal);
        }
        let waitpoint_id = match snapshot.target.find(&signal.waitpoint) {
            Ok(found) => found.id,
            Err(_) if token_expired => return Err(InvalidWaitpointToken.into()),
            Err(refusal) => return Err(refusal),
        };
        let delivered = |signal_id, effect, duplicate| Delivered {
            signal_id,
            execution_id,
            waitpoint_id,
            effect,
            duplicate,
        };
        if let Some(first) = existing {
            return Ok((delivered(first.id, first.effect, true), None));
        }
        if token_expired {
            return Err(InvalidWaitpointToken.into());
        }
        if let Some(key) = &signal.request.idempotency_key
            && let Some((first, effect, unit)) = self.duplicate(execution_id, waitpoint_id, key)
        {
            return Ok((delivered(first, effect, true), Some(unit)));
        }
        let effect = snapshot.target.deliver(SignalHeader {
            waitpoint_id,
            signal_id: signal.id,
            name: signal.request.name.clone(),
            source_type: signal.request.source_type.clone(),
            source_identity: signal.request.source_identity.clone(),
        })?;
        let pending = (!snapshot.of_suspension.contains(&waitpoint_id)).then_some(waitpoint_id);
        let key = (execution_id, pending);
        let unit = self.unit(key, snapshot);
        unit.signals.push(AcceptedSignal {
            signal,
            waitpoint_id,
            effect,
        });
        if let Authority::Operator { operation, .. } = &signal.authority {
            let detail = format!("{} at waitpoint {waitpoint_id}", signal.request.name);
            unit.operations.push((operation, Some(detail)));
        }
        Ok((delivered(signal.id, effect, false), Some(key)))
    }

    /// Decides a request to resume; returns the unit that resumes the execution.
    fn decide_resume(
        &mut self,
        execution_id: ExecutionId,
        resume: &'a Resume,
        snapshot: &mut SuspensionSnapshot,
    ) -> Option<UnitKey> {
        let suspension = snapshot.target.suspension.as_ref();
        let is_meant = suspension.is_some_and(|it| it.suspension_id == resume.suspension)
            && (!resume.only_due || snapshot.is_due);
        if !is_meant || !snapshot.target.resume(resume.reason) {
            return None;
        }
        let key = (execution_id, None);
        let unit = self.unit(key, snapshot);
        unit.operator_delay_ms = resume.delay_ms;
        let operation = resume.operation.as_ref();
        let detail = Resume::operation_detail(resume.delay_ms);
        unit.operations.extend(operation.map(|it| (it, detail)));
        Some(key)
    }

    /// Finds a signal of this batch to the same waitpoint with the same idempotency key.
    fn duplicate(
        &self,
        execution_id: ExecutionId,
        waitpoint_id: WaitpointId,
        key: &str,
    ) -> Option<(SignalId, SignalEffect, UnitKey)> {
        let units = [None, Some(waitpoint_id)].map(|pending| (execution_id, pending));
        units.into_iter().find_map(|unit| {
            let signals = &self.units.get(&unit)?.signals;
            let first = signals.iter().find(|first| {
                first.waitpoint_id == waitpoint_id
                    && first.signal.request.idempotency_key.as_deref() == Some(key)
            })?;
            Some((first.signal.id, first.effect, unit))
        })
    }

    fn unit(&mut self, key: UnitKey, snapshot: &SuspensionSnapshot) -> &mut WriteUnit<'a> {
        let (_, pending) = key;
        let suspension = snapshot.target.suspension.as_ref();
        self.units.entry(key).or_insert_with(|| WriteUnit {
            suspension_id: suspension
                .filter(|_| pending.is_none())
                .map(|it| it.suspension_id),
            expected: match pending {
                Some(waitpoint_id) => snapshot.signal_count(waitpoint_id),
                None => snapshot.changes,
            },
            epoch: snapshot.epoch,
            namespace: snapshot.namespace.clone(),
            signals: Vec::new(),
            operations: Vec::new(),
            operator_delay_ms: None,
            end: None,
            slot: None,
        })
    }
}

impl WriteUnit<'_> {
    /// Whether the execution is ready or active once this is written.
    pub(super) fn resumes_immediately(&self) -> bool {
        self.end.as_ref().is_some_and(|it| it.delay_ms.is_none())
    }

    /// Takes over how the suspension ends, if it does, once everything is decided.
    fn end(&mut self, snapshot: &SuspensionSnapshot) {
        let suspension = snapshot.target.suspension.as_ref();
        let suspension = suspension.filter(|it| self.suspension_id == Some(it.suspension_id));
        self.end = suspension.and_then(|suspension| {
            Some(UnitEnd {
                end: suspension.end.clone()?,
                delay_ms: self
                    .operator_delay_ms
                    .or(suspension.policy.resume_delay_ms)
                    .filter(|ms| *ms > 0),
                closes_waitpoints: suspension.policy.close_waitpoint_on_resume,
            })
        });
    }
}
