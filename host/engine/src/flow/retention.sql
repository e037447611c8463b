-- Removes flows of one partition whose members ended long ago, and those that never had any:
-- terminal → nothing. No event.
--
-- $1 partition, $2 retention (ms), $3 most flows
--
-- Reads flow_ended and flow_empty. A flow is locked before its row is removed, so one that is
-- changed meanwhile is skipped or found as it is then.
-- Locks: the flows, skipping those that another statement locks.
WITH candidate AS MATERIALIZED (
    (SELECT f.ctid AS address FROM flow f
     WHERE f.partition = $1
       AND f.ended_at <= statement_timestamp() - $2::bigint * interval '1 millisecond'
     ORDER BY f.ended_at
     LIMIT $3
     FOR UPDATE SKIP LOCKED)
),
existing AS MATERIALIZED (
    (SELECT f.ctid AS address FROM flow f
     WHERE f.partition = $1 AND f.node_count = 0
       AND f.changed_at <= statement_timestamp() - $2::bigint * interval '1 millisecond'
     ORDER BY f.changed_at
     LIMIT $3
     FOR UPDATE SKIP LOCKED)
),
flows_removed AS (
    DELETE FROM flow WHERE ctid = ANY (ARRAY(
        SELECT address FROM candidate UNION ALL SELECT address FROM existing))
    RETURNING id
),
tags_removed AS (
    DELETE FROM flow_tag t
    USING flows_removed f CROSS JOIN LATERAL (
        SELECT t.ctid AS address FROM flow_tag t
        WHERE t.partition = $1 AND t.flow_id = f.id OFFSET 0
    ) AS found
    WHERE t.ctid = found.address
)
SELECT id FROM flows_removed
