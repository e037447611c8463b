-- Reads suspended executions, those that have waited longest coming first.
--
-- $1 namespace?
-- page: $2 after this time?, and $3 this execution?; $4 at most so many rows, of $5 at most
-- that are looked at
--
-- A row that does not hold says where the search stopped. Walks the index parked_suspended,
-- and looks up one row of execution for each. Locks nothing.
SELECT seen.execution_id, seen.namespace, seen.kind, seen.lane, seen.reason AS "reason!",
       seen.reason_detail, seen.attempts, seen.parked_at, seen.wake_at AS "wake_at: StoredTime",
       seen.holds AS "holds!", seen.number AS "number!"
FROM (
    SELECT p.execution_id, e.namespace, e.kind, p.lane, p.reason::text AS reason,
           p.reason_detail, p.attempts, p.parked_at, p.wake_at,
           ($1::text IS NULL OR e.namespace = $1) AS holds,
           row_number() OVER (ORDER BY p.parked_at, p.execution_id) AS number
    FROM parked p
    CROSS JOIN LATERAL (
        SELECT e.namespace, e.kind FROM execution e
        WHERE e.partition = p.partition AND e.id = p.execution_id OFFSET 0
    ) AS e
    WHERE p.state = 'suspended'
      AND (p.parked_at, p.execution_id)
          > (coalesce($2::timestamptz, '-infinity'),
             coalesce($3::uuid, '00000000-0000-0000-0000-000000000000'))
    ORDER BY p.parked_at, p.execution_id
    LIMIT $5
) AS seen
WHERE seen.holds OR seen.number = $5
ORDER BY seen.parked_at, seen.execution_id
LIMIT $4
