-- Counts the members of a flow by the state they are in.
--
-- $1 partition, $2 flow
-- Locks: none.
SELECT s.state AS "state!", count(*) AS "members!"
FROM flow_member m
CROSS JOIN LATERAL (
    SELECT coalesce(
        (SELECT CASE f.outcome WHEN 'success' THEN 'completed' ELSE f.outcome::text END
         FROM finished f
         WHERE f.partition = $1 AND f.execution_id BETWEEN m.execution_id AND m.execution_id
         ORDER BY f.execution_id LIMIT 1),
        (SELECT 'active' FROM lease l
         WHERE l.partition = $1 AND l.execution_id BETWEEN m.execution_id AND m.execution_id
         ORDER BY l.execution_id LIMIT 1),
        (SELECT CASE p.state WHEN 'blocked' THEN 'waiting' ELSE p.state::text END
         FROM parked p
         WHERE p.partition = $1 AND p.execution_id BETWEEN m.execution_id AND m.execution_id
         ORDER BY p.execution_id LIMIT 1),
        'waiting') AS state
    OFFSET 0
) AS s
WHERE m.partition = $1 AND m.flow_id = $2
GROUP BY s.state
