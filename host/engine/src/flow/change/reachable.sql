-- Reads the edges that lead away from members of a flow, however far.
--
-- $1 partition, $2 members
-- Locks: none.
WITH RECURSIVE reached(id) AS (
    SELECT unnest($2::uuid[])
    UNION
    SELECT e.downstream
    FROM reached r
    JOIN flow_edge e ON e.partition = $1 AND e.upstream = r.id AND e.wait = 0
)
SELECT e.id AS "id!", e.upstream AS "upstream!", e.downstream AS "downstream!"
FROM reached r JOIN flow_edge e ON e.partition = $1 AND e.upstream = r.id AND e.wait = 0
