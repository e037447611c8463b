-- Finds suspensions of one partition past their timeout.
--
-- Parameters:
-- $1 partition, $2 most executions
--
-- Reads parked_due. Locks nothing.
SELECT p.execution_id, p.suspension_id AS "suspension_id!",
       s.timeout_behavior AS "timeout_behavior!"
FROM parked p
CROSS JOIN LATERAL (
    SELECT s.timeout_behavior FROM suspension s
    WHERE s.partition = $1 AND s.execution_id = p.execution_id AND s.closed_at IS NULL OFFSET 0
) AS s
WHERE p.partition = $1 AND p.wake_at <= statement_timestamp() AND p.state = 'suspended'
ORDER BY p.wake_at
LIMIT $2
