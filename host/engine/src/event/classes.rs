//! Classes: a number for each namespace, lane and kind that executions have together.

use std::collections::{BTreeSet, HashMap};

use parking_lot::Mutex;

use crate::Error;
use crate::database::Pool;

/// Classes that a host remembers; beyond that it forgets all and asks again.
const CLASSES_MAX: usize = 64 * 1024;

/// Namespace, lane and kind.
pub(crate) type ClassName = (String, String, String);

/// The classes this host knows. They never change, so what is known stays true.
#[derive(Default)]
pub(crate) struct Classes(Mutex<HashMap<ClassName, i32>>);

impl Classes {
    /// Returns the numbers of classes, in their order; makes those that are new.
    pub(crate) async fn of(&self, on: &Pool, names: &[ClassName]) -> Result<Vec<i32>, Error> {
        loop {
            let unknown: BTreeSet<&ClassName> = {
                let known = self.0.lock();
                let ids: Option<Vec<i32>> =
                    names.iter().map(|name| known.get(name).copied()).collect();
                if let Some(ids) = ids {
                    return Ok(ids);
                }
                names.iter().filter(|it| !known.contains_key(*it)).collect()
            };
            let found = Self::find_or_make(on, unknown.into_iter().cloned().collect()).await?;
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
        sqlx::query!(
            "INSERT INTO execution_class (namespace, lane, kind)
             SELECT i.* FROM unnest($1::text[], $2::text[], $3::text[])
                 AS i(namespace, lane, kind)
             WHERE NOT EXISTS (
                 SELECT FROM execution_class c
                 WHERE c.namespace = i.namespace AND c.lane = i.lane AND c.kind = i.kind)
             ORDER BY i.namespace COLLATE \"C\", i.lane COLLATE \"C\", i.kind COLLATE \"C\"
             ON CONFLICT DO NOTHING",
            &namespaces,
            &lanes,
            &kinds
        )
        .execute(on)
        .await?;
        let rows = sqlx::query!(
            r#"SELECT c.id, c.namespace, c.lane, c.kind
               FROM unnest($1::text[], $2::text[], $3::text[]) AS i(namespace, lane, kind)
               CROSS JOIN LATERAL (
                   SELECT c.* FROM execution_class c
                   WHERE c.namespace = i.namespace AND c.lane = i.lane AND c.kind = i.kind
                   OFFSET 0
               ) AS c"#,
            &namespaces,
            &lanes,
            &kinds
        )
        .fetch_all(on)
        .await?;
        if rows.len() != namespaces.len() {
            let error = "a class of executions that was made is not there: the database was changed by another than flowhost";
            return Err(Error::Unavailable(error.to_owned()));
        }
        let found = rows.into_iter();
        Ok(found
            .map(|row| ((row.namespace, row.lane, row.kind), row.id))
            .collect())
    }
}
