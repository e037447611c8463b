-- What holds of flows in any snapshot: each row is a rule and how many rows break it.
SELECT 'a flow has the members and edges that it counts', count(*) FROM (
    SELECT FROM flow f
    LEFT JOIN (
        SELECT partition, flow_id, count(*) AS nodes, count(outcome) AS ended,
               count(*) FILTER (WHERE outcome IN ('failed', 'cancelled', 'expired')) AS bad
        FROM flow_member GROUP BY partition, flow_id
    ) AS m ON m.partition = f.partition AND m.flow_id = f.id
    LEFT JOIN (
        SELECT partition, flow_id, count(*) AS edges FROM flow_edge GROUP BY partition, flow_id
    ) AS e ON e.partition = f.partition AND e.flow_id = f.id
    WHERE (f.node_count, f.ended_count, f.bad_count, f.edge_count)
          <> (coalesce(m.nodes, 0), coalesce(m.ended, 0), coalesce(m.bad, 0), coalesce(e.edges, 0))
       OR (f.ended_at IS NOT NULL) <> (f.node_count > 0 AND f.ended_count = f.node_count)) AS broken
UNION ALL
SELECT 'a member is of the flow that its execution names', count(*)
FROM flow_member m FULL JOIN (SELECT * FROM execution WHERE flow_id IS NOT NULL) e
    ON e.partition = m.partition AND e.id = m.execution_id
WHERE m.flow_id IS DISTINCT FROM e.flow_id
UNION ALL
SELECT 'a lease names the flow of its execution', count(*)
FROM lease l JOIN execution e ON e.partition = l.partition AND e.id = l.execution_id
WHERE l.flow_id IS DISTINCT FROM e.flow_id
UNION ALL
SELECT 'a group counts its edges', count(*) FROM (
    SELECT FROM flow_group g
    LEFT JOIN flow_edge e
        ON e.partition = g.partition AND e.downstream = g.execution_id AND e.wait = g.wait
    GROUP BY g.partition, g.execution_id, g.wait
    HAVING g.total <> count(e.id)
        OR g.satisfied <> count(e.id) FILTER (WHERE e.state = 'satisfied')
        OR g.failed + g.skipped <> count(e.id) FILTER (WHERE e.state = 'impossible')) AS broken
UNION ALL
SELECT 'an edge is of a group', count(*) FROM flow_edge e
LEFT JOIN flow_group g
    ON g.partition = e.partition AND g.execution_id = e.downstream AND g.wait = e.wait
WHERE g.execution_id IS NULL
UNION ALL
-- Members of a cancelled flow end one by one, and nothing more is decided.
SELECT 'an end is noted and its edges are decided, or due', count(*)
FROM flow_member m
JOIN flow w ON w.partition = m.partition AND w.id = m.flow_id
JOIN finished f ON f.partition = m.partition AND f.execution_id = m.execution_id
WHERE NOT EXISTS (SELECT FROM flow_due d
                  WHERE d.partition = m.partition AND d.execution_id = m.execution_id)
  AND (m.outcome IS DISTINCT FROM f.outcome
       OR coalesce(w.cancel_policy, 'cancel_flow_only') = 'cancel_flow_only'
          AND EXISTS (SELECT FROM flow_edge e
                      WHERE e.partition = m.partition AND e.upstream = m.execution_id
                        AND e.state = 'pending'
                        -- One that was replayed waits for those that are replayed after it.
                        AND NOT EXISTS (SELECT FROM operation o
                                        WHERE o.partition = m.partition AND o.verb = 'replay'
                                          AND o.execution_id = e.downstream)))
UNION ALL
SELECT 'a member that has not ended is not noted as ended', count(*) FROM flow_member m
LEFT JOIN finished f ON f.partition = m.partition AND f.execution_id = m.execution_id
WHERE m.outcome IS NOT NULL AND f.execution_id IS NULL
UNION ALL
SELECT 'a member waits exactly while its group is not decided', count(*)
FROM flow_group g
JOIN flow w ON w.partition = g.partition AND w.id = g.flow_id
LEFT JOIN parked p ON p.partition = g.partition AND p.execution_id = g.execution_id
                  AND p.state = 'waiting_children'
LEFT JOIN finished f ON f.partition = g.partition AND f.execution_id = g.execution_id
WHERE g.wait = 0 AND g.total > 0 AND f.execution_id IS NULL
  AND coalesce(w.cancel_policy, 'cancel_flow_only') = 'cancel_flow_only'
  AND (p.execution_id IS NOT NULL AND NOT p.resumes) <> (g.state = 'pending')
UNION ALL
SELECT 'a group is decided as soon as it can be', count(*)
FROM flow_group g
JOIN flow w ON w.partition = g.partition AND w.id = g.flow_id
CROSS JOIN LATERAL (
    SELECT CASE g.policy WHEN 'all_of' THEN g.total WHEN 'any_of' THEN 1 ELSE g.k END AS needed,
           g.total - g.satisfied - g.failed - g.skipped AS running
) AS n
WHERE g.state = 'pending' AND g.total > 0
  AND (g.satisfied >= n.needed
       OR g.satisfied + n.running < n.needed AND (g.total >= n.needed OR n.running = 0))
