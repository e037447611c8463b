-- Reads waitpoints of an execution, in the order of their ids.
--
-- $1 partition, $2 execution id, $3 state?
-- page: $4 after this waitpoint, $5 at most so many rows, of $6 at most that are looked at
--
-- A row that does not hold says where the search stopped. Walks the primary key of
-- waitpoint, and looks up one row of execution and the open suspension. Locks nothing.
SELECT t.id, t.execution_id, e.namespace, t.key, t.state::text AS "state_name!", t.suspension_id,
       t.token_kid, t.token_fingerprint, t.signals, t.last_signal_at, t.created_at,
       t.activated_at, t.expires_at, t.closed_at, t.close_reason,
       CASE WHEN t.state = 'active' THEN (
           SELECT s.condition FROM suspension s
           WHERE s.partition = $1 AND s.execution_id = $2 AND s.closed_at IS NULL LIMIT 1)
       END AS condition,
       t.holds AS "holds!", t.number AS "number!"
FROM (
    SELECT t.*, ($3::text IS NULL OR t.state = $3::text::waitpoint_state) AS holds,
           row_number() OVER (ORDER BY t.id) AS number
    FROM waitpoint t
    WHERE t.partition = $1 AND t.execution_id = $2 AND t.id > $4
    ORDER BY t.id
    LIMIT $6
) AS t
CROSS JOIN LATERAL (
    SELECT e.namespace FROM execution e WHERE e.partition = $1 AND e.id = $2 OFFSET 0
) AS e
WHERE t.holds OR t.number = $6
ORDER BY t.id
LIMIT $5
