//! Lists audit entries, newest first.
//!
//! Two statements, of which one walks the entries of a credential: a single one would have
//! one plan for both. Other filters are applied to the entries that are read, at most
//! [`Limits::AUDIT_EXAMINED_MAX`] for a page, so a page may have fewer rows than asked for,
//! or none, and still be followed by another.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use model::{Limits, Moment, Scope};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::row::{StoredTime, label};
use crate::{Engine, Error, Page};

/// An audit entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// Its id, which no other entry has.
    pub id: Uuid,
    /// When its verb was about to run, by the database's clock.
    pub at: OffsetDateTime,
    /// Name of the credential; absent where none was asked for.
    pub credential: Option<String>,
    /// The API key, if it was one.
    pub key_id: Option<Uuid>,
    /// Where the request came from.
    pub address: Option<IpAddr>,
    /// Operation id of the API, or the command of the command line.
    pub verb: String,
    /// Namespace in which it acted; absent for what belongs to none.
    pub namespace: Option<String>,
    /// What it acted on.
    pub target: Option<String>,
    /// What the caller added about itself.
    pub note: Option<String>,
    /// W3C trace context of the request.
    pub traceparent: Option<String>,
    /// `done`, or the code of the problem that was answered; absent while the verb runs, and
    /// for ever if its host ended meanwhile.
    pub outcome: Option<String>,
}

/// Which entries are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only those of these namespaces.
    pub within: Scope,
    /// Only those of this credential.
    pub credential: Option<String>,
    /// Only those of this verb.
    pub verb: Option<String>,
    /// Only those in this namespace.
    pub namespace: Option<String>,
    /// Only those from this time on.
    pub since: Option<Moment>,
    /// Only those before this time.
    pub until: Option<Moment>,
}

/// The place of an entry in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditPlace {
    at: StoredTime,
    id: Uuid,
}

/// A text that is not an [`AuditPlace`].
#[derive(Debug, thiserror::Error)]
#[error("is not a place in the list of audit entries")]
pub struct AuditPlaceError;

impl fmt::Display for AuditPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at, self.id)
    }
}

impl FromStr for AuditPlace {
    type Err = AuditPlaceError;

    fn from_str(text: &str) -> Result<Self, AuditPlaceError> {
        let read = || {
            let (at, id) = text.split_once('.')?;
            Some(Self {
                at: at.parse().ok()?,
                id: id.parse().ok()?,
            })
        };
        read().ok_or(AuditPlaceError)
    }
}

/// Columns of `newest.sql` and `of_credential.sql`.
struct Row {
    id: Option<Uuid>,
    at: Option<StoredTime>,
    credential: Option<String>,
    key_id: Option<Uuid>,
    address: Option<String>,
    verb: Option<String>,
    namespace: Option<String>,
    target: Option<String>,
    note: Option<String>,
    traceparent: Option<String>,
    outcome: Option<String>,
    examined: i64,
    last_id: Option<Uuid>,
    last_at: Option<StoredTime>,
}

impl Engine {
    /// Lists audit entries, newest first, after a place; at most `limit`, which is at most
    /// [`Limits::PAGE_MAX`].
    pub async fn audit(
        &self,
        filter: &AuditFilter,
        after: Option<AuditPlace>,
        limit: u32,
    ) -> Result<Page<Audited, AuditPlace>, Error> {
        let limit = limit.min(Limits::PAGE_MAX);
        let rows = self.read_audit(filter, after, limit + 1).await?;
        let first = rows.first();
        let is_cut = first.is_some_and(|row| row.examined >= Limits::AUDIT_EXAMINED_MAX);
        let last_examined = first.and_then(|row| place(row.last_at, row.last_id));
        let mut found: Vec<_> = rows
            .into_iter()
            .filter_map(|row| Some((place(row.at, row.id)?, row)))
            .collect();
        let next = if found.len() > limit as usize {
            found.truncate(limit as usize);
            found.last().map(|(place, _)| *place)
        } else {
            last_examined.filter(|_| is_cut)
        };
        Page::until(next, found.into_iter().map(|(place, row)| row.read(place)))
    }

    async fn read_audit(
        &self,
        filter: &AuditFilter,
        after: Option<AuditPlace>,
        limit: u32,
    ) -> Result<Vec<Row>, Error> {
        let after = after.unwrap_or(AuditPlace {
            at: StoredTime::INFINITY,
            id: Uuid::max(),
        });
        let namespaces = match &filter.within {
            Scope::Everywhere => None,
            Scope::Namespaces(names) => Some(names.iter().cloned().collect::<Vec<_>>()),
        };
        let since = filter.since.map(|it| StoredTime::of(it.utc()));
        let since = since.unwrap_or(StoredTime::NEGATIVE_INFINITY);
        let until = filter.until.map(|it| StoredTime::of(it.utc()));
        let until = until.unwrap_or(StoredTime::INFINITY);
        macro_rules! read {
            ($file:literal $(, $credential:expr)?) => {
                sqlx::query_file_as!(
                    Row,
                    $file,
                    after.at as StoredTime,
                    after.id,
                    since as StoredTime,
                    until as StoredTime,
                    filter.verb,
                    filter.namespace,
                    namespaces.as_deref() as Option<&[String]>,
                    Limits::AUDIT_EXAMINED_MAX,
                    i64::from(limit)
                    $(, $credential)?
                )
                .fetch_all(&self.inner.reads)
                .await
            };
        }
        let rows = match &filter.credential {
            None => read!("src/audit/newest.sql"),
            Some(name) => read!("src/audit/of_credential.sql", name),
        };
        Ok(rows?)
    }
}

fn place(at: Option<StoredTime>, id: Option<Uuid>) -> Option<AuditPlace> {
    let (at, id) = at.zip(id)?;
    Some(AuditPlace { at, id })
}

impl Row {
    fn read(self, place: AuditPlace) -> Result<Audited, Error> {
        let AuditPlace { at, id } = place;
        let address = self.address.as_deref();
        Ok(Audited {
            id,
            at: at.read("audit", "at", id)?,
            credential: self.credential,
            key_id: self.key_id,
            address: address
                .map(|text| label("audit", "address", id, text))
                .transpose()?,
            verb: self.verb.unwrap_or_default(),
            namespace: self.namespace,
            target: self.target,
            note: self.note,
            traceparent: self.traceparent,
            outcome: self.outcome,
        })
    }
}
