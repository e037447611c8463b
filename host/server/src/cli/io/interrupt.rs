//! Ctrl-C while a command waits.

use super::{Exit, Failure};

/// Waits, unless a person interrupts: then the command ends with a code and words of its
/// own. For waits only, since from then on the signal does nothing else in this process.
pub async fn interruptible<T>(
    wait: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        done = wait => done,
        Ok(()) = tokio::signal::ctrl_c() => Err(Failure::new(Exit::Interrupted, "interrupted")),
    }
}
