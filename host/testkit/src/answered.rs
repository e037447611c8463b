//! Reads an answer of the engine in a test: a value, a refusal, or a fault, which
//! fails the test.

use std::fmt::Debug;

use engine::{Declined, Error};

/// What a verb of the engine returned.
pub trait Answered: Sized {
    /// What is left when no fault came: `Result<T, R>` of a verb that may refuse, and
    /// the value itself of one that may not.
    type Answer;

    /// Returns the answer, accepted or refused.
    ///
    /// # Panics
    /// On a fault.
    fn answered(self) -> Self::Answer;

    /// Returns what the verb did.
    ///
    /// # Panics
    /// On a refusal and on a fault.
    #[track_caller]
    fn accepted<T, R: Debug>(self) -> T
    where
        Self: Answered<Answer = Result<T, R>>,
    {
        match self.answered() {
            Ok(value) => value,
            Err(refusal) => panic!("accepted was expected, refused came: {refusal:?}"),
        }
    }

    /// Returns why the verb refused.
    ///
    /// # Panics
    /// When it did what was asked, and on a fault.
    #[track_caller]
    fn refused<T: Debug, R>(self) -> R
    where
        Self: Answered<Answer = Result<T, R>>,
    {
        match self.answered() {
            Ok(value) => panic!("a refusal was expected, accepted came: {value:?}"),
            Err(refusal) => refusal,
        }
    }
}

impl<T> Answered for Result<T, Error> {
    type Answer = T;

    #[track_caller]
    fn answered(self) -> T {
        match self {
            Ok(answer) => answer,
            Err(fault) => panic!("an answer was expected, a fault came: {fault}"),
        }
    }
}

impl<T, R> Answered for Result<T, Declined<R>> {
    type Answer = Result<T, R>;

    #[track_caller]
    fn answered(self) -> Result<T, R> {
        match self {
            Ok(value) => Ok(value),
            Err(declined) => Err(declined.refusal().answered()),
        }
    }
}
