-- Lists members of a flow in the order of their ids, with the group that each waits in before
-- its first attempt.
--
-- $1 partition, $2 flow, $3 member to begin after?, $4 most
-- Locks: none.
SELECT m.execution_id AS "execution_id!", m.name, m.parent_id, g.policy::text AS "policy?",
       g.k AS "k?", g.cancel_remaining AS "cancel_remaining?", g.total AS "total?",
       g.satisfied AS "satisfied?", g.failed AS "failed?", g.skipped AS "skipped?",
       g.state::text AS "state?"
FROM (
    SELECT m.* FROM flow_member m
    WHERE m.partition = $1 AND m.flow_id = $2
      AND m.execution_id > coalesce($3::uuid, repeat('0', 32)::uuid)
    ORDER BY m.execution_id
    LIMIT $4
) AS m
LEFT JOIN LATERAL (
    SELECT g.* FROM flow_group g
    WHERE g.partition = $1 AND g.execution_id = m.execution_id AND g.wait = 0 OFFSET 0
) AS g ON true
ORDER BY m.execution_id
