//! Finds the waitpoints that a suspension waits at.

use model::{
    Invalid, Limits, SuspendRefusal, SuspensionPolicy, TargetWaitpoint, WaitpointId, WaitpointState,
};

use super::request::{Binding, Suspend};
use crate::random;
use crate::waitpoint::{DEFAULT_KEY_PREFIX, SuspensionSnapshot, new_waitpoint_key};

/// A waitpoint that a suspension waits at.
#[derive(Debug, Clone)]
pub(super) struct BoundWaitpoint {
    pub(super) id: WaitpointId,
    pub(super) key: String,
    pub(super) signal_names: Vec<String>,
    /// How many signals it has received; absent for one that is new.
    pub(super) pending: Option<i32>,
}

/// What a suspension is decided on.
#[derive(Debug, Clone, Copy)]
pub(super) struct SuspendContext<'a> {
    pub(super) namespace: &'a str,
    pub(super) policy: &'a SuspensionPolicy,
    /// What was read; absent if the execution is assumed to have no open waitpoint.
    pub(super) snapshot: Option<&'a SuspensionSnapshot>,
}

impl<'a> SuspendContext<'a> {
    pub(super) fn of(snapshot: &'a SuspensionSnapshot) -> Self {
        Self {
            namespace: &snapshot.namespace,
            policy: &snapshot.policy.suspension_policy,
            snapshot: Some(snapshot),
        }
    }

    fn waitpoints(&self) -> &'a [TargetWaitpoint] {
        self.snapshot.map_or(&[], |it| &it.target.waitpoints)
    }

    /// Finds the waitpoint that has this key to itself: an open one, or one that expired
    /// and that no sweep has closed yet.
    fn unclosed(&self, key: &str) -> Option<&'a TargetWaitpoint> {
        let mut unclosed = self
            .waitpoints()
            .iter()
            .filter(|it| it.close_reason.is_none());
        unclosed.find(|it| it.key == key)
    }

    /// Binds a waitpoint that must be pending.
    fn bind_pending(&self, waitpoint: &TargetWaitpoint) -> Result<BoundWaitpoint, SuspendRefusal> {
        match waitpoint.state {
            WaitpointState::Pending => Ok(BoundWaitpoint {
                id: waitpoint.id,
                key: waitpoint.key.clone(),
                signal_names: Vec::new(),
                pending: Some(self.snapshot.map_or(0, |it| it.signal_count(waitpoint.id))),
            }),
            WaitpointState::Expired => Err(SuspendRefusal::PendingWaitpointExpired),
            state => Err(SuspendRefusal::WaitpointNotPending { state }),
        }
    }
}

/// Finds the waitpoints of a suspension and checks its condition with them.
pub(super) fn bind(
    suspend: &Suspend,
    context: &SuspendContext<'_>,
) -> Result<Vec<BoundWaitpoint>, SuspendRefusal> {
    let bindings = suspend.bindings();
    if bindings.len() > Limits::WAITPOINTS_MAX {
        let keys = vec![String::new(); bindings.len()];
        suspend
            .condition
            .check(&keys, true)
            .map_err(Invalid::from)?;
    }
    let mut bound: Vec<BoundWaitpoint> = Vec::with_capacity(bindings.len());
    let mut keys = Vec::with_capacity(bindings.len());
    for binding in &bindings {
        let found = match binding {
            Binding::Fresh { key, signal_names } => {
                if context.unclosed(key).is_some() {
                    return Err(SuspendRefusal::WaitpointAlreadyExists { key: key.clone() });
                }
                new_waitpoint(key, signal_names)
            }
            Binding::UsePending(id) => {
                let found = context.waitpoints().iter().find(|it| it.id == *id);
                context.bind_pending(found.ok_or(SuspendRefusal::WaitpointNotFound)?)?
            }
            Binding::Keyed(key) => match context.unclosed(key) {
                Some(found) => context.bind_pending(found)?,
                None => new_waitpoint(key, &[]),
            },
        };
        keys.push(match binding {
            // Only the first may do without a key of its own.
            Binding::Fresh { key, .. } if !bound.is_empty() => key.clone(),
            _ => found.key.clone(),
        });
        bound.push(found);
    }
    let has_deadline = suspend.timeout.is_some() || context.policy.default_timeout_ms.is_some();
    suspend.check_timeout_behavior(has_deadline)?;
    suspend
        .condition
        .check(&keys, has_deadline)
        .map_err(Invalid::from)?;
    let open = context
        .waitpoints()
        .iter()
        .filter(|it| it.is_open())
        .count();
    let new = bound.iter().filter(|it| it.pending.is_none()).count();
    let max = Limits::WAITPOINTS_OPEN_MAX;
    if open + new > max {
        return Err(SuspendRefusal::WaitpointLimitExceeded { max });
    }
    Ok(bound)
}

fn new_waitpoint(key: &str, signal_names: &[String]) -> BoundWaitpoint {
    let id = WaitpointId(random::ordered_uuid());
    BoundWaitpoint {
        id,
        key: new_waitpoint_key(id, key),
        signal_names: signal_names.to_vec(),
        pending: None,
    }
}

impl Suspend {
    /// Returns the waitpoints asked for, or else those that the condition names, or else a
    /// new one.
    fn bindings(&self) -> Vec<Binding> {
        let mut bindings = self.waitpoints.clone();
        if bindings.is_empty() {
            let keys = self.condition.waitpoint_keys();
            bindings.extend(keys.into_iter().map(|key| Binding::Keyed(key.to_owned())));
        }
        if bindings.is_empty() {
            bindings.push(Binding::Fresh {
                key: String::new(),
                signal_names: Vec::new(),
            });
        }
        bindings
    }

    /// Returns the place of a waitpoint among those asked for.
    pub(super) fn place_of(&self, id: WaitpointId, key: &str) -> usize {
        let keys = self.condition.waitpoint_keys();
        let place = match self.waitpoints.is_empty() {
            true => keys.iter().position(|it| *it == key),
            false => self.waitpoints.iter().position(|binding| match binding {
                Binding::Fresh { key: it, .. } | Binding::Keyed(it) => it == key,
                Binding::UsePending(it) => *it == id,
            }),
        };
        place.unwrap_or(0)
    }

    /// Returns the names that tokens of a new waitpoint are bound to.
    pub(super) fn names_for(&self, wanted: &str) -> Vec<String> {
        let names = self.waitpoints.iter().find_map(|binding| match binding {
            Binding::Fresh { key, signal_names }
                if key == wanted || key.is_empty() && wanted.starts_with(DEFAULT_KEY_PREFIX) =>
            {
                Some(signal_names.clone())
            }
            _ => None,
        });
        names.unwrap_or_default()
    }
}
