-- Reads pending waitpoints of executions that are not finished, those that expire first
-- coming first, and those that never do last.
--
-- $1 namespace?
-- page: $2 after this expiry?, and $3 this waitpoint?; $4 at most so many rows, of $5 at
-- most that are looked at
--
-- A row that does not hold says where the search stopped. Walks the index
-- waitpoint_pending, and looks up one row of execution and of finished for each. Locks
-- nothing.
SELECT seen.id, seen.execution_id, seen.namespace, seen.key, seen.state_name AS "state_name!",
       seen.suspension_id, seen.token_kid, seen.token_fingerprint, seen.signals,
       seen.last_signal_at, seen.created_at, seen.activated_at, seen.expires_at, seen.closed_at,
       seen.close_reason, NULL::text AS condition, seen.holds AS "holds!",
       seen.number AS "number!"
FROM (
    SELECT t.*, t.state::text AS state_name, e.namespace,
           coalesce(t.expires_at, 'infinity') AS due,
           (($1::text IS NULL OR e.namespace = $1)
            AND NOT (SELECT EXISTS (SELECT FROM finished f
                                    WHERE f.partition = t.partition
                                      AND f.execution_id = t.execution_id))) AS holds,
           row_number() OVER (ORDER BY coalesce(t.expires_at, 'infinity'), t.id) AS number
    FROM waitpoint t
    CROSS JOIN LATERAL (
        SELECT e.namespace FROM execution e
        WHERE e.partition = t.partition AND e.id = t.execution_id OFFSET 0
    ) AS e
    WHERE t.state = 'pending'
      AND (coalesce(t.expires_at, 'infinity'), t.id)
          > (CASE WHEN $3::uuid IS NULL THEN '-infinity'
                  ELSE coalesce($2::timestamptz, 'infinity') END,
             coalesce($3, '00000000-0000-0000-0000-000000000000'))
    ORDER BY coalesce(t.expires_at, 'infinity'), t.id
    LIMIT $5
) AS seen
WHERE seen.holds OR seen.number = $5
ORDER BY seen.due, seen.id
LIMIT $4
