//! Waiting without an engine, in `flowhost invoke`: a suspension is checked, noted in the
//! log and for the report, and ends the attempt; waitpoints have made-up ids, and tokens
//! that say so.

use engine::{Binding, Suspend};
use model::{Limits, WaitpointId, WaitpointRef};
use uuid::Uuid;

use super::{Backend, HeldLease, State};
use crate::host::bindings::flowhost::engine::claim::LeaseError;
use crate::host::bindings::flowhost::engine::suspend::{
    SuspendError, Suspended, Suspension, Waitpoint,
};
use crate::settings::CALLBACK_PREFIX;

/// The suspension with which an attempt in `flowhost invoke` ended.
#[derive(Debug, Clone)]
pub struct InvokeSuspension {
    /// What it asked for.
    pub asked: Suspend,
    /// Keys of the waitpoints it waits at, the primary one first.
    pub waitpoint_keys: Vec<String>,
}

/// Keys of the waitpoints that were made up, in the order of their ids; empty for those
/// that were closed.
#[derive(Debug, Default)]
pub(in crate::host) struct LocalWaitpoints(Vec<String>);

impl LocalWaitpoints {
    /// Returns the one with this key.
    fn find(&self, key: &str) -> Option<Waitpoint> {
        let at = self
            .0
            .iter()
            .position(|other| other == key && !key.is_empty())?;
        Some(self.waitpoint(at, true))
    }

    /// Returns the one with this id.
    fn get(&self, id: WaitpointId) -> Option<Waitpoint> {
        let at = (0..self.0.len()).find(|at| local_id(*at) == id && !self.0[*at].is_empty())?;
        Some(self.waitpoint(at, true))
    }

    fn make(&mut self, key: String) -> Result<Waitpoint, SuspendError> {
        let (at, max) = (self.0.len(), Limits::WAITPOINTS_OPEN_MAX);
        if at >= max {
            let max = u32::try_from(max).unwrap_or(u32::MAX);
            return Err(SuspendError::WaitpointLimitExceeded(max));
        }
        self.0.push(if key.is_empty() {
            format!("wpk:{}", local_id(at))
        } else {
            key
        });
        Ok(self.waitpoint(at, false))
    }

    /// Forgets the key of a waitpoint, so that it is found no more.
    fn close(&mut self, waitpoint: &WaitpointRef) -> Result<(), SuspendError> {
        let at = match waitpoint {
            WaitpointRef::Id(id) => (0..self.0.len()).find(|at| local_id(*at) == *id),
            WaitpointRef::Key(key) => self.0.iter().position(|other| other == key),
            WaitpointRef::Only => None,
        };
        self.0[at.ok_or(SuspendError::WaitpointNotFound)?].clear();
        Ok(())
    }

    fn bind(&mut self, binding: Binding) -> Result<Waitpoint, SuspendError> {
        match binding {
            Binding::Fresh { key, .. } => match self.find(&key) {
                Some(open) => Err(SuspendError::WaitpointAlreadyExists(open.key)),
                None => self.make(key),
            },
            Binding::UsePending(id) => self.get(id).ok_or(SuspendError::WaitpointNotFound),
            Binding::Keyed(key) => match self.find(&key) {
                Some(open) => Ok(open),
                None => self.make(key),
            },
        }
    }

    fn waitpoint(&self, at: usize, existing: bool) -> Waitpoint {
        let token = format!("made-up-by-flowhost-invoke-{at}");
        Waitpoint {
            id: local_id(at).to_string(),
            key: self.0[at].clone(),
            callback_url: format!("{CALLBACK_PREFIX}{token}"),
            token,
            expires_at: None,
            existing,
        }
    }
}

fn local_id(at: usize) -> WaitpointId {
    WaitpointId(Uuid::from_u128(at as u128 + 1))
}

impl State {
    /// Makes a waitpoint that no engine knows of.
    pub(in crate::host) fn created_locally(
        &mut self,
        held: &HeldLease,
        key: String,
    ) -> Result<Waitpoint, SuspendError> {
        if held.attempt.is_recorded() {
            return Err(LeaseError::ExecutionNotActive.into());
        }
        match self.local.find(&key) {
            Some(open) => Ok(open),
            None => self.local.make(key),
        }
    }

    /// Closes a waitpoint that no engine knows of.
    pub(in crate::host) fn closed_locally(
        &mut self,
        held: &HeldLease,
        waitpoint: &WaitpointRef,
    ) -> Result<(), SuspendError> {
        if held.attempt.is_recorded() {
            return Err(LeaseError::ExecutionNotActive.into());
        }
        self.local.close(waitpoint)
    }

    /// Suspends an attempt that no engine knows of, which ends it.
    pub(in crate::host) fn suspended_locally(
        &mut self,
        held: &HeldLease,
        suspend: Suspend,
    ) -> Result<Suspended, SuspendError> {
        let mut waitpoints = Vec::new();
        let mut keys = Vec::new();
        for binding in bindings(&suspend) {
            // Only the first may do without a key of its own.
            let unnamed = !keys.is_empty()
                && matches!(&binding, Binding::Fresh { key, .. } if key.is_empty());
            let waitpoint = self.local.bind(binding)?;
            keys.push(match unnamed {
                true => String::new(),
                false => waitpoint.key.clone(),
            });
            waitpoints.push(waitpoint);
        }
        let has_deadline = suspend.timeout.is_some();
        suspend.check_timeout_behavior(has_deadline)?;
        suspend
            .condition
            .check(&keys, has_deadline)
            .map_err(model::Invalid::from)?;
        let what = format!("{} at {}", suspend.reason, keys.join(", "));
        self.ended_locally(held, "suspend", &format_args!("{what}"))?;
        if let Backend::Local(suspended) = &self.backend {
            // An attempt ends once, so this is set once.
            let _ = suspended.set(InvokeSuspension {
                asked: suspend,
                waitpoint_keys: keys,
            });
        }
        Ok(Suspended::Suspended(Suspension {
            id: Uuid::nil().to_string(),
            waitpoints,
            timeout_at: None,
        }))
    }
}

/// Lists where a suspension waits, as the engine does when nothing is bound.
fn bindings(suspend: &Suspend) -> Vec<Binding> {
    if !suspend.waitpoints.is_empty() {
        return suspend.waitpoints.clone();
    }
    let keys = suspend.condition.waitpoint_keys();
    if keys.is_empty() {
        return vec![Binding::Fresh {
            key: String::new(),
            signal_names: Vec::new(),
        }];
    }
    keys.into_iter()
        .map(|key| Binding::Keyed(key.to_owned()))
        .collect()
}
