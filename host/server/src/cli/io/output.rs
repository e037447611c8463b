//! Standard output and standard error of the process.

use std::io::{ErrorKind, Write as _};
use std::sync::OnceLock;

use super::escape_lines;

/// Why standard output takes no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputLoss {
    /// Its reader went away, as `head` does.
    Closed,
    /// It could not be written, such as on a full device.
    Failed(String),
}

/// The first loss of this process.
static LOSS: OnceLock<OutputLoss> = OnceLock::new();

/// Writes bytes to standard output; nothing else does. A failure is kept for
/// [`output_loss`]: the command may have done what it was asked, and has to say so.
pub fn to_stdout(bytes: &[u8]) {
    if LOSS.get().is_some() {
        return;
    }
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) {
        let _ = LOSS.set(match error.kind() {
            ErrorKind::BrokenPipe => OutputLoss::Closed,
            _ => OutputLoss::Failed(error.to_string()),
        });
    }
}

/// Returns why something written to standard output did not arrive, if so.
pub fn output_loss() -> Option<OutputLoss> {
    LOSS.get().cloned()
}

/// Writes a line to standard error, escaped.
pub fn to_stderr(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", escape_lines(text));
}
