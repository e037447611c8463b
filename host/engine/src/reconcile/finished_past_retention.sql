-- Removes finished executions of one partition whose retention is over, with
-- every row they have: terminal → nothing.
--
-- $1 partition, $2 after (execution id), $3 whether to look at ids that claim to
-- be of the future rather than at old ones, $4 most executions of each of the two
-- sources, $5 retention of those that have none of their own (ms), null to keep
-- them.
--
-- Two sources. Those without a retention of their own are met in the order of
-- their ids, which is that of their creation: reads finished_pkey from $2 on, and
-- stops at ids younger than the retention. Those with one are met by their timer:
-- reads timer_due. An id is the caller's word for when it was made, so what
-- decides is `finished_at`; a timer that came too early is set to the earliest
-- time its execution can leave.
-- An execution stays while its idempotency key is remembered, so that the answer
-- to a repeated creation leads somewhere.
-- Locks: the timers taken, then the finished rows, skipping those somebody else
-- holds, then what belongs to them. None of them is a row that claims look at.
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
walked AS MATERIALIZED (
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
    SELECT w.execution_id, w.address, w.finished_at, NULL::tid AS timer
    FROM walked w
    WHERE w.finished_at <= statement_timestamp() - $5::bigint * interval '1 millisecond'
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
           -- What has not finished cannot leave before its retention from now.
           greatest(coalesce(c.finished_at, statement_timestamp())
                        + coalesce(e.retention_ms, $5::bigint) * interval '1 millisecond',
                    k.expires_at) AS leaves_at
    FROM candidate c
    CROSS JOIN LATERAL (
        SELECT e.ctid AS address, e.namespace, e.idempotency_key,
               (e.policy::jsonb ->> 'retention_ms')::bigint AS retention_ms
        FROM execution e WHERE e.partition = $1 AND e.id = c.execution_id OFFSET 0
    ) AS e
    LEFT JOIN LATERAL (
        SELECT i.ctid AS address, i.expires_at FROM idempotency i
        WHERE i.partition = $1 AND i.namespace = e.namespace AND i.key = e.idempotency_key
          AND i.execution_id = c.execution_id OFFSET 0
    ) AS k ON true
    WHERE c.timer IS NOT NULL OR e.retention_ms IS NULL
),
postponed AS (
    UPDATE timer t SET due_at = j.leaves_at
    FROM judged j
    WHERE t.ctid = j.timer AND j.leaves_at > statement_timestamp()
),
gone AS (
    DELETE FROM finished WHERE ctid = ANY (ARRAY(
        SELECT f.ctid FROM finished f
        WHERE f.ctid = ANY (ARRAY(
            SELECT address FROM judged WHERE leaves_at <= statement_timestamp()))
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING execution_id
),
left_over AS (
    SELECT j.* FROM judged j WHERE (j.execution_id IN (SELECT execution_id FROM gone)) IS TRUE
),
forgotten AS (
    DELETE FROM execution WHERE ctid = ANY (ARRAY(SELECT execution FROM left_over))
),
attempts_gone AS (
    DELETE FROM attempt a
    USING gone g CROSS JOIN LATERAL (
        SELECT a.ctid AS address FROM attempt a
        WHERE a.partition = $1 AND a.execution_id = g.execution_id OFFSET 0
    ) AS found
    WHERE a.ctid = found.address
),
suspensions_gone AS (
    DELETE FROM suspension s
    USING gone g CROSS JOIN LATERAL (
        SELECT s.ctid AS address FROM suspension s
        WHERE s.partition = $1 AND s.execution_id = g.execution_id OFFSET 0
    ) AS found
    WHERE s.ctid = found.address
),
waitpoints_gone AS (
    DELETE FROM waitpoint t
    USING gone g CROSS JOIN LATERAL (
        SELECT t.ctid AS address FROM waitpoint t
        WHERE t.partition = $1 AND t.execution_id = g.execution_id OFFSET 0
    ) AS found
    WHERE t.ctid = found.address
),
signals_gone AS (
    DELETE FROM signal s
    USING gone g CROSS JOIN LATERAL (
        SELECT s.ctid AS address FROM signal s
        WHERE s.partition = $1 AND s.execution_id = g.execution_id OFFSET 0
    ) AS found
    WHERE s.ctid = found.address
),
operations_gone AS (
    DELETE FROM operation o
    USING gone g CROSS JOIN LATERAL (
        SELECT o.ctid AS address FROM operation o
        WHERE o.partition = $1 AND o.execution_id = g.execution_id OFFSET 0
    ) AS found
    WHERE o.ctid = found.address
),
labels_gone AS (
    DELETE FROM tag t
    USING gone g CROSS JOIN LATERAL (
        SELECT t.ctid AS address FROM tag t
        WHERE t.partition = $1 AND t.execution_id = g.execution_id OFFSET 0
    ) AS found
    WHERE t.ctid = found.address
),
keys_gone AS (
    -- A creation may have taken the key over in the meantime.
    DELETE FROM idempotency i USING left_over l
    WHERE i.ctid = l.key AND i.execution_id = l.execution_id
      AND i.expires_at <= statement_timestamp()
),
timers_gone AS (
    DELETE FROM timer t
    USING gone g CROSS JOIN LATERAL (
        SELECT t.ctid AS address FROM timer t
        WHERE t.partition = $1 AND t.execution_id = g.execution_id OFFSET 0
    ) AS found
    WHERE t.ctid = found.address
)
SELECT (SELECT count(*) FROM gone) AS "removed!", (SELECT count(*) FROM walked) AS "walked!",
       (SELECT count(*) FROM due) AS "due!",
       (SELECT execution_id FROM walked ORDER BY execution_id DESC LIMIT 1) AS last
