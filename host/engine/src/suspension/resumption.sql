-- Reads what handlers of one partition go on with.
--
-- $1 partition, $2 execution ids, $3 suspension ids, absent for the last one of the
-- life that goes on. One that is still open is left out. Locks nothing.
SELECT w.execution_id AS "execution_id!", s.id AS "id!", s.closed_at AS "closed_at!",
       s.close_reason AS "close_reason!", s.state, s.state_type,
       coalesce(cardinality(s.satisfiers), 0) AS "signal_count!"
FROM unnest($2::uuid[], $3::uuid[]) AS w(execution_id, suspension_id)
CROSS JOIN LATERAL (
    SELECT s.* FROM suspension s
    WHERE s.partition = $1 AND s.execution_id = w.execution_id
      AND (w.suspension_id IS NULL OR s.id = w.suspension_id)
    ORDER BY s.seq DESC LIMIT 1
) AS s
WHERE s.closed_at IS NOT NULL
  AND (w.suspension_id IS NOT NULL
       OR s.replays = (SELECT l.replays FROM lease l
                       WHERE l.partition = $1 AND l.execution_id = w.execution_id))
