//! Suspensions and their refusals, as guests and as the engine have them.

use engine::Binding;
use model::{Invalid, LeaseRefusal, Limits, Moment, SuspendRefusal, ensure};

use crate::host::bindings::flowhost::engine::claim::LeaseError;
use crate::host::bindings::flowhost::engine::suspend as wit;
use crate::host::bindings::flowhost::engine::suspend::SuspendError;

/// Converts a refusal for the guest; `of_lease` converts one of the lease itself.
pub(crate) fn suspend_refusal(
    refusal: SuspendRefusal,
    of_lease: impl FnOnce(LeaseRefusal) -> LeaseError,
) -> SuspendError {
    match refusal {
        SuspendRefusal::Lease(refusal) => of_lease(refusal).into(),
        SuspendRefusal::WaitpointAlreadyExists { key } => SuspendError::WaitpointAlreadyExists(key),
        SuspendRefusal::WaitpointNotFound => SuspendError::WaitpointNotFound,
        SuspendRefusal::WaitpointNotPending { state } => {
            SuspendError::WaitpointNotPending(state.into())
        }
        SuspendRefusal::PendingWaitpointExpired => SuspendError::PendingWaitpointExpired,
        SuspendRefusal::WaitpointLimitExceeded { max } => {
            SuspendError::WaitpointLimitExceeded(u32::try_from(max).unwrap_or(u32::MAX))
        }
    }
}

pub(crate) fn binding(binding: wit::Binding) -> Result<Binding, Invalid> {
    Ok(match binding {
        wit::Binding::Fresh(fresh) => {
            check_key(&fresh.key)?;
            check_names(&fresh.signal_names)?;
            Binding::Fresh {
                key: fresh.key,
                signal_names: fresh.signal_names,
            }
        }
        wit::Binding::UsePending(id) => Binding::UsePending(
            id.parse()
                .map_err(|_| Invalid::new("waitpoint_id", "is not the id of a waitpoint"))?,
        ),
        wit::Binding::Keyed(key) => {
            model::waitpoint_key(&key)?;
            Binding::Keyed(key)
        }
    })
}

/// An empty key asks the engine to make one up.
pub(crate) fn check_key(key: &str) -> Result<(), Invalid> {
    if key.is_empty() {
        return Ok(());
    }
    model::waitpoint_key(key)
}

pub(crate) fn check_names(names: &[String]) -> Result<(), Invalid> {
    let max = Limits::WAITPOINT_TOKEN_SIGNAL_NAMES_MAX;
    ensure("signal_names", names.len() <= max, || {
        format!("at most {max}")
    })?;
    names.iter().try_for_each(|name| model::signal_name(name))
}

pub(crate) fn time_of(field: &'static str, ms: f64) -> Result<Moment, Invalid> {
    Moment::from_unix_ms(ms).map_err(|error| Invalid::new(field, error.to_string()))
}
