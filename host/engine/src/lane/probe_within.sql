-- Finds which of some namespaces have ready executions in these lanes of one partition.
--
-- $1 partition, $2 lanes, $3 namespaces
--
-- Looks for one row of each namespace and lane in ready_queue. Locks nothing.
SELECT l.lane AS "lane!", n.namespace AS "namespace!"
FROM unnest($2::text[]) AS l(lane)
CROSS JOIN unnest($3::text[]) AS n(namespace)
CROSS JOIN LATERAL (
    SELECT FROM ready r
    WHERE r.partition = $1 AND r.lane = l.lane AND r.namespace = n.namespace
    LIMIT 1
) AS waiting
