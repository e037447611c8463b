-- Reads leases that have expired, in the order of their partitions and executions.
--
-- $1 namespace?
-- page: $2 after the execution of this partition, and $3 this execution; $4 at most so many
-- rows, of $5 at most that are looked at
--
-- A row that does not hold says where the search stopped. Walks the primary key of lease:
-- an index on the expiry would be written by each claim and each renewal. Locks nothing.
SELECT seen.execution_id, seen.namespace, seen.lease_id, seen.epoch, seen.attempt,
       seen.worker_instance_id, seen.acquired_at AS "acquired_at: StoredTime",
       seen.expires_at AS "expires_at: StoredTime", seen.renewals,
       seen.renewed_at AS "renewed_at: StoredTime", seen.holds AS "holds!",
       seen.number AS "number!"
FROM (
    SELECT l.*,
           (l.expires_at <= statement_timestamp()
            AND ($1::text IS NULL OR l.namespace = $1)) AS holds,
           row_number() OVER (ORDER BY l.partition, l.execution_id) AS number
    FROM lease l
    WHERE (l.partition, l.execution_id) > ($2::smallint, $3::uuid)
    ORDER BY l.partition, l.execution_id
    LIMIT $5
) AS seen
WHERE seen.holds OR seen.number = $5
ORDER BY seen.partition, seen.execution_id
LIMIT $4
