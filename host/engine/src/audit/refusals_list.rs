//! Lists the sums of requests whose credential was not accepted, newest first.

use std::fmt;
use std::str::FromStr;

use model::{Limits, Moment};
use time::OffsetDateTime;

use crate::row::StoredTime;
use crate::{Engine, Error, Page};

/// Requests of one minute and address that were refused for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRequests {
    /// The minute in which they were counted, by the database's clock.
    pub minute: OffsetDateTime,
    /// Where they came from: an address, the first 64 bits of one of IPv6, or `others`.
    pub address: String,
    /// Why they were refused.
    pub reason: String,
    /// How many they were.
    pub count: u64,
}

/// The place of a sum in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalsPlace {
    minute: StoredTime,
    address: String,
    reason: String,
}

/// A text that is not a [`RefusalsPlace`].
#[derive(Debug, thiserror::Error)]
#[error("is not a place in the list of refusals")]
pub struct RefusalsPlaceError;

impl fmt::Display for RefusalsPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.minute, self.address, self.reason)
    }
}

impl FromStr for RefusalsPlace {
    type Err = RefusalsPlaceError;

    fn from_str(text: &str) -> Result<Self, RefusalsPlaceError> {
        let read = || {
            let (minute, rest) = text.split_once(' ')?;
            let (address, reason) = rest.split_once(' ')?;
            Some(Self {
                minute: minute.parse().ok()?,
                address: address.to_owned(),
                reason: reason.to_owned(),
            })
        };
        read().ok_or(RefusalsPlaceError)
    }
}

impl Engine {
    /// Lists the sums, newest first, from a time on and before another; at most `limit`, which
    /// is at most [`Limits::PAGE_MAX`].
    pub async fn audit_refusals(
        &self,
        since: Option<Moment>,
        until: Option<Moment>,
        after: Option<&RefusalsPlace>,
        limit: u32,
    ) -> Result<Page<RefusedRequests, RefusalsPlace>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        let since = since.map(|it| StoredTime::of(it.utc()));
        let until = until.map(|it| StoredTime::of(it.utc()));
        // No address and no reason sorts before the empty text, and no minute is infinite.
        let minute = after.map_or(StoredTime::INFINITY, |place| place.minute);
        let rows = sqlx::query!(
            r#"SELECT minute AS "minute: StoredTime", address, reason, count FROM audit_refusals
               WHERE (minute, address, reason) < ($1, $2, $3) AND minute >= $4 AND minute < $5
               ORDER BY minute DESC, address DESC, reason DESC LIMIT $6"#,
            minute as StoredTime,
            after.map_or("", |place| place.address.as_str()),
            after.map_or("", |place| place.reason.as_str()),
            since.unwrap_or(StoredTime::NEGATIVE_INFINITY) as StoredTime,
            until.unwrap_or(StoredTime::INFINITY) as StoredTime,
            i64::from(limit) + 1
        )
        .fetch_all(&self.inner.reads)
        .await?;
        let read = rows.into_iter().map(|row| {
            let place = RefusalsPlace {
                minute: row.minute,
                address: row.address.clone(),
                reason: row.reason.clone(),
            };
            let refused = row
                .minute
                .read("audit_refusals", "minute", &row.address)
                .map(|minute| RefusedRequests {
                    minute,
                    address: row.address,
                    reason: row.reason,
                    count: row.count.unsigned_abs(),
                });
            (place, refused)
        });
        Page::read(limit, read)
    }
}
