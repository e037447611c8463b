-- Grants one ready execution to a worker.
--
-- Parameters:
-- $1 partition, $2 execution, $3 whether only if its last holder was lost
-- worker: $4 capabilities, $5 worker instance
-- grant: $6 id, $7 time to live (ms)
-- $8 namespace?, any if null
--
-- No row means that the execution does not wait, is granted, does not fit, or that its
-- lane does not serve: the caller reads it again.
-- Locks: the ready row.
UPDATE ready
SET grant_id = $6, granted_to = $5,
    granted_until = clock_timestamp() + $7::integer * interval '1 millisecond'
WHERE ctid = ANY (ARRAY(
        SELECT r.ctid FROM ready r WHERE r.partition = $1 AND r.execution_id = $2 FOR UPDATE))
  AND (granted_until IS NULL OR granted_until <= clock_timestamp())
  AND (required_capabilities IS NULL OR required_capabilities <@ $4::text[])
  AND (next_type = 'reclaim' OR NOT $3::boolean)
  AND ($8::text IS NULL OR namespace = $8)
  AND (SELECT l.state IN ('active', 'draining') FROM lane l WHERE l.name = ready.lane)
RETURNING namespace, granted_until AS "granted_until!"
