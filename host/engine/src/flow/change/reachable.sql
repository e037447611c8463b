-- Reads the edges that lead away from members of a flow, however far; of those to attempts
-- that wait for children only those that wait still.
--
-- $1 partition, $2 members
-- Locks: none.
WITH RECURSIVE reached(id) AS (
    SELECT unnest($2::uuid[])
    UNION
    SELECT e.downstream
    FROM reached r
    JOIN flow_edge e ON e.partition = $1 AND e.upstream = r.id
    WHERE e.wait = 0 OR e.state = 'pending'
)
SELECT e.upstream AS "upstream!", e.downstream AS "downstream!"
FROM reached r JOIN flow_edge e ON e.partition = $1 AND e.upstream = r.id
WHERE e.wait = 0 OR e.state = 'pending'
