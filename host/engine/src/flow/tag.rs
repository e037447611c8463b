//! tag: labels of a flow.

use std::collections::BTreeMap;

use model::{FlowId, FlowRefusal, Invalid, Limits};

use crate::checks::changed_tags;
use crate::columns::columns;
use crate::{Declined, Engine};

impl Engine {
    /// Sets labels of a flow, and removes those without a value; others stay. All of it or,
    /// if too many would be left, nothing. Returns how many labels were named.
    ///
    /// # Refusals
    /// `flow_not_found`; `invalid_tag_key`, `invalid_input`.
    pub async fn tag_flow(
        &self,
        id: FlowId,
        namespace: Option<&str>,
        tags: BTreeMap<String, Option<String>>,
    ) -> Result<u32, Declined<FlowRefusal>> {
        changed_tags(&tags)?;
        let fits = columns!(
            query_file_scalar!(
                "src/flow/tag.sql",
                id.partition().column(),
                id.uuid(),
                namespace,
                Limits::TAGS_MAX as i32
            );
            for (key, value) in &tags => {
                keys as &str = key;
                values as Option<&str> = value.as_deref();
            }
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        if fits.ok_or(FlowRefusal::NotFound)? {
            return Ok(u32::try_from(tags.len()).unwrap_or(u32::MAX));
        }
        let detail = format!("more than {} labels would be left", Limits::TAGS_MAX);
        Err(Invalid::new("tags", detail).into())
    }
}
