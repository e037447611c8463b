//! How a call of a guest fails: with an error of its interface, or by stopping the guest.

use engine::Declined;
use model::Invalid;

use super::backend::unavailable;
use super::role::CallerError;
use crate::host::bindings::flowhost::engine::claim::{ClaimError, LeaseError};
use crate::host::bindings::flowhost::engine::executions::Error as ExecutionsError;
use crate::host::bindings::flowhost::engine::flows::FlowError;
use crate::host::bindings::flowhost::engine::signal::SignalError;
use crate::host::bindings::flowhost::engine::streams::StreamError;
use crate::host::bindings::flowhost::engine::suspend::SuspendError;
use crate::host::bindings::service::flowhost::engine::events::EventsError;
use crate::host::convert::said;

/// Why a call of a guest fails.
#[derive(Debug)]
pub enum CallError<E> {
    /// The guest is answered with an error of the interface.
    Refused(E),
    /// The guest is stopped.
    Trap(wasmtime::Error),
}

impl<E> CallError<E> {
    /// Returns the error the guest is answered with, unless it is stopped.
    pub(in crate::host) fn refused(self) -> wasmtime::Result<E> {
        match self {
            Self::Refused(error) => Ok(error),
            Self::Trap(trap) => Err(trap),
        }
    }
}

impl<E: GuestError> CallError<E> {
    /// Converts what the engine declined; `of` converts a refusal.
    pub(in crate::host) fn declined<R>(declined: Declined<R>, of: impl FnOnce(R) -> E) -> Self {
        match declined {
            Declined::Refused(refusal) => Self::Refused(of(refusal)),
            Declined::Fault(fault) => fault.into(),
        }
    }
}

/// An error of an interface in `wit/`.
pub(crate) trait GuestError {
    fn invalid(detail: String) -> Self;
    fn unavailable(detail: String) -> Self;
}

macro_rules! guest_errors {
    ($($error:ident),*) => {$(
        impl GuestError for $error {
            fn invalid(detail: String) -> Self {
                Self::Invalid(detail)
            }

            fn unavailable(detail: String) -> Self {
                Self::Unavailable(detail)
            }
        }
    )*};
}

guest_errors!(
    ClaimError,
    LeaseError,
    EventsError,
    ExecutionsError,
    FlowError,
    SignalError,
    StreamError
);

impl GuestError for SuspendError {
    fn invalid(detail: String) -> Self {
        Self::Lease(LeaseError::Invalid(detail))
    }

    fn unavailable(detail: String) -> Self {
        Self::Lease(LeaseError::Unavailable(detail))
    }
}

impl<E> From<wasmtime::Error> for CallError<E> {
    fn from(trap: wasmtime::Error) -> Self {
        Self::Trap(trap)
    }
}

impl<E: GuestError> From<E> for CallError<E> {
    fn from(error: E) -> Self {
        Self::Refused(error)
    }
}

impl<E: GuestError> From<Invalid> for CallError<E> {
    fn from(invalid: Invalid) -> Self {
        Self::Refused(E::invalid(said(&invalid)))
    }
}

impl<E: GuestError> From<engine::Error> for CallError<E> {
    fn from(error: engine::Error) -> Self {
        Self::Refused(E::unavailable(unavailable(&error)))
    }
}

impl<E: GuestError> From<CallerError> for CallError<E> {
    fn from(error: CallerError) -> Self {
        Self::Refused(match error {
            CallerError::NoEngine => E::unavailable(error.to_string()),
            CallerError::NoIdentity(why) => E::invalid(said(&Invalid::new("lease", why))),
        })
    }
}
