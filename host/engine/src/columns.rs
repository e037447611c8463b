//! Arrays for a statement: one line per column.
//!
//! A statement over many rows takes an array per column. [`columns!`] names each of them
//! once, and makes of that the vectors, the loop that fills them, and the arguments of
//! the query, in the order of the lines:
//!
//! ```text
//! let rows = columns!(
//!     query_file!("src/lease/renew.sql", partition.column(), ttl_ms);
//!     for fence in fences => {
//!         execution_ids = fence.execution_id.uuid();
//!         workers as Option<&str> = fence.worker.as_deref();
//!     }
//! )
//! .fetch_all(pool)
//! .await?;
//! ```
//!
//! The query is any of `sqlx`'s, with the arguments that are no arrays; they come first.
//! There may be several loops, for several kinds of rows. `sqlx` checks the type of a
//! column against the statement, except where `as` names it: `sqlx` expects owned values
//! without nulls, so borrowed and nullable ones need that. A column must not have the
//! name of something that the values of its loop mention.

macro_rules! columns {
    (
        $query:ident!($($scalars:tt)*);
        $(for $row:pat in $rows:expr => {
            $($column:ident $(as $type:ty)? = $value:expr;)+
        })+
    ) => {{
        $($(let mut $column = Vec$(::<$type>)?::new();)+)+
        $(for $row in $rows {
            $($column.push($value);)+
        })+
        sqlx::$query!($($scalars)*, $($(&$column $(as &[$type])?,)+)+)
    }};
}

pub(crate) use columns;
