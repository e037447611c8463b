-- Reads which of some pairs of members an edge joins.
--
-- $1 partition; then arrays: $2 upstream, $3 downstream
-- A range with an order, which the primary key alone serves: many edges may lead to one
-- member.
-- Locks: none.
SELECT e.id AS "id!", e.upstream AS "upstream!", e.downstream AS "downstream!"
FROM unnest($2::uuid[], $3::uuid[]) AS i(upstream, downstream)
CROSS JOIN LATERAL (
    SELECT e.* FROM flow_edge e
    WHERE e.partition = $1 AND e.upstream BETWEEN i.upstream AND i.upstream
      AND e.downstream = i.downstream AND e.wait = 0
    ORDER BY e.upstream, e.downstream, e.wait LIMIT 1
) AS e
