//! Reads events as a script says, and puts into words what it found.

use serde::Deserialize;

use crate::flowhost::engine::events::{Family, Reader, Scope, Start};

/// What to read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    /// Number of the family, in the order of the interface.
    #[serde(default)]
    family: usize,
    /// The kind whose events are read; those of the own namespace without one.
    of_kind: Option<String>,
    /// Filters.
    kind: Option<String>,
    lane: Option<String>,
    execution: Option<String>,
    flow: Option<String>,
    tag: Option<(String, String)>,
    /// The cursor to begin after; `beginning`, or from now on without one.
    after: Option<String>,
    #[serde(default = "all")]
    max: u32,
    #[serde(default)]
    wait_ms: u32,
    /// How many pages are read, each after the one before.
    #[serde(default = "one")]
    pages: u32,
}

fn all() -> u32 {
    256
}

fn one() -> u32 {
    1
}

const FAMILIES: [Family; 6] = [
    Family::LeaseHistory,
    Family::Completion,
    Family::SignalDelivery,
    Family::InstanceTags,
    Family::Operator,
    Family::Lifecycle,
];

/// Returns a line for each event, then one with the cursor and whether there is more; or
/// the refusal.
pub fn read(script: &[u8]) -> String {
    let script: Script = match serde_json::from_slice(script) {
        Ok(script) => script,
        Err(error) => return error.to_string(),
    };
    let scope = script.of_kind.map_or(Scope::OwnNamespace, Scope::Kind);
    let reader = Reader::new(FAMILIES[script.family], &scope);
    if let Some(kind) = &script.kind {
        reader.set_kind(kind);
    }
    if let Some(lane) = &script.lane {
        reader.set_lane(lane);
    }
    if let Some(id) = &script.execution {
        reader.set_execution(id);
    }
    if let Some(id) = &script.flow {
        reader.set_flow(id);
    }
    if let Some((key, value)) = &script.tag {
        reader.set_tag(key, value);
    }
    let mut start = match script.after {
        None => Start::Now,
        Some(word) if word == "beginning" => Start::Beginning,
        Some(cursor) => Start::After(cursor),
    };
    let mut lines = Vec::new();
    for _ in 0..script.pages {
        let page = match reader.read(&start, script.max, script.wait_ms) {
            Ok(page) => page,
            Err(refusal) => {
                lines.push(format!("{refusal:?}"));
                break;
            }
        };
        for event in &page.events {
            let kind = event.kind.as_deref().unwrap_or("-");
            let of = (&event.namespace, kind, &event.execution_id);
            lines.push(format!("{of:?} {:?}", event.fact));
        }
        lines.push(format!("{} {}", page.cursor, page.more));
        start = Start::After(page.cursor);
    }
    lines.join("\n")
}
