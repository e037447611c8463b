//! Which events of its family a webhook gets.

use model::{EventFilter, ExecutionId, FlowId, Invalid};
use serde::{Deserialize, Serialize};

/// Which events of its family a webhook gets: those that fit everything that is given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookFilter {
    /// Those of executions of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Those of executions of this lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// Those of one execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_id: Option<ExecutionId>,
    /// Those of members of one flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow_id: Option<FlowId>,
    /// Those of executions with this label, as `key:value`, when the event is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

impl WebhookFilter {
    /// Returns the filter of the log, within a namespace if there is one.
    ///
    /// # Errors
    /// A member breaks the bounds of what it names.
    pub(super) fn within(&self, namespace: Option<&str>) -> Result<EventFilter, Invalid> {
        if let Some(kind) = &self.kind {
            model::kind_name(kind)?;
        }
        if let Some(lane) = &self.lane {
            model::lane_name(lane)?;
        }
        let label = |label: &String| {
            let (key, value) = label
                .split_once(':')
                .ok_or_else(|| Invalid::new("tag", "must be a label as key:value"))?;
            model::tag_key(key)?;
            let max = model::Limits::TAG_VALUE_BYTES_MAX;
            let fits = value.len() <= max && !value.contains('\0');
            model::ensure("tag", fits, || {
                format!("the value must have at most {max} bytes, without U+0000")
            })?;
            Ok::<_, Invalid>((key.to_owned(), value.to_owned()))
        };
        Ok(EventFilter {
            namespace: namespace.map(str::to_owned),
            kind: self.kind.clone(),
            lane: self.lane.clone(),
            execution_id: self.execution_id,
            flow_id: self.flow_id,
            tag: self.tag.as_ref().map(label).transpose()?,
        })
    }

    /// Returns the text that is stored.
    pub(super) fn stored(&self) -> String {
        serde_json::to_string(self).expect("invariant: a filter has only texts")
    }
}
