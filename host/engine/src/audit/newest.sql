-- Lists audit entries, newest first: a page of those that fit, of so many that are read.
--
-- place to continue after: $1 at, $2 id; time: $3 from, $4 until, which it excludes;
-- filter: $5 verb?, $6 namespace?, $7 namespaces of the caller?, null for all and for entries
-- of no namespace; $8 most entries that are read, $9 most rows.
-- Parameters marked ? are nullable. Walks audit_newest. An entry that fits none of the
-- filters costs as much as one that does, so `$8` bounds a page; the last entry read is told
-- with every row, and alone if none fits.
WITH candidate AS MATERIALIZED (
    SELECT a.* FROM audit a
    WHERE (a.at, a.id) < ($1::timestamptz, $2::uuid) AND a.at >= $3 AND a.at < $4
    ORDER BY a.at DESC, a.id DESC
    LIMIT $8
),
answer AS (
    SELECT e.* FROM candidate e
    WHERE ($5::text IS NULL OR e.verb = $5)
      AND ($6::text IS NULL OR e.namespace = $6)
      AND ($7::text[] IS NULL OR e.namespace = ANY ($7))
    ORDER BY e.at DESC, e.id DESC
    LIMIT $9
)
SELECT f.id AS "id?", f.at AS "at?: StoredTime", f.credential, f.key_id, host(f.address) AS address,
       f.verb AS "verb?", f.namespace, f.target, f.note, f.traceparent, f.outcome,
       (SELECT count(*) FROM candidate) AS "examined!",
       last.id AS "last_id?", last.at AS "last_at?: StoredTime"
FROM (SELECT 1) AS one
LEFT JOIN (SELECT e.at, e.id FROM candidate e ORDER BY e.at, e.id LIMIT 1) AS last ON true
LEFT JOIN answer f ON true
ORDER BY f.at DESC, f.id DESC
