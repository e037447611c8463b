-- Finds which namespaces have ready executions in these lanes of one partition.
--
-- $1 partition, $2 lanes, $3 for each a namespace: the look begins after it, or at
-- the first if it is empty, $4 most namespaces of a lane.
--
-- Steps along ready_queue from one namespace to the next with one probe each, so
-- that the cost grows with the namespaces met and not with what they have waiting.
WITH RECURSIVE met(lane, namespace, steps) AS (
    SELECT look.lane, look.namespace COLLATE "C", 0
    FROM unnest($2::text[], $3::text[]) AS look(lane, namespace)
    UNION ALL
    SELECT met.lane, following.namespace, met.steps + 1
    FROM met
    CROSS JOIN LATERAL (
        SELECT r.namespace FROM ready r
        WHERE r.partition = $1 AND r.lane = met.lane AND r.namespace > met.namespace
        ORDER BY r.namespace
        LIMIT 1
    ) AS following
    WHERE met.steps < $4::integer
)
SELECT lane AS "lane!", namespace AS "namespace!" FROM met WHERE steps > 0
