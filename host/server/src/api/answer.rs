//! How answers are made: from what the engine returns, alone or in lists.
//!
//! [`answers`] defines structs of the wire that show a struct of the engine, [`pages`]
//! lists of them, page by page. A page names the rows that this version cannot read beside
//! the others, so that one bad row hides no other.

use serde::de::DeserializeOwned;
use utoipa::openapi::schema::{AdditionalProperties, Schema};
use utoipa::openapi::{OpenApi, RefOr};

/// Defines answers: each field takes the value of the source's field of that name, or of
/// the expression after `=`. A value whose field has a `?` is left out where it is absent,
/// and the document of the API shows it as the type after `as`.
macro_rules! answers {
    ($(
        $(#[$meta:meta])*
        $name:ident($source:ident: $source_type:ty) {
            $($(#[$field_meta:meta])*
            $field:ident $(? $($never:lifetime)?)?: $type:ty $(as $shown:ty)? $(= $value:expr)?,)*
        }
    )+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, ::serde::Serialize, ::serde::Deserialize, ::utoipa::ToSchema)]
        pub struct $name {
            $(
                $(#[$field_meta])*
                $(#[serde(default, skip_serializing_if = "Option::is_none")] $($never)?)?
                $(#[schema(value_type = $shown)])?
                pub $field: $type,
            )*
        }

        impl From<$source_type> for $name {
            fn from($source: $source_type) -> Self {
                Self {
                    $($field: $crate::api::answer::value!($source.$field $(, $value)?),)*
                }
            }
        }
    )+};
}

macro_rules! value {
    ($of_that_name:expr) => {
        $of_that_name
    };
    ($of_that_name:expr, $given:expr) => {
        $given
    };
}

/// Defines lists that are answered page by page; with `examined` those whose pages may end
/// before they are full.
macro_rules! pages {
    ($(
        $(#[$meta:meta])*
        $name:ident of $source_type:ty {
            $(#[$rows_meta:meta])* $rows:ident: Vec<$row:ty>, $($examined:ident)?
        }
    )+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, ::serde::Serialize, ::serde::Deserialize, ::utoipa::ToSchema)]
        pub struct $name {
            $(#[$rows_meta])*
            pub $rows: Vec<$row>,
            $(
                /// Number of rows the host looked at, if it stopped there before the page was
                /// full and before the end of the list: more may follow, and `next_cursor`
                /// continues. Absent when the page is full or nothing follows.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $examined: Option<usize>,
            )?
            /// Rows of the page that this version cannot read; absent when there are none.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub unreadable: Vec<$crate::api::Unreadable>,
            /// What to pass as `after` for the next page; absent on the last.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub next_cursor: Option<String>,
        }

        impl $name {
            /// Shows a page; `cursor` makes the cursor of the next one from the place of
            /// the last row.
            pub fn new<P>(
                found: ::engine::Page<$source_type, P>,
                cursor: impl FnOnce(&P) -> String,
            ) -> Self {
                Self {
                    next_cursor: found.next().map(cursor),
                    $($examined: found.$examined(),)?
                    $rows: found.rows.into_iter().map(Into::into).collect(),
                    unreadable: found.unreadable.into_iter().map(Into::into).collect(),
                }
            }
        }

        impl $crate::api::Listing for $name {
            const ROWS: &'static str = stringify!($rows);

            fn unreadable(&self) -> &[$crate::api::Unreadable] {
                &self.unreadable
            }

            fn next_cursor(&self) -> Option<&str> {
                self.next_cursor.as_deref()
            }

            $(fn examined(&self) -> Option<usize> {
                self.$examined
            })?
        }
    )+};
}

pub(super) use {answers, pages, value};

/// A page of a list.
pub trait Listing: DeserializeOwned {
    /// Name of the member that holds the rows.
    const ROWS: &'static str;

    /// Returns the rows that this version cannot read.
    fn unreadable(&self) -> &[Unreadable];

    /// Returns what to pass as `after` for the next page; `None` on the last.
    fn next_cursor(&self) -> Option<&str>;

    /// Returns the number of rows the host looked at, if it stopped there before the page
    /// was full and before the end of the list.
    fn examined(&self) -> Option<usize> {
        None
    }
}

answers! {
    /// A row that holds what this version cannot read, such as a time outside the years 0
    /// to 9999. Asked for by itself it is the problem `unreadable`.
    Unreadable(row: engine::Unreadable) {
        /// Its id, or its name or number where rows have no ids.
        id: String,
        /// Which table and column, and what is wrong with it.
        detail: String,
    }
}

/// Schemas of answers that have no members but those described. What reads them accepts
/// more, so that a command line reads the answers of a host of a later version.
const CLOSED: [&str; 26] = [
    "ApiKey",
    "ApiKeyText",
    "Attempt",
    "AttemptLease",
    "AuditEntry",
    "Component",
    "CurrentLease",
    "EligibleExecution",
    "Event",
    "Execution",
    "ExpiredLease",
    "Failure",
    "HistoryEntry",
    "Kind",
    "Lane",
    "Namespace",
    "Operation",
    "Progress",
    "RefusedRequests",
    "Route",
    "StateVector",
    "SuspendedExecution",
    "Unreadable",
    "Usage",
    "WaitpointKey",
    "Worker",
];

/// Closes the schemas of those answers in the description of the API.
#[derive(Debug, Clone, Copy)]
pub struct ClosedAnswers;

impl utoipa::Modify for ClosedAnswers {
    fn modify(&self, openapi: &mut OpenApi) {
        let Some(components) = &mut openapi.components else {
            return;
        };
        for name in CLOSED {
            if let Some(RefOr::T(Schema::Object(object))) = components.schemas.get_mut(name) {
                object.additional_properties =
                    Some(Box::new(AdditionalProperties::FreeForm(false)));
            }
        }
    }
}
