-- Counts the ready executions of lanes, up to a bound in each.
--
-- $1 lanes, $2 partitions, $3 most executions of a lane, $4 namespaces?, all if null
--
-- Walks ready_queue from the beginning of each lane. Locks nothing.
SELECT i.lane AS "lane!", waiting.rows AS "rows!"
FROM unnest($1::text[]) AS i(lane)
CROSS JOIN LATERAL (
    SELECT count(*) AS rows
    FROM (SELECT FROM unnest($2::smallint[]) AS q(partition)
          CROSS JOIN LATERAL (
              (SELECT FROM ready r
               WHERE $4::text[] IS NULL AND r.partition = q.partition AND r.lane = i.lane
               LIMIT $3)
              UNION ALL
              (SELECT FROM unnest($4) AS n(namespace)
               CROSS JOIN LATERAL (
                   SELECT FROM ready r
                   WHERE r.partition = q.partition AND r.lane = i.lane
                     AND r.namespace = n.namespace
                   LIMIT $3
               ) AS r
               LIMIT $3)
          ) AS r
          LIMIT $3) AS r
) AS waiting
