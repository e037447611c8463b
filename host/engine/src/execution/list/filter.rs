//! Which executions a list has, and in which order.

use model::{Invalid, Moment, PublicState};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::execution::ExecutionInfo;

/// How far the time in an id may be from the creation that the database recorded, in
/// milliseconds: what a creation may wait for a flush that is repeated, and what the
/// clocks of a host and of the database may differ by. An id that its caller made with
/// another time is not found by a range of creations.
const ID_TIME_SLACK_MS: u64 = 15_000;

/// Which executions to list: those for which every field holds. Absent and empty fields
/// hold for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Those in this namespace.
    pub namespace: Option<String>,
    /// Those in one of these states.
    pub states: Vec<PublicState>,
    /// Those of this kind.
    pub kind: Option<String>,
    /// Those in this lane.
    pub lane: Option<String>,
    /// Those with this label, a key and its value.
    pub tag: Option<(String, String)>,
    /// Those whose creator gave this name.
    pub creator: Option<String>,
    /// Those created within this range.
    pub created: TimeRange,
    /// Those that finished within this range.
    pub finished: TimeRange,
}

/// A range of times; an absent end is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// The first time of the range.
    pub from: Option<Moment>,
    /// The first time after the range.
    pub before: Option<Moment>,
}

/// What a list is ordered by; the last comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListOrder {
    /// The id, which begins with the time of the creation.
    Created,
    /// The time of the end, then the id.
    Finished,
}

impl TimeRange {
    /// Whether the range holds all times.
    pub(super) const fn is_open(self) -> bool {
        self.from.is_none() && self.before.is_none()
    }

    fn holds(self, at: OffsetDateTime) -> bool {
        self.from.is_none_or(|from| from.utc() <= at)
            && self.before.is_none_or(|before| at < before.utc())
    }
}

impl ListFilter {
    /// Refuses ranges that no time is in, and finished executions in states that are not.
    ///
    /// # Errors
    /// Names the field as HTTP does, such as `created_before`.
    pub fn check(&self) -> Result<(), Invalid> {
        let (created, finished) = (self.created, self.finished);
        for (field, end, of, begin) in [
            (
                "created_before",
                created.before,
                "created_after",
                created.from,
            ),
            (
                "finished_before",
                finished.before,
                "finished_after",
                finished.from,
            ),
            // Nothing ends before it is created.
            (
                "finished_before",
                finished.before,
                "created_after",
                created.from,
            ),
        ] {
            if let (Some(end), Some(begin)) = (end, begin)
                && end <= begin
            {
                let detail = format!("{end} is not after {of}, which is {begin}");
                return Err(Invalid::new(field, detail));
            }
        }
        let ended = self.states.iter().any(|state| state.is_terminal());
        if finished.is_open() || self.states.is_empty() || ended {
            return Ok(());
        }
        let field = match finished.from {
            Some(_) => "finished_after",
            None => "finished_before",
        };
        let detail = "holds for finished executions only, and `state` names other states";
        Err(Invalid::new(field, detail))
    }

    /// Returns what the list is ordered by: the end if that has a range, unless a label is
    /// given, whose executions are few and have an index by their ids.
    pub fn order(&self) -> ListOrder {
        if self.finished.is_open() || self.tag.is_some() {
            ListOrder::Created
        } else {
            ListOrder::Finished
        }
    }

    /// Returns the least id that an execution within the range of creations may have, and
    /// one that is greater than all.
    pub(super) fn ids(&self) -> (Uuid, Uuid) {
        let (from, before) = (self.created.from, self.created.before);
        let first = from.map(|from| least_id(unix_ms(from).saturating_sub(ID_TIME_SLACK_MS)));
        let end = before.map(|before| least_id(unix_ms(before) + ID_TIME_SLACK_MS + 1));
        (first.unwrap_or(Uuid::nil()), end.unwrap_or(Uuid::max()))
    }

    /// Whether the parts of the filter that may change hold for an execution, which was
    /// read after it was found.
    pub(super) fn still_holds(&self, info: &ExecutionInfo) -> bool {
        let state = self.states.is_empty() || self.states.contains(&info.public_state);
        let tag = self.tag.as_ref();
        let tagged = tag.is_none_or(|(key, value)| info.tags.get(key) == Some(value));
        let finished =
            self.finished.is_open() || info.finished_at.is_some_and(|at| self.finished.holds(at));
        state && tagged && finished
    }
}

/// Returns the least id with a time, which ids begin with.
fn least_id(unix_ms: u64) -> Uuid {
    Uuid::from_u64_pair(unix_ms << 16, 0)
}

/// Returns the milliseconds from 1970 to a time, which is not before.
fn unix_ms(at: Moment) -> u64 {
    u64::try_from(at.utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use model::{ExecutionId, Partition};

    use super::*;

    fn range(from: Option<&str>, before: Option<&str>) -> TimeRange {
        let time = |text: Option<&str>| text.map(|text| text.parse().expect("a time"));
        TimeRange {
            from: time(from),
            before: time(before),
        }
    }

    #[test]
    fn empty_and_contradictory_ranges_are_refused_by_name() {
        let (early, late) = (Some("2026-01-01T00:00:00Z"), Some("2026-01-02T00:00:00Z"));
        let none = range(None, None);
        let within = range(early, late);
        for (created, finished, states, refused) in [
            (within, within, vec![], None),
            (range(late, None), range(late, None), vec![], None),
            (range(early, early), none, vec![], Some("created_before")),
            (range(late, early), none, vec![], Some("created_before")),
            (none, range(late, early), vec![], Some("finished_before")),
            (
                range(late, None),
                range(None, late),
                vec![],
                Some("finished_before"),
            ),
            (
                none,
                within,
                vec![PublicState::Failed, PublicState::Active],
                None,
            ),
            (
                none,
                within,
                vec![PublicState::Active],
                Some("finished_after"),
            ),
            (
                none,
                range(None, late),
                vec![PublicState::Waiting],
                Some("finished_before"),
            ),
            (within, none, vec![PublicState::Active], None),
        ] {
            let filter = ListFilter {
                created,
                finished,
                states,
                ..Default::default()
            };
            let field = filter.check().err().map(|refusal| refusal.field);
            assert_eq!(field, refused, "{filter:?}");
        }
    }

    #[test]
    fn ids_of_a_range_of_creations_are_those_made_about_then() {
        let filter = ListFilter {
            created: range(Some("2026-01-01T00:00:00Z"), Some("2026-01-02T00:00:00Z")),
            ..Default::default()
        };
        let (first, end) = filter.ids();
        let ms = 1_767_225_600_000;
        let day = 24 * 3600 * 1000;
        let partition = Partition::new(3).expect("three");
        let id = |ms| ExecutionId::from_parts(partition, ms, 7).uuid();
        for (ms, inside) in [
            (ms, true),
            (ms + day - 1, true),
            (ms - ID_TIME_SLACK_MS, true),
            (ms + day + ID_TIME_SLACK_MS, true),
            (ms - ID_TIME_SLACK_MS - 1, false),
            (ms + day + ID_TIME_SLACK_MS + 1, false),
        ] {
            assert_eq!((first..end).contains(&id(ms)), inside, "{ms}");
        }
        let long_ago = ListFilter {
            created: range(Some("1970-01-01T00:00:00Z"), None),
            ..Default::default()
        };
        assert_eq!(long_ago.ids(), (Uuid::nil(), Uuid::max()));
        assert_eq!(ListFilter::default().ids(), (Uuid::nil(), Uuid::max()));
    }
}
