//! The progress of publishing a component, on standard error.

use std::time::Duration;

use crate::api::{PublishingComponent, PublishingState};
use crate::cli::io::{Context, escape, format_duration, to_stderr};

/// Time between two lines that say the same, in milliseconds.
const SHOWN_EVERY_MS: u64 = 5_000;

/// Reports the progress of publishing a component: when it changes, and every few
/// seconds.
#[derive(Debug)]
pub struct PublishingProgress {
    label: String,
    last: Option<(PublishingState, u32)>,
    next_ms: u64,
}

impl PublishingProgress {
    /// Begins to report; people know the component by `label`.
    pub fn of(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            last: None,
            next_ms: 0,
        }
    }

    /// Reports the progress, if it is time to.
    pub fn show(&mut self, context: &Context, working: &PublishingComponent) {
        let now = (working.state, working.ahead);
        if self.last == Some(now) && working.elapsed_ms < self.next_ms {
            return;
        }
        self.last = Some(now);
        self.next_ms = working.elapsed_ms + SHOWN_EVERY_MS;
        if context.json {
            // Programs that can write it can read it.
            to_stderr(&serde_json::to_string(working).unwrap_or_default());
        } else {
            to_stderr(&escape(&sentence(&self.label, working)));
        }
    }
}

fn sentence(label: &str, working: &PublishingComponent) -> String {
    let elapsed = format_duration(Duration::from_millis(working.elapsed_ms));
    match (working.state, working.behind) {
        (PublishingState::Queued, Some(behind)) => format!(
            "{label} waits for the compiler, {} before it, {} being compiled ({elapsed})",
            working.ahead,
            behind.short()
        ),
        (PublishingState::Queued, None) => format!(
            "{label} waits for the compiler, {} before it ({elapsed})",
            working.ahead
        ),
        (PublishingState::Compiling, _) => format!("{label} is being compiled ({elapsed})"),
        (PublishingState::Working, _) => {
            format!("{label} is being checked and stored ({elapsed})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Digest;

    #[test]
    fn progress_names_what_publishing_waits_for() {
        let mut working = PublishingComponent {
            digest: Digest([0xab; 32]),
            state: PublishingState::Queued,
            elapsed_ms: 12_000,
            ahead: 2,
            behind: Some(Digest([0xcd; 32])),
        };
        let text = sentence("a.wasm", &working);
        assert!(
            text.contains("waits for the compiler, 2 before it"),
            "{text}"
        );
        assert!(text.contains(&Digest([0xcd; 32]).short()), "{text}");
        working.state = PublishingState::Compiling;
        assert!(sentence("a.wasm", &working).contains("a.wasm is being compiled"));
    }
}
