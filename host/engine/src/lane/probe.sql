-- Finds which namespaces have ready executions in these lanes of one partition.
--
-- Parameters:
-- $1 partition, $2 most namespaces of a lane
-- lanes: $3 names, $4 for each a namespace: the probe begins after it, or at the first if
--   it is empty
--
-- Steps along ready_queue from one namespace to the next with one probe each, so that the
-- cost grows with the namespaces found and not with what they have waiting.
-- Locks nothing.
WITH RECURSIVE namespaces(lane, namespace, steps) AS (
    SELECT i.lane, i.namespace COLLATE "C", 0
    FROM unnest($3::text[], $4::text[]) AS i(lane, namespace)
    UNION ALL
    SELECT n.lane, following.namespace, n.steps + 1
    FROM namespaces n
    CROSS JOIN LATERAL (
        SELECT r.namespace FROM ready r
        WHERE r.partition = $1 AND r.lane = n.lane AND r.namespace > n.namespace
        ORDER BY r.namespace
        LIMIT 1
    ) AS following
    WHERE n.steps < $2::integer
)
SELECT lane AS "lane!", namespace AS "namespace!" FROM namespaces WHERE steps > 0
