//! Which flushes are running, so that one that hangs is noticed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::Trouble;

/// A flush that runs for so long hangs; each is bounded by less.
const HANGS: Duration = Duration::from_secs(40);

/// The flushers of an engine; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Flushes(Arc<Mutex<Vec<Arc<FlushState>>>>);

/// Time since which a flusher has been at its present flush; absent while it waits for
/// calls.
pub(super) struct FlushState {
    verb: &'static str,
    pub(super) since: Mutex<Option<Instant>>,
}

impl Flushes {
    /// Adds a flusher of a verb.
    pub(super) fn add(&self, verb: &'static str) -> Arc<FlushState> {
        let state = Arc::new(FlushState {
            verb,
            since: Mutex::default(),
        });
        self.0.lock().push(state.clone());
        state
    }

    /// Returns the flushes that hang.
    pub(crate) fn troubles(&self) -> Vec<Trouble> {
        let states = self.0.lock();
        let hanging = states.iter().filter_map(|state| {
            let lasting = state.since.lock().as_ref()?.elapsed();
            (lasting >= HANGS).then(|| Trouble {
                part: format!("flush {}", state.verb),
                lasting,
                why: "it does not come to an end".to_owned(),
            })
        });
        hanging.collect()
    }
}
