-- Reads pending waitpoints of executions that are not finished, those that expire first
-- coming first, and those that never do last.
--
-- $1 namespace?
-- page: $2 after this expiry?, and $3 this waitpoint?; $4 at most so many rows
--
-- Walks the index waitpoint_pending, and looks up one row of execution and of finished for
-- each. Locks nothing.
SELECT t.id, t.execution_id, e.namespace, t.key, t.state::text AS "state_name!", t.suspension_id,
       t.token_kid, t.token_fingerprint, t.signals, t.last_signal_at, t.created_at,
       t.activated_at, t.expires_at, t.closed_at, t.close_reason, NULL::text AS condition
FROM waitpoint t
CROSS JOIN LATERAL (
    SELECT e.namespace FROM execution e
    WHERE e.partition = t.partition AND e.id = t.execution_id OFFSET 0
) AS e
WHERE t.state = 'pending' AND ($1::text IS NULL OR e.namespace = $1)
  AND NOT (SELECT EXISTS (SELECT FROM finished f
                          WHERE f.partition = t.partition AND f.execution_id = t.execution_id))
  AND (coalesce(t.expires_at, 'infinity'), t.id)
      > (CASE WHEN $3::uuid IS NULL THEN '-infinity' ELSE coalesce($2::timestamptz, 'infinity') END,
         coalesce($3, '00000000-0000-0000-0000-000000000000'))
ORDER BY coalesce(t.expires_at, 'infinity'), t.id
LIMIT $4
