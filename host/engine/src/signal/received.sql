-- Reads the unconsumed signals of waitpoints of one execution, in the order they were
-- accepted.
--
-- $1 partition, $2 execution id, $3 waitpoint ids.
-- Locks: none.
SELECT g.id, g.waitpoint_id, g.name, g.source_type, g.source_identity
FROM signal g
WHERE g.partition = $1 AND g.execution_id = $2 AND g.waitpoint_id = ANY ($3) AND NOT g.spent
ORDER BY g.seq
