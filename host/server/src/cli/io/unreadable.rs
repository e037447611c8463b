//! Rows of a list that its host cannot read: each is named, so that none is missed.

use super::{escape, to_stderr};
use crate::api::Unreadable;

/// Names rows that are known by ids or names of their own.
pub fn name_unreadable(rows: &[Unreadable]) {
    for row in rows {
        let (id, detail) = (escape(&row.id), escape(&row.detail));
        to_stderr(&format!("{id} cannot be shown: {detail}"));
    }
}

/// Names rows that are known by what they are and a number.
pub fn name_unreadable_as(what: &str, rows: &[Unreadable]) {
    for row in rows {
        let (id, detail) = (escape(&row.id), escape(&row.detail));
        to_stderr(&format!("{what} {id} cannot be shown: {detail}"));
    }
}
