-- Removes finished executions of one partition whose retention is over, with every row
-- they have: terminal → nothing. No event.
--
-- Parameters, nullable where marked?:
-- $1 partition
-- cursor: $2 execution to begin after, $3 whether to read ids that claim to be of the
--   future rather than old ones
-- $4 most executions of each of the two sources
-- $5 retention (ms) of those that have none of their own?, null to keep them
--
-- Two sources. Executions without a retention of their own are found in the order of
-- their ids, which is that of their creation: reads finished_pkey from $2 on, and stops at
-- ids younger than the retention. Executions with one are found by their timer: reads
-- timer_due. A caller may have made an id that lies about its time, so `finished_at`
-- decides; a timer that is due too early is set to the earliest time at which its
-- execution can be removed.
-- A member of a flow stays while the flow is there.
-- An execution stays while its idempotency key is remembered, so that the answer to a
-- repeated creation names an execution that exists.
-- Locks: the timers taken, then the finished rows, skipping those that another statement
-- locks, then what belongs to them. Claims read none of these rows.
WITH span AS (
    SELECT CASE WHEN $3::boolean
               THEN greatest($2::uuid, (lpad(to_hex(now.ms + 86400000), 12, '0') || repeat('0', 20))::uuid)
               ELSE $2::uuid END AS lower,
           CASE WHEN $3::boolean THEN repeat('f', 32)::uuid
               ELSE (lpad(to_hex(greatest(now.ms - $5::bigint, 0)), 12, '0') || repeat('0', 20))::uuid
               END AS upper
    FROM (SELECT (extract(epoch FROM statement_timestamp()) * 1000)::bigint AS ms) AS now
    WHERE $5::bigint IS NOT NULL
),
old AS MATERIALIZED (
    SELECT f.ctid AS address, f.execution_id, f.finished_at
    FROM finished f
    WHERE f.partition = $1 AND f.execution_id > (SELECT lower FROM span)
      AND f.execution_id < (SELECT upper FROM span)
    ORDER BY f.execution_id
    LIMIT $4
),
due AS MATERIALIZED (
    SELECT t.ctid AS timer, t.execution_id
    FROM timer t
    -- Not a condition of the primary key, which would read every timer of the kind.
    WHERE t.partition = $1 AND (t.kind = 'retention') IS TRUE
      AND t.due_at <= statement_timestamp()
    ORDER BY t.due_at
    LIMIT $4
    FOR UPDATE SKIP LOCKED
),
candidate AS (
    SELECT o.execution_id, o.address, o.finished_at, NULL::tid AS timer
    FROM old o
    WHERE o.finished_at <= statement_timestamp() - $5::bigint * interval '1 millisecond'
    UNION ALL
    SELECT d.execution_id, f.address, f.finished_at, d.timer
    FROM due d
    LEFT JOIN LATERAL (
        SELECT f.ctid AS address, f.finished_at FROM finished f
        WHERE f.partition = $1 AND f.execution_id = d.execution_id OFFSET 0
    ) AS f ON true
),
judged AS MATERIALIZED (
    SELECT c.execution_id, c.address, c.timer, e.address AS execution, k.address AS key,
           -- An unfinished execution is not removed before its retention from now.
           greatest(coalesce(c.finished_at, statement_timestamp())
                        + coalesce(e.retention_ms, $5::bigint) * interval '1 millisecond',
                    k.expires_at) AS removable_at
    FROM candidate c
    CROSS JOIN LATERAL (
        SELECT e.ctid AS address, e.namespace, e.idempotency_key, e.flow_id,
               (e.policy::jsonb ->> 'retention_ms')::bigint AS retention_ms
        FROM execution e WHERE e.partition = $1 AND e.id = c.execution_id OFFSET 0
    ) AS e
    LEFT JOIN LATERAL (
        SELECT i.ctid AS address, i.expires_at FROM idempotency i
        WHERE i.partition = $1 AND i.namespace = e.namespace AND i.key = e.idempotency_key
          AND i.execution_id = c.execution_id OFFSET 0
    ) AS k ON true
    WHERE (c.timer IS NOT NULL OR e.retention_ms IS NULL)
      AND (e.flow_id IS NULL OR NOT EXISTS (
          SELECT FROM flow f WHERE f.partition = $1 AND f.id = e.flow_id OFFSET 0))
),
timers_postponed AS (
    UPDATE timer t SET due_at = j.removable_at
    FROM judged j
    WHERE t.ctid = j.timer AND j.removable_at > statement_timestamp()
),
from_finished AS (
    DELETE FROM finished WHERE ctid = ANY (ARRAY(
        SELECT f.ctid FROM finished f
        WHERE f.ctid = ANY (ARRAY(
            SELECT address FROM judged WHERE removable_at <= statement_timestamp()))
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING execution_id
),
removed AS (
    SELECT j.* FROM judged j
    WHERE (j.execution_id IN (SELECT execution_id FROM from_finished)) IS TRUE
),
executions_removed AS (
    DELETE FROM execution WHERE ctid = ANY (ARRAY(SELECT execution FROM removed))
    RETURNING id, flow_id, has_tags
),
members_removed AS (
    DELETE FROM flow_member m
    USING executions_removed e CROSS JOIN LATERAL (
        SELECT m.ctid AS address FROM flow_member m
        WHERE m.partition = $1 AND m.flow_id = e.flow_id AND m.execution_id = e.id OFFSET 0
    ) AS found
    WHERE m.ctid = found.address
),
edges_removed AS (
    DELETE FROM flow_edge x
    USING executions_removed e CROSS JOIN LATERAL (
        SELECT x.ctid AS address FROM flow_edge x
        WHERE x.partition = $1 AND x.upstream = e.id OFFSET 0
    ) AS found
    WHERE x.ctid = found.address AND e.flow_id IS NOT NULL
),
groups_removed AS (
    DELETE FROM flow_group g
    USING executions_removed e CROSS JOIN LATERAL (
        SELECT g.ctid AS address FROM flow_group g
        WHERE g.partition = $1 AND g.execution_id = e.id OFFSET 0
    ) AS found
    WHERE g.ctid = found.address AND e.flow_id IS NOT NULL
),
attempts_removed AS (
    DELETE FROM attempt a
    USING from_finished f CROSS JOIN LATERAL (
        SELECT a.ctid AS address FROM attempt a
        WHERE a.partition = $1 AND a.execution_id = f.execution_id OFFSET 0
    ) AS found
    WHERE a.ctid = found.address
),
suspensions_removed AS (
    DELETE FROM suspension s
    USING from_finished f CROSS JOIN LATERAL (
        SELECT s.ctid AS address FROM suspension s
        WHERE s.partition = $1 AND s.execution_id = f.execution_id OFFSET 0
    ) AS found
    WHERE s.ctid = found.address
),
waitpoints_removed AS (
    DELETE FROM waitpoint t
    USING from_finished f CROSS JOIN LATERAL (
        SELECT t.ctid AS address FROM waitpoint t
        WHERE t.partition = $1 AND t.execution_id = f.execution_id OFFSET 0
    ) AS found
    WHERE t.ctid = found.address
),
signals_removed AS (
    DELETE FROM signal s
    USING from_finished f CROSS JOIN LATERAL (
        SELECT s.ctid AS address FROM signal s
        WHERE s.partition = $1 AND s.execution_id = f.execution_id OFFSET 0
    ) AS found
    WHERE s.ctid = found.address
),
streams_orphaned AS (
    -- Their frames may be many, and are removed by a sweep of their own.
    UPDATE stream s SET orphaned = true, due_at = statement_timestamp()
    FROM from_finished f CROSS JOIN LATERAL (
        SELECT s.ctid AS address FROM stream s
        WHERE s.partition = $1 AND s.execution_id = f.execution_id OFFSET 0
    ) AS found
    WHERE s.ctid = found.address
),
logs_removed AS (
    DELETE FROM live_log l
    USING from_finished f CROSS JOIN LATERAL (
        SELECT l.ctid AS address FROM live_log l
        WHERE l.partition = $1 AND l.execution_id = f.execution_id OFFSET 0
    ) AS found
    WHERE l.ctid = found.address
),
operations_removed AS (
    DELETE FROM operation o
    USING from_finished f CROSS JOIN LATERAL (
        SELECT o.ctid AS address FROM operation o
        WHERE o.partition = $1 AND o.execution_id = f.execution_id OFFSET 0
    ) AS found
    WHERE o.ctid = found.address
),
tags_removed AS (
    DELETE FROM tag t
    USING from_finished f CROSS JOIN LATERAL (
        SELECT t.ctid AS address FROM tag t
        WHERE t.partition = $1 AND t.execution_id = f.execution_id OFFSET 0
    ) AS found
    WHERE t.ctid = found.address
    RETURNING t.execution_id, t.key, t.value
),
removed_executions AS (
    -- For readers of the log that are behind.
    INSERT INTO removed_execution (partition, execution_id, flow_id, tag_keys, tag_values)
    SELECT $1, e.id, e.flow_id, coalesce(array_agg(t.key) FILTER (WHERE t.key IS NOT NULL), '{}'),
           coalesce(array_agg(t.value) FILTER (WHERE t.key IS NOT NULL), '{}')
    FROM executions_removed e LEFT JOIN tags_removed t ON t.execution_id = e.id
    WHERE e.has_tags OR e.flow_id IS NOT NULL
    GROUP BY e.id, e.flow_id
    ON CONFLICT DO NOTHING
),
keys_removed AS (
    -- A creation may have taken the key over in the meantime.
    DELETE FROM idempotency i USING removed r
    WHERE i.ctid = r.key AND i.execution_id = r.execution_id
      AND i.expires_at <= statement_timestamp()
),
timers_removed AS (
    DELETE FROM timer t
    USING from_finished f CROSS JOIN LATERAL (
        SELECT t.ctid AS address FROM timer t
        WHERE t.partition = $1 AND t.execution_id = f.execution_id OFFSET 0
    ) AS found
    WHERE t.ctid = found.address
)
SELECT (SELECT count(*) FROM from_finished) AS "removed!", (SELECT count(*) FROM old) AS "old!",
       (SELECT count(*) FROM due) AS "due!",
       (SELECT execution_id FROM old ORDER BY execution_id DESC LIMIT 1) AS last
