//! Lists: pages of executions, newest first.

use model::{ExecutionId, Limits, PublicState};

use super::info::ExecutionInfo;
use crate::{Engine, Error, Page};

/// Which executions to list; absent fields match all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Those in this namespace.
    pub namespace: Option<String>,
    /// Those in this state.
    pub state: Option<PublicState>,
    /// Those of this kind.
    pub kind: Option<String>,
    /// Those in this lane.
    pub lane: Option<String>,
    /// Those with this label, a key and its value.
    pub tag: Option<(String, String)>,
}

/// A page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListPage {
    /// The last execution of the page before; absent for the first page.
    pub after: Option<ExecutionId>,
    /// At most so many rows, and at most [`Limits::PAGE_MAX`].
    pub limit: u32,
}

impl Default for ListPage {
    fn default() -> Self {
        Self {
            after: None,
            limit: Limits::PAGE_DEFAULT,
        }
    }
}

impl Engine {
    /// Lists executions, newest first. The next page begins after the last id.
    pub async fn list(
        &self,
        filter: ListFilter,
        page: ListPage,
    ) -> Result<Page<ExecutionInfo, ExecutionId>, Error> {
        let limit = page.limit.min(Limits::PAGE_MAX);
        let ids = self.list_ids(&filter, page.after, limit + 1).await?;
        let infos = self.infos(&ids).await?;
        // One that was removed meanwhile is not listed.
        let rows = ids.into_iter().zip(infos);
        Page::read(limit, rows.filter_map(|(id, info)| Some((id, info?))))
    }

    async fn list_ids(
        &self,
        filter: &ListFilter,
        after: Option<ExecutionId>,
        limit: u32,
    ) -> Result<Vec<ExecutionId>, Error> {
        let (tag_key, tag_value) = filter.tag.clone().unzip();
        let ids = sqlx::query_file_scalar!(
            "src/execution/list.sql",
            filter.namespace,
            filter.kind,
            filter.lane,
            filter.state.map(PublicState::as_str),
            tag_key,
            tag_value,
            after.map(ExecutionId::uuid),
            i64::from(limit),
        )
        .fetch_all(&self.inner.reads)
        .await?;
        Ok(ids.into_iter().map(ExecutionId::from_uuid).collect())
    }
}
