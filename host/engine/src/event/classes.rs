//! Classes: a number for each namespace, lane and kind that executions have together.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::Error;
use crate::database::Pool;

/// Classes that a host remembers; beyond that it forgets all and asks again.
const CLASSES_MAX: usize = 64 * 1024;
/// How long a host uses a class before it says so again: far less than the day for which
/// one that nothing is of is kept.
const KNOWN_FOR: Duration = Duration::from_secs(3600);
/// How often classes are asked for again that the sweep removed in between.
const TRIES: usize = 3;

/// Namespace, lane and kind.
pub(crate) type ClassName = (String, String, String);

/// The classes this host knows, and since when. They never change, and are removed only
/// when no host has asked for them for a day.
#[derive(Default)]
pub(crate) struct Classes(Mutex<HashMap<ClassName, (i32, Instant)>>);

impl Classes {
    /// Returns the numbers of classes, in their order; makes those that are new.
    pub(crate) async fn of(&self, on: &Pool, names: &[ClassName]) -> Result<Vec<i32>, Error> {
        loop {
            let unknown: BTreeSet<&ClassName> = {
                let known = self.0.lock();
                let of = |name| {
                    let (id, since) = known.get(name)?;
                    (since.elapsed() < KNOWN_FOR).then_some(*id)
                };
                let ids: Option<Vec<i32>> = names.iter().map(of).collect();
                if let Some(ids) = ids {
                    return Ok(ids);
                }
                names.iter().filter(|it| of(it).is_none()).collect()
            };
            // Since before it was asked for, so that it is not used for longer.
            let since = Instant::now();
            let found = Self::find_or_make(on, unknown.into_iter().cloned().collect()).await?;
            let found = found.into_iter().map(|(name, id)| (name, (id, since)));
            let mut known = self.0.lock();
            if known.len() + found.len() > CLASSES_MAX {
                known.clear();
                // The others are asked for again, together with these.
                known.extend(found);
                continue;
            }
            known.extend(found);
        }
    }

    async fn find_or_make(
        on: &Pool,
        names: Vec<ClassName>,
    ) -> Result<Vec<(ClassName, i32)>, Error> {
        let mut columns: [Vec<String>; 3] = Default::default();
        for (namespace, lane, kind) in names {
            let [namespaces, lanes, kinds] = &mut columns;
            namespaces.push(namespace);
            lanes.push(lane);
            kinds.push(kind);
        }
        let [namespaces, lanes, kinds] = columns;
        for _ in 0..TRIES {
            Self::make(on, &namespaces, &lanes, &kinds).await?;
            let rows = sqlx::query_file!("src/event/classes.sql", &namespaces, &lanes, &kinds)
                .fetch_all(on)
                .await?;
            if rows.len() == namespaces.len() {
                let found = rows.into_iter();
                return Ok(found
                    .map(|row| ((row.namespace, row.lane, row.kind), row.id))
                    .collect());
            }
        }
        let error = "a class of executions that was made is not there: the database was changed by another than flowhost";
        Err(Error::Unavailable(error.to_owned()))
    }

    /// Makes those that are new, and notes that the others are used.
    async fn make(
        on: &Pool,
        namespaces: &[String],
        lanes: &[String],
        kinds: &[String],
    ) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO execution_class (namespace, lane, kind)
             SELECT i.* FROM unnest($1::text[], $2::text[], $3::text[])
                 AS i(namespace, lane, kind)
             WHERE NOT EXISTS (
                 SELECT FROM execution_class c
                 WHERE c.namespace = i.namespace AND c.lane = i.lane AND c.kind = i.kind)
             ORDER BY i.namespace COLLATE \"C\", i.lane COLLATE \"C\", i.kind COLLATE \"C\"
             ON CONFLICT DO NOTHING",
            namespaces,
            lanes,
            kinds
        )
        .execute(on)
        .await?;
        sqlx::query_file!("src/event/classes_used.sql", namespaces, lanes, kinds)
            .execute(on)
            .await?;
        Ok(())
    }
}
