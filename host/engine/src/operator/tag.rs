//! tag: labels of an execution, in any state.
//!
//! Locks: the tag rows. Event: `tagged`.

use std::collections::BTreeMap;

use model::{Invalid, Limits, OperateRefusal};

use crate::checks::changed_tags;
use crate::columns::columns;
use crate::operate::Operate;
use crate::{Declined, Engine};

impl Engine {
    /// Sets labels of an execution, and removes those without a value; others stay. All of
    /// it or, if too many would be left, nothing. Returns how many labels were named.
    ///
    /// # Refusals
    /// See [`OperateRefusal`].
    pub async fn tag(
        &self,
        operate: Operate,
        tags: BTreeMap<String, Option<String>>,
    ) -> Result<u32, Declined<OperateRefusal>> {
        operate.by.check()?;
        changed_tags(&tags)?;
        let fits = columns!(
            query_file_scalar!(
                "src/operator/tag.sql",
                operate.id.partition().column(),
                operate.id.uuid(),
                operate.namespace,
                operate.by.actor,
                operate.by.reason,
                Limits::TAGS_MAX as i32
            );
            for (key, value) in &tags => {
                keys as &str = key;
                values as Option<&str> = value.as_deref();
            }
        )
        .fetch_optional(&self.inner.verbs)
        .await?;
        if fits.ok_or(OperateRefusal::ExecutionNotFound)? {
            return Ok(u32::try_from(tags.len()).unwrap_or(u32::MAX));
        }
        let detail = format!("more than {} labels would be left", Limits::TAGS_MAX);
        Err(Invalid::new("tags", detail).into())
    }
}
