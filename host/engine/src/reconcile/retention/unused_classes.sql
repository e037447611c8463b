-- Removes classes that nothing is of any more, and marks those that no execution is of.
--
-- Parameters:
-- $1 class to begin after, $2 most classes to look at, $3 last stripe of the log
--
-- Reads execution_class_pkey in order; for a class that no host used for a day, at most a
-- thousand executions in execution_by_kind and as many in execution_by_namespace; and the
-- oldest events. A host uses a class for an hour after it noted that.
-- Locks: the classes that it marks or removes, skipping those that another statement locks.
WITH floor AS MATERIALIZED (
    SELECT xid, seq FROM event_floor
),
oldest AS MATERIALIZED (
    -- Without events: now.
    SELECT coalesce(min(e.at), statement_timestamp()) AS at
    FROM generate_series(0, $3::integer) AS stripes(stripe)
    CROSS JOIN LATERAL (
        SELECT e.at FROM event e
        WHERE e.stripe = stripes.stripe::smallint
          AND (e.xid, e.seq) > ((SELECT xid FROM floor), (SELECT seq FROM floor))
        ORDER BY e.xid, e.seq
        LIMIT 1
    ) AS e
),
looked AS MATERIALIZED (
    SELECT c.* FROM execution_class c WHERE c.id > $1 ORDER BY c.id LIMIT $2
),
idle AS MATERIALIZED (
    SELECT c.* FROM looked c
    CROSS JOIN LATERAL (
        SELECT count(*) AS rows,
               count(*) FILTER (WHERE (e.namespace, e.lane) = (c.namespace, c.lane)) AS same
        FROM (SELECT e.namespace, e.lane FROM execution e
              WHERE e.kind COLLATE "C" = c.kind ORDER BY e.kind COLLATE "C", e.id LIMIT 1000) AS e
    ) AS of_kind
    CROSS JOIN LATERAL (
        SELECT count(*) AS rows,
               count(*) FILTER (WHERE (e.kind, e.lane) = (c.kind, c.lane)) AS same
        FROM (SELECT e.kind, e.lane FROM execution e
              WHERE e.namespace = c.namespace ORDER BY e.namespace, e.id LIMIT 1000) AS e
    ) AS of_namespace
    WHERE c.used_at < statement_timestamp() - interval '1 day'
      AND of_kind.same = 0 AND of_namespace.same = 0
      AND least(of_kind.rows, of_namespace.rows) < 1000
),
marked AS (
    UPDATE execution_class SET unused_since = clock_timestamp()
    WHERE id = ANY (ARRAY(
        SELECT c.id FROM execution_class c
        WHERE c.id = ANY (ARRAY(SELECT id FROM idle WHERE unused_since IS NULL))
          AND c.used_at < statement_timestamp() - interval '1 day'
        ORDER BY c.id
        FOR NO KEY UPDATE SKIP LOCKED))
),
classes_removed AS (
    DELETE FROM execution_class WHERE id = ANY (ARRAY(
        SELECT c.id FROM execution_class c
        WHERE c.id = ANY (ARRAY(SELECT id FROM idle WHERE unused_since IS NOT NULL))
          AND c.used_at < statement_timestamp() - interval '1 day'
          -- A margin for transactions that end in another order than they read the clock.
          AND c.unused_since < (SELECT at FROM oldest) - interval '1 minute'
        ORDER BY c.id
        FOR UPDATE SKIP LOCKED))
    RETURNING id
)
SELECT (SELECT count(*) FROM classes_removed) AS "removed!", (SELECT count(*) FROM looked) AS "looked!",
       (SELECT max(id) FROM looked) AS last
