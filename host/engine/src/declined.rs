//! What a verb answers that did not do what it was asked: a refusal or a fault.
//!
//! `?` builds it from a refusal of the verb, from a smaller refusal that is one of the
//! verb's (an argument out of bounds, a lease that does not hold), from what a verb
//! called on the way answered, and from every error.

use model::{
    ApiKeyRefusal, AppendRefusal, CancelRefusal, CreateRefusal, EventsRefusal, FlowCancelRefusal,
    FlowRefusal, GrantRefusal, Invalid, InvalidWaitpointToken, KeyRetireRefusal, KeyRotateRefusal,
    LeaseRefusal, OperateRefusal, RedeemRefusal, RegisterRefusal, SignalRefusal, StreamRefusal,
    SuspendRefusal, WaitpointRefusal, WebhookRefusal, WorkerRefusal,
};

use crate::{Error, RouteRefusal};

/// Why a verb did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Declined<R> {
    /// The verb understood the request and refuses it: an expected answer.
    #[error(transparent)]
    Refused(R),
    /// The verb could not be carried out, or not answered.
    #[error(transparent)]
    Fault(Error),
}

impl<R> Declined<R> {
    /// Returns the refusal.
    ///
    /// # Errors
    /// The fault, if it is one.
    pub fn refusal(self) -> Result<R, Error> {
        match self {
            Self::Refused(refusal) => Ok(refusal),
            Self::Fault(fault) => Err(fault),
        }
    }

    /// Replaces the refusal by what `of` makes of it.
    pub fn map<S>(self, of: impl FnOnce(R) -> S) -> Declined<S> {
        match self {
            Self::Refused(refusal) => Declined::Refused(of(refusal)),
            Self::Fault(fault) => Declined::Fault(fault),
        }
    }
}

impl<R> From<Error> for Declined<R> {
    fn from(fault: Error) -> Self {
        Self::Fault(fault)
    }
}

impl<R> From<sqlx::Error> for Declined<R> {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// Names each refusal once, and after it the smaller refusals it can hold. An `impl`
/// for every `R: Refusal` would not stand beside the one for the errors of the driver:
/// neither the trait nor that type is of this crate.
macro_rules! refusals {
    ($($refusal:ty => [$($smaller:ty),*];)+) => {$(
        impl From<$refusal> for Declined<$refusal> {
            fn from(refusal: $refusal) -> Self {
                Self::Refused(refusal)
            }
        }

        $(
            impl From<$smaller> for Declined<$refusal> {
                fn from(smaller: $smaller) -> Self {
                    Self::Refused(smaller.into())
                }
            }

            impl From<Declined<$smaller>> for Declined<$refusal> {
                fn from(declined: Declined<$smaller>) -> Self {
                    declined.map(Into::into)
                }
            }
        )*
    )+};
}

refusals! {
    ApiKeyRefusal => [Invalid];
    AppendRefusal => [Invalid];
    CancelRefusal => [Invalid];
    CreateRefusal => [Invalid];
    EventsRefusal => [Invalid];
    FlowCancelRefusal => [Invalid];
    FlowRefusal => [Invalid, LeaseRefusal];
    GrantRefusal => [Invalid];
    Invalid => [];
    InvalidWaitpointToken => [];
    KeyRetireRefusal => [Invalid];
    KeyRotateRefusal => [Invalid];
    LeaseRefusal => [Invalid];
    OperateRefusal => [Invalid];
    RedeemRefusal => [];
    RegisterRefusal => [Invalid];
    RouteRefusal => [Invalid];
    SignalRefusal => [Invalid, InvalidWaitpointToken];
    StreamRefusal => [Invalid];
    SuspendRefusal => [Invalid, LeaseRefusal];
    WaitpointRefusal => [Invalid];
    WebhookRefusal => [Invalid];
    WorkerRefusal => [Invalid];
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(ok: bool) -> Result<(), Invalid> {
        ok.then_some(()).ok_or(Invalid::new("lane", "is empty"))
    }

    fn read(ok: bool) -> Result<(), sqlx::Error> {
        ok.then_some(()).ok_or(sqlx::Error::PoolClosed)
    }

    fn suspend(valid: bool, up: bool) -> Result<(), Declined<SuspendRefusal>> {
        checked(valid)?;
        read(up)?;
        let held: Result<(), Declined<LeaseRefusal>> = Err(LeaseRefusal::StaleLease.into());
        Ok(held?)
    }

    #[test]
    fn a_question_mark_keeps_refusals_and_faults_apart() {
        let declined = |valid, up| suspend(valid, up).expect_err("it always declines");
        let invalid = declined(false, true).refusal().expect("a refusal");
        assert_eq!(invalid.code(), "invalid_input");
        let fault = declined(true, false).refusal().expect_err("a fault");
        assert!(fault.is_unavailable(), "{fault}");
        let stale = declined(true, true).refusal().expect("a refusal");
        assert_eq!(stale.code(), "stale_lease");
        assert_eq!(declined(true, true).to_string(), stale.to_string());
    }
}
