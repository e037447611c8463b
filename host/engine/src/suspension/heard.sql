-- Reads what waitpoints of one partition have heard and still counts, in the
-- order it was accepted.
--
-- $1 partition, $2 execution ids, $3 waitpoint ids. Locks nothing.
SELECT g.execution_id, g.id, g.waitpoint_id, g.name, g.source_type, g.source_identity
FROM unnest($2::uuid[]) AS w(execution_id)
CROSS JOIN LATERAL (
    SELECT g.* FROM signal g
    WHERE g.partition = $1 AND g.execution_id = w.execution_id
      AND g.waitpoint_id = ANY ($3) AND NOT g.spent
    ORDER BY g.seq
) AS g
