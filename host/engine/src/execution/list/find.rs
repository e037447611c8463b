//! The places of a page: candidates of the driver that gets furthest, and of those the
//! ones for which the whole filter holds.

use std::collections::HashSet;

use model::{Limits, Moment};
use uuid::Uuid;

use super::driver::{Drivers, drivers};
use super::scan::Scan;
use super::states::StateTables;
use super::{ListFilter, ListPlace};
use crate::{Engine, Error};

/// Places of a list, and how far they were looked for.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Those for which the filter holds, in the order of the list.
    pub(super) places: Vec<ListPlace>,
    /// The last place that was looked at; `None` when nothing is left.
    pub(super) reach: Option<ListPlace>,
    /// Number of executions that were looked at.
    pub(super) examined: usize,
}

impl Engine {
    /// Finds the first `wanted` places of a list after one, or as many as are among the
    /// executions that one page may look at. Finds more where that costs nothing.
    pub(super) async fn find(
        &self,
        filter: &ListFilter,
        after: Option<ListPlace>,
        wanted: usize,
    ) -> Result<Places, Error> {
        let drivers = drivers(filter);
        let examined_max = Limits::EXAMINED_MAX.max(2 * wanted);
        let mut found = Places {
            reach: after,
            ..Places::default()
        };
        loop {
            let rows = match drivers.exact {
                true => wanted - found.places.len(),
                false => examined_max - found.examined,
            };
            let scan = self.furthest(&drivers, filter, found.reach, rows).await?;
            found.examined += scan.examined;
            found.reach = scan.reach;
            if drivers.exact {
                found.places.extend(scan.places);
            } else {
                self.add_matching(filter, &scan.places, wanted, &mut found.places)
                    .await?;
            }
            let enough = found.places.len() >= wanted || found.examined >= examined_max;
            if enough || found.reach.is_none() {
                return Ok(found);
            }
        }
    }

    /// Has the drivers look for candidates until one has found all, and returns those of
    /// the one that got furthest.
    async fn furthest(
        &self,
        drivers: &Drivers,
        filter: &ListFilter,
        after: Option<ListPlace>,
        rows: usize,
    ) -> Result<Scan, Error> {
        let mut furthest: Option<Scan> = None;
        for driver in &drivers.all {
            let scan = self.candidates(*driver, filter, after, rows).await?;
            let is_whole = scan.reach.is_none();
            if furthest.as_ref().is_none_or(|other| scan.is_further(other)) {
                furthest = Some(scan);
            }
            if is_whole {
                break;
            }
        }
        Ok(furthest.unwrap_or_default())
    }

    /// Adds those candidates for which the filter holds, until there are enough. Often
    /// most do, so the first are asked about before the rest.
    async fn add_matching(
        &self,
        filter: &ListFilter,
        candidates: &[ListPlace],
        wanted: usize,
        found: &mut Vec<ListPlace>,
    ) -> Result<(), Error> {
        let (first, rest) = candidates.split_at(candidates.len().min(2 * wanted));
        for candidates in [first, rest] {
            if candidates.is_empty() || found.len() >= wanted {
                return Ok(());
            }
            let matching = self.matching(filter, candidates).await?;
            let holds = |place: &&ListPlace| matching.contains(&place.id.uuid());
            found.extend(candidates.iter().filter(holds));
        }
        Ok(())
    }

    /// Returns those of some executions for which a filter holds.
    async fn matching(
        &self,
        filter: &ListFilter,
        candidates: &[ListPlace],
    ) -> Result<HashSet<Uuid>, Error> {
        let column = |place: &ListPlace| place.id.partition().column();
        let partitions: Vec<i16> = candidates.iter().map(column).collect();
        let ids: Vec<Uuid> = candidates.iter().map(|place| place.id.uuid()).collect();
        let (tag_key, tag_value) = filter.tag.clone().unzip();
        let states = StateTables::of(filter);
        let any_state = states.is_none();
        let states = states.unwrap_or_default();
        let rows = sqlx::query_file_scalar!(
            "src/execution/list/matches.sql",
            &partitions,
            &ids,
            filter.namespace,
            filter.kind,
            filter.lane,
            filter.creator,
            filter.created.from.map(Moment::utc),
            filter.created.before.map(Moment::utc),
            tag_key,
            tag_value,
            any_state,
            states.active,
            states.ready,
            &states.parked,
            &states.outcomes,
            filter.finished.from.map(Moment::utc),
            filter.finished.before.map(Moment::utc),
        )
        .fetch_all(&self.inner.reads)
        .await?;
        Ok(rows.into_iter().collect())
    }
}
