//! Pages of a list, and the places where they begin.

use std::ops::Deref;

use model::{ExecutionId, Limits};
use time::OffsetDateTime;

use super::{ListFilter, ListOrder};
use crate::{Engine, Error, ExecutionInfo, Page};

/// A place in a list. One that is greater comes earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListPlace {
    /// When the execution finished, in a list that is ordered by that; absent in others.
    pub finished_at: Option<OffsetDateTime>,
    /// The execution at this place.
    pub id: ExecutionId,
}

impl ListPlace {
    /// Returns the place of an execution in a list that is ordered by ids.
    pub const fn of_id(id: ExecutionId) -> Self {
        Self {
            finished_at: None,
            id,
        }
    }

    /// Returns what the list is ordered by in which this is a place.
    pub const fn order(&self) -> ListOrder {
        match self.finished_at {
            Some(_) => ListOrder::Finished,
            None => ListOrder::Created,
        }
    }
}

/// Which page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListPage {
    /// Where the page before ended, a place in the order of this list; absent for the first
    /// page.
    pub after: Option<ListPlace>,
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

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The executions, the last in the order of the list first.
    pub page: Page<ExecutionInfo, ListPlace>,
    /// What the list is ordered by.
    pub order: ListOrder,
    /// Number of executions the engine looked at, if it stopped before the page was full
    /// or the list had ended; absent otherwise. The next page continues there.
    pub examined: Option<usize>,
}

impl Deref for Listed {
    type Target = Page<ExecutionInfo, ListPlace>;

    fn deref(&self) -> &Self::Target {
        &self.page
    }
}

impl Engine {
    /// Lists executions for which a filter holds, the last in the order of the list first.
    ///
    /// A page is short if no more follow, or if it took more than
    /// [`Limits::EXAMINED_MAX`] executions to find so few; then [`Listed::examined`] says
    /// so. An execution that is in the list throughout is on exactly one page.
    pub async fn list(&self, filter: ListFilter, page: ListPage) -> Result<Listed, Error> {
        let limit = page.limit.min(Limits::PAGE_MAX) as usize;
        let mut found = self.find(&filter, page.after, limit + 1).await?;
        let is_full = found.places.len() > limit;
        found.places.truncate(limit);
        let next = match is_full {
            true => found.places.last().copied(),
            false => found.reach,
        };
        let ids: Vec<_> = found.places.iter().map(|place| place.id).collect();
        let infos = self.infos(&ids).await?;
        // Some were removed, or moved out of the list, since they were found.
        let rows = infos.into_iter().flatten().filter(|info| match info {
            Ok(info) => filter.still_holds(info),
            Err(_) => true,
        });
        Ok(Listed {
            page: Page::until(next, rows)?,
            order: filter.order(),
            examined: next.filter(|_| !is_full).map(|_| found.examined),
        })
    }
}
