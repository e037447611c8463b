//! What a driver found, and how far it looked.

use std::collections::HashMap;
use std::hash::Hash;

use super::ListPlace;

/// Candidates, and how far they were looked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// All candidates down to `reach`, in the order of the list.
    pub(super) places: Vec<ListPlace>,
    /// The last place that was looked at; `None` when nothing is left.
    pub(super) reach: Option<ListPlace>,
    /// Number of rows that were looked at.
    pub(super) examined: usize,
}

/// A row that a driver answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<S> {
    /// The source it is from: a table of a partition, or an outcome. The rows of one
    /// source were read in the order of the list, and up to a limit.
    pub(super) source: S,
    /// Its place in the list.
    pub(super) place: ListPlace,
    /// Whether it is a candidate, and not only where the source was looked at last.
    pub(super) holds: bool,
}

/// What is known of one source.
#[derive(Default)]
struct Source {
    held: usize,
    last: Option<ListPlace>,
    stopped: bool,
}

impl Scan {
    /// Merges the rows of several sources, of which each gave up to `limit` candidates, or
    /// a last row that is none after `looked_at` rows.
    ///
    /// A source that stopped may have more candidates after its last row, so the merged
    /// ones end at the first such row.
    pub(super) fn merge<S: Eq + Hash>(
        rows: impl IntoIterator<Item = Found<S>>,
        limit: usize,
        looked_at: usize,
    ) -> Self {
        let mut sources: HashMap<S, Source> = HashMap::new();
        let mut places = Vec::new();
        for row in rows {
            let source = sources.entry(row.source).or_default();
            source.last = Some(source.last.map_or(row.place, |last| last.min(row.place)));
            if row.holds {
                source.held += 1;
                places.push(row.place);
            } else {
                source.stopped = true;
            }
        }
        let examined = |source: &Source| {
            if source.stopped {
                looked_at
            } else {
                source.held
            }
        };
        let stops = |source: &Source| source.stopped || source.held >= limit;
        let stopped = sources.values().filter(|source| stops(source));
        let reach = stopped.filter_map(|source| source.last).max();
        places.retain(|place| Some(*place) >= reach);
        places.sort_unstable_by(|a, b| b.cmp(a));
        places.dedup();
        Self {
            places,
            reach,
            examined: sources.values().map(examined).sum(),
        }
    }

    /// Whether this one got further than another, with as many rows.
    pub(super) fn is_further(&self, other: &Self) -> bool {
        // `None` is the least: nothing is left.
        self.reach < other.reach
    }
}

#[cfg(test)]
mod tests {
    use model::{ExecutionId, Partition};

    use super::*;

    fn place(n: u64) -> ListPlace {
        ListPlace::of_id(ExecutionId::from_parts(
            Partition::new(0).expect("zero"),
            n,
            0,
        ))
    }

    fn merge(rows: &[(char, u64, bool)], limit: usize) -> Scan {
        let rows = rows.iter().map(|(source, n, holds)| Found {
            source: *source,
            place: place(*n),
            holds: *holds,
        });
        Scan::merge(rows, limit, 100)
    }

    fn scan(places: &[u64], reach: Option<u64>, examined: usize) -> Scan {
        Scan {
            places: places.iter().copied().map(place).collect(),
            reach: reach.map(place),
            examined,
        }
    }

    #[test]
    fn sources_are_merged_down_to_the_first_that_stopped() {
        assert_eq!(merge(&[], 2), scan(&[], None, 0));
        let ended = [('a', 9, true), ('b', 8, true), ('b', 7, true)];
        assert_eq!(merge(&ended, 3), scan(&[9, 8, 7], None, 3));
        // `b` may have more after 7, and `a` has 5.
        let full = [
            ('a', 9, true),
            ('a', 5, true),
            ('b', 8, true),
            ('b', 7, true),
        ];
        assert_eq!(merge(&full[..1], 1), scan(&[9], Some(9), 1));
        assert_eq!(merge(&full, 2), scan(&[9, 8, 7], Some(7), 4));
        // `b` was looked at down to 6, where it has no candidate.
        let bound = [
            ('a', 9, true),
            ('a', 5, true),
            ('b', 8, true),
            ('b', 6, false),
        ];
        assert_eq!(merge(&bound, 3), scan(&[9, 8], Some(6), 102));
        // An execution that two sources have is one.
        let moved = [('a', 9, true), ('b', 9, true)];
        assert_eq!(merge(&moved, 3), scan(&[9], None, 2));
    }

    #[test]
    fn the_scan_that_gets_further_is_the_one_with_less_left() {
        let (near, far, whole) = (
            scan(&[], Some(9), 2),
            scan(&[], Some(3), 2),
            scan(&[], None, 1),
        );
        assert!(far.is_further(&near) && whole.is_further(&far));
        assert!(!near.is_further(&far) && !near.is_further(&near));
    }
}
