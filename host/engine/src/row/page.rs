//! Pages of rows, some of which may hold what this version cannot show: a time outside
//! the calendar, a label of a later version, a text that is not valid JSON. Such a row
//! is listed by its id and hides no other.

use std::ops::Deref;

use model::Limits;

use crate::Error;

/// A row that cannot be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Id of the row, or its name where rows are known by names.
    pub id: String,
    /// Table and column of the value, and what is wrong with it.
    pub detail: String,
}

/// A whole list, or one page of it. `P` is the place of a row in the order of the list,
/// from which the next page continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, P = ()> {
    /// Rows that can be shown, in the order of the list.
    pub rows: Vec<T>,
    /// Rows that cannot be shown, in the order of the list.
    pub unreadable: Vec<Unreadable>,
    /// Place of the last row of either kind; absent on the last page.
    next: Option<P>,
    /// Number of rows looked at, if the search stopped there; absent otherwise.
    examined: Option<usize>,
}

/// A row that a search looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// Whether it is one of the list, and not only where the search stopped.
    pub(crate) holds: bool,
    /// How many rows had been looked at with it.
    pub(crate) number: i64,
}

impl<T, P> Page<T, P> {
    /// Reads the first `limit` rows; if there is one more, another page follows.
    ///
    /// # Errors
    /// Those that are not about one row.
    pub(crate) fn read(
        limit: u32,
        rows: impl IntoIterator<Item = (P, Result<T, Error>)>,
    ) -> Result<Self, Error> {
        let mut page = Self::default();
        let mut last = None;
        for (count, (place, row)) in (0..).zip(rows) {
            if count == limit {
                page.next = last;
                break;
            }
            match row {
                Ok(row) => page.rows.push(row),
                Err(error) => page.unreadable.push(error.unreadable()?),
            }
            last = Some(place);
        }
        Ok(page)
    }

    /// Reads the first `limit` rows that hold, of up to [`Limits::WALKED_MAX`] that were
    /// looked at. If one more holds or the search stopped there, another page follows.
    ///
    /// # Errors
    /// Those that are not about one row.
    pub(crate) fn walked<R: FnOnce() -> Result<T, Error>>(
        limit: u32,
        rows: impl IntoIterator<Item = (P, Seen, R)>,
    ) -> Result<Self, Error> {
        let mut page = Self::default();
        let mut held = 0;
        let mut last = None;
        for (place, seen, read) in rows {
            if held == limit {
                page.next = last;
                return Ok(page);
            }
            if seen.holds {
                held += 1;
                match read() {
                    Ok(row) => page.rows.push(row),
                    Err(error) => page.unreadable.push(error.unreadable()?),
                }
            }
            if seen.number == Limits::WALKED_MAX as i64 {
                page.next = Some(place);
                page.examined = (held < limit).then_some(Limits::WALKED_MAX);
                return Ok(page);
            }
            last = Some(place);
        }
        Ok(page)
    }

    /// Reads all rows of a page that ends for another reason than its number of rows:
    /// another page follows if `more`.
    ///
    /// # Errors
    /// Those that are not about one row.
    pub(crate) fn cut(
        more: bool,
        rows: impl IntoIterator<Item = (P, Result<T, Error>)>,
    ) -> Result<Self, Error> {
        let mut last = None;
        let rows = rows.into_iter().map(|(place, row)| {
            last = Some(place);
            ((), row)
        });
        let Page {
            rows, unreadable, ..
        } = Page::read(u32::MAX, rows)?;
        Ok(Self {
            rows,
            unreadable,
            next: last.filter(|_| more),
            examined: None,
        })
    }

    /// Reads all rows of a page after which the next one begins at a given place, which is
    /// `None` on the last page.
    ///
    /// # Errors
    /// Those that are not about one row.
    pub(crate) fn until(
        next: Option<P>,
        rows: impl IntoIterator<Item = Result<T, Error>>,
    ) -> Result<Self, Error> {
        let Page {
            rows, unreadable, ..
        } = Page::whole(rows)?;
        Ok(Self {
            rows,
            unreadable,
            next,
            examined: None,
        })
    }

    /// Returns the number of rows that were looked at, if the search stopped there before
    /// the page was full and the list had ended; absent otherwise. The next page continues
    /// there.
    pub const fn examined(&self) -> Option<usize> {
        self.examined
    }

    /// Returns the place after which the next page begins; `None` on the last page.
    pub fn next(&self) -> Option<&P> {
        self.next.as_ref()
    }
}

impl<T> Page<T> {
    /// Reads a list that has no pages.
    ///
    /// # Errors
    /// Those that are not about one row.
    pub(crate) fn whole(rows: impl IntoIterator<Item = Result<T, Error>>) -> Result<Self, Error> {
        Self::read(u32::MAX, rows.into_iter().map(|row| ((), row)))
    }
}

impl<T, P> Default for Page<T, P> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            unreadable: Vec::new(),
            next: None,
            examined: None,
        }
    }
}

impl<T, P> Deref for Page<T, P> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.rows
    }
}

impl<T, P> IntoIterator for Page<T, P> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter()
    }
}

impl Error {
    /// Returns the row that this error is about.
    ///
    /// # Errors
    /// The error itself, if it is about no row.
    pub fn unreadable(self) -> Result<Unreadable, Self> {
        match &self {
            Self::Corrupt { id, .. } => Ok(Unreadable {
                id: id.clone(),
                detail: self.to_string(),
            }),
            _ => Err(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_that_stops_continues_where_it_stopped() {
        let most = Limits::WALKED_MAX as i64;
        let page = |limit, numbers: &[(i64, bool)]| {
            let seen = numbers.iter().map(|(number, holds)| {
                let (number, holds) = (*number, *holds);
                (number, Seen { holds, number }, move || Ok(number))
            });
            let page = Page::walked(limit, seen).expect("reads");
            (page.rows.clone(), page.next().copied(), page.examined())
        };
        let stopped = Some(Limits::WALKED_MAX);
        assert_eq!(page(2, &[]), (vec![], None, None));
        assert_eq!(page(2, &[(5, true)]), (vec![5], None, None));
        let one_more = [(5, true), (7, true), (9, true)];
        assert_eq!(page(2, &one_more), (vec![5, 7], Some(7), None));
        let looked = [(5, true), (most, false)];
        assert_eq!(page(2, &looked), (vec![5], Some(most), stopped));
        assert_eq!(page(1, &looked), (vec![5], Some(5), None), "full");
        let last = [(5, true), (most, true)];
        assert_eq!(page(3, &last), (vec![5, most], Some(most), stopped));
        assert_eq!(page(2, &last), (vec![5, most], Some(most), None), "full");
    }

    #[test]
    fn a_page_lists_rows_it_cannot_show_and_continues_after_them() {
        let row = |n: u32| {
            let row = if n % 3 == 1 {
                Err(Error::corrupt("lane", "state", n, "is odd"))
            } else {
                Ok(n)
            };
            (n, row)
        };
        let page = Page::read(5, (0..6).map(row)).expect("reads");
        assert_eq!(*page, [0, 2, 3]);
        let told: Vec<_> = page.unreadable.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(told, ["1", "4"]);
        assert_eq!(
            page.unreadable[0].detail,
            "lane.state of 1 is corrupt: is odd"
        );
        assert_eq!(page.next(), Some(&4));
        let last = Page::read(5, (0..5).map(row)).expect("reads");
        assert_eq!((&last.rows, last.next()), (&page.rows, None));
        let down = (0, Err::<u32, _>(Error::Unavailable(String::new())));
        assert!(Page::read(1, [down]).is_err(), "that is about no row");
    }
}
