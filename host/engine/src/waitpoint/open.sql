-- Reads the open waitpoints of an execution, in the order of their keys.
--
-- $1 partition, $2 execution id, $3 at most so many rows
--
-- Walks the index waitpoint_open, and looks up one row of execution and the open
-- suspension. Locks nothing.
SELECT t.id, t.execution_id, e.namespace, t.key, t.state::text AS "state_name!", t.suspension_id,
       t.token_kid, t.token_fingerprint, t.signals, t.last_signal_at, t.created_at,
       t.activated_at, t.expires_at, t.closed_at, t.close_reason,
       CASE WHEN t.state = 'active' THEN (
           SELECT s.condition FROM suspension s
           WHERE s.partition = $1 AND s.execution_id = $2 AND s.closed_at IS NULL LIMIT 1)
       END AS condition,
       true AS "holds!", 0::bigint AS "number!"
FROM waitpoint t
CROSS JOIN LATERAL (
    SELECT e.namespace FROM execution e WHERE e.partition = $1 AND e.id = $2 OFFSET 0
) AS e
WHERE t.partition = $1 AND t.execution_id = $2 AND t.state IN ('pending', 'active')
ORDER BY t.key
LIMIT $3
