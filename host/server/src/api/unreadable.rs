//! Rows that cannot be shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A row that holds what this version cannot show, such as a time outside the years 0
/// to 9999. Asked for by itself it is the problem `unreadable`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Unreadable {
    /// Its id, or its name where rows are known by names.
    pub id: String,
    /// Which table and column, and what is wrong with it.
    pub detail: String,
}

impl From<engine::Unreadable> for Unreadable {
    fn from(row: engine::Unreadable) -> Self {
        Self {
            id: row.id,
            detail: row.detail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_cannot_be_shown_fits_its_schema() {
        let row = engine::Unreadable {
            id: "x".into(),
            detail: "why".into(),
        };
        let text = serde_json::to_string(&row).expect("writes");
        serde_json::from_str::<Unreadable>(&text).expect("fits");
    }
}
