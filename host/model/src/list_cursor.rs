//! Cursors into lists: opaque to clients, and bound to the list they came from.
//!
//! A cursor holds a place, and a check over the place, the instance, its generation
//! and number of partitions, the list and its filter. So a cursor that was cut, changed
//! or given to another list is refused, rather than read as a place in this one. The
//! check guards against mistakes and not against people: a cursor grants nothing, and
//! anyone who may read the list can read any place of it.

use uuid::Uuid;

use crate::fnv::Fnv;

/// Prefix of every cursor of this form.
const VERSION: &str = "l1";
/// Digits of the check.
const CHECK_DIGITS: usize = 16;
/// Longest cursor that is read; a longer text is refused unread.
const CURSOR_BYTES_MAX: usize = 2048;

/// A text that is not a cursor of the list it was given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a cursor of this list with this filter; pass a `next_cursor` as it was given, or leave it out to begin again"
)]
pub struct ListCursorError;

/// The list a cursor belongs to, as a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListScope(u64);

impl ListScope {
    /// Describes a list of an instance: its path and its filter, in any order.
    pub fn new(
        instance: Uuid,
        generation: u32,
        partitions: u16,
        path: &str,
        filter: &[(String, String)],
    ) -> Self {
        let mut filter: Vec<_> = filter.iter().collect();
        filter.sort_unstable();
        let mut check = Fnv::new();
        check.write_part(instance.as_bytes());
        check.write_part(&generation.to_be_bytes());
        check.write_part(&partitions.to_be_bytes());
        check.write_part(path.as_bytes());
        for (name, value) in filter {
            check.write_part(name.as_bytes());
            check.write_part(value.as_bytes());
        }
        Self(check.0)
    }

    /// Returns the cursor of a place.
    pub fn cursor(self, place: &str) -> String {
        format!("{VERSION}{:016x}{}", self.check(place), hex::encode(place))
    }

    /// Returns the place of a cursor of this list.
    pub fn place(self, cursor: &str) -> Result<String, ListCursorError> {
        let read = || {
            let digits = cursor.strip_prefix(VERSION)?;
            // Lower case only, so that each cursor has one spelling.
            let known = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            if cursor.len() > CURSOR_BYTES_MAX || !digits.bytes().all(known) {
                return None;
            }
            let (check, place) = digits.split_at_checked(CHECK_DIGITS)?;
            let place = String::from_utf8(hex::decode(place).ok()?).ok()?;
            let given = u64::from_str_radix(check, 16).ok()?;
            (given == self.check(&place)).then_some(place)
        };
        read().ok_or(ListCursorError)
    }

    fn check(self, place: &str) -> u64 {
        let mut check = Fnv::new();
        check.write_part(&self.0.to_be_bytes());
        check.write_part(place.as_bytes());
        check.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    fn scope(
        generation: u32,
        partitions: u16,
        path: &str,
        filter: &[(String, String)],
    ) -> ListScope {
        ListScope::new(Uuid::nil(), generation, partitions, path, filter)
    }

    #[test]
    fn a_cursor_reads_back_in_its_list_only() {
        let filter = [pair("lane", "a"), pair("kind", "b")];
        let list = scope(1, 1, "/v1/executions", &filter);
        let place = "größe 1";
        let cursor = list.cursor(place);
        assert_eq!(list.place(&cursor).as_deref(), Ok(place));
        let turned = [filter[1].clone(), filter[0].clone()];
        assert_eq!(list, scope(1, 1, "/v1/executions", &turned));
        for other in [
            scope(2, 1, "/v1/executions", &filter),
            scope(1, 2, "/v1/executions", &filter),
            scope(1, 1, "/v1/workers", &filter),
            scope(1, 1, "/v1/executions", &filter[..1]),
            scope(
                1,
                1,
                "/v1/executions",
                &[pair("lane", "ak"), pair("ind", "b")],
            ),
            ListScope::new(Uuid::max(), 1, 1, "/v1/executions", &filter),
        ] {
            assert_eq!(other.place(&cursor), Err(ListCursorError));
        }
    }

    #[test]
    fn a_cursor_that_was_changed_anywhere_is_refused() {
        let list = scope(1, 1, "/v1/lanes", &[]);
        let cursor = list.cursor("night");
        for at in 0..cursor.len() {
            assert!(list.place(&cursor[..at]).is_err(), "cut at {at}");
            for bit in 0..7 {
                let mut bytes = cursor.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let changed = String::from_utf8(bytes).expect("ASCII");
                assert!(list.place(&changed).is_err(), "{changed}");
            }
        }
        let huge = list.cursor(&"x".repeat(100_000));
        for wrong in ["", "night", "é", &cursor.to_uppercase(), &huge] {
            assert!(list.place(wrong).is_err(), "{wrong:.40}");
        }
    }
}
