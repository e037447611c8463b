//! Waits until something changes, by the log of events.
//!
//! The place in the log is taken before figures are read, and what happens after it is
//! waited for: so no change is missed, and of many that come together only the first is
//! read.

use std::time::Duration;

use crate::api::EventPage;
use crate::cli::io::Client;

/// Pause between two reads of figures while the log cannot be followed.
const INTERVAL: Duration = Duration::from_millis(500);
/// Least time between two reads, however much happens.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest time between two reads: the state of a lane changes without an event.
const QUIET_MS: u32 = 5000;
/// Events of every change of an execution's state.
const PATH: &str = "/v1/events/lifecycle";
/// Filters of lists that events have too.
const FILTERS: [&str; 4] = ["namespace", "kind", "lane", "tag"];

/// What is waited for.
pub(super) struct Changes<'c> {
    client: &'c Client,
    filters: Vec<(&'static str, String)>,
}

/// A place in the log; absent where it cannot be followed.
pub(super) struct Mark(Option<String>);

impl<'c> Changes<'c> {
    /// Changes of executions that a filter of a list admits, as far as events tell that.
    pub(super) fn of(client: &'c Client, filter: &[(&'static str, String)]) -> Self {
        let filters = filter.iter().filter(|(name, _)| FILTERS.contains(name));
        Self {
            client,
            filters: filters.cloned().collect(),
        }
    }

    /// Returns where the log is now.
    pub(super) async fn mark(&self) -> Mark {
        Mark(self.read(String::new(), 0).await.map(|page| page.cursor))
    }

    /// Waits for a change after the mark, and no longer than some seconds.
    pub(super) async fn after(&self, mark: Mark) {
        let pause = match mark.0 {
            None => INTERVAL,
            Some(after) => match self.read(after, QUIET_MS).await {
                None => INTERVAL,
                Some(_) => PAUSE,
            },
        };
        tokio::time::sleep(pause).await;
    }

    /// Reads one event; `None` where that cannot be done.
    async fn read(&self, after: String, wait_ms: u32) -> Option<EventPage> {
        let mut query = self.filters.clone();
        query.push(("after", after));
        query.push(("limit", "1".to_owned()));
        query.push(("wait_ms", wait_ms.to_string()));
        self.client.get(PATH, query).await.ok()?.read().ok()
    }
}
