//! Finds the waitpoints that a suspension waits at.

use model::{
    InboxWaitpoint, Invalid, Limits, SuspendRefusal, SuspensionPolicy, WaitpointId, WaitpointState,
};

use super::inbox::{Read, open, there};
use super::{Binding, Suspend};
use crate::mint;

/// What the key of a waitpoint begins with that was given none.
const DEFAULT_KEY: &str = "wpk:";

/// A waitpoint as a suspension binds it.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub(super) id: WaitpointId,
    pub(super) key: String,
    pub(super) signal_names: Vec<String>,
    /// What it has heard, if it is pending.
    pub(super) pending: Option<i32>,
}

/// What a suspension is decided on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) namespace: &'a str,
    pub(super) policy: &'a SuspensionPolicy,
    /// What the execution waits for; absent if it is taken to have no open waitpoint.
    pub(super) read: Option<&'a Read>,
}

impl<'a> Ground<'a> {
    pub(super) fn of(read: &'a Read) -> Self {
        Self {
            namespace: &read.namespace,
            policy: &read.policy.suspension_policy,
            read: Some(read),
        }
    }

    fn waitpoints(&self) -> &'a [InboxWaitpoint] {
        self.read.map_or(&[], |read| &read.inbox.waitpoints)
    }
}

/// Finds the waitpoints of a suspension and checks its condition with them.
pub(super) fn bind(suspend: &Suspend, ground: &Ground<'_>) -> Result<Vec<Bound>, SuspendRefusal> {
    let all = ground.waitpoints();
    let heard = |id: WaitpointId| ground.read.and_then(|read| read.signals.get(&id).copied());
    let fresh = |key: &str, signal_names: &[String]| {
        let id = WaitpointId(mint::random_id());
        Bound {
            id,
            key: if key.is_empty() {
                default_key(id)
            } else {
                key.to_owned()
            },
            signal_names: signal_names.to_vec(),
            pending: None,
        }
    };
    let bound_to = |waitpoint: &InboxWaitpoint| match waitpoint.state {
        WaitpointState::Pending => Ok(Bound {
            id: waitpoint.id,
            key: waitpoint.key.clone(),
            signal_names: Vec::new(),
            pending: Some(heard(waitpoint.id).unwrap_or(0)),
        }),
        WaitpointState::Expired => Err(SuspendRefusal::PendingWaitpointExpired),
        state => Err(SuspendRefusal::WaitpointNotPending { state }),
    };
    let mut asked = suspend.waitpoints.clone();
    if asked.is_empty() {
        let keys = suspend.condition.waitpoint_keys();
        asked.extend(keys.into_iter().map(|key| Binding::Keyed(key.to_owned())));
    }
    if asked.is_empty() {
        asked.push(Binding::Fresh {
            key: String::new(),
            signal_names: Vec::new(),
        });
    }
    if asked.len() > Limits::WAITPOINTS_MAX {
        let keys = vec![String::new(); asked.len()];
        suspend
            .condition
            .check(&keys, true)
            .map_err(Invalid::from)?;
    }
    let mut bound = Vec::with_capacity(asked.len());
    let mut keys = Vec::with_capacity(asked.len());
    for binding in &asked {
        let there = |key: &str| there(all).find(|it| it.key == *key);
        let found = match binding {
            Binding::Fresh { key, signal_names } => match there(key) {
                Some(_) => {
                    return Err(SuspendRefusal::WaitpointAlreadyExists { key: key.clone() });
                }
                None => {
                    let new = fresh(key, signal_names);
                    // Only the first may do without a key of its own.
                    keys.push(match bound.is_empty() {
                        true => new.key.clone(),
                        false => key.clone(),
                    });
                    bound.push(new);
                    continue;
                }
            },
            Binding::UsePending(id) => {
                let found = all.iter().find(|it| it.id == *id);
                bound_to(found.ok_or(SuspendRefusal::WaitpointNotFound)?)?
            }
            Binding::Keyed(key) => match there(key) {
                Some(found) => bound_to(found)?,
                None => fresh(key, &[]),
            },
        };
        keys.push(found.key.clone());
        bound.push(found);
    }
    let has_deadline = suspend.timeout.is_some() || ground.policy.default_timeout_ms.is_some();
    suspend.check_behavior(has_deadline)?;
    suspend
        .condition
        .check(&keys, has_deadline)
        .map_err(Invalid::from)?;
    let new = bound.iter().filter(|it| it.pending.is_none()).count();
    let max = Limits::WAITPOINTS_OPEN_MAX;
    if open(all).count() + new > max {
        return Err(SuspendRefusal::WaitpointLimitExceeded { max });
    }
    Ok(bound)
}

/// Returns pending waitpoints and what they have heard, in the order in which rows
/// are locked.
pub(super) fn pending(bound: &[Bound]) -> Vec<(WaitpointId, i32)> {
    let mut pending: Vec<(WaitpointId, i32)> = bound
        .iter()
        .filter_map(|bound| Some((bound.id, bound.pending?)))
        .collect();
    pending.sort_unstable_by_key(|(id, _)| id.0);
    pending
}

/// Returns the key of a waitpoint that was given none.
pub(super) fn default_key(id: WaitpointId) -> String {
    format!("{DEFAULT_KEY}{id}")
}

impl Suspend {
    /// Checks that what shall happen when the time is over can happen.
    ///
    /// # Errors
    /// Nothing limits the time.
    pub fn check_behavior(&self, has_deadline: bool) -> Result<(), Invalid> {
        match self.timeout_behavior {
            Some(behavior) if !has_deadline => {
                let detail = format!(
                    "`{behavior}` would never happen: give timeout_ms or timeout_at too, or policy.suspension_policy.default_timeout_ms to the execution"
                );
                Err(Invalid::new("timeout_behavior", detail))
            }
            _ => Ok(()),
        }
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
                if key == wanted || key.is_empty() && wanted.starts_with(DEFAULT_KEY) =>
            {
                Some(signal_names.clone())
            }
            _ => None,
        });
        names.unwrap_or_default()
    }
}
