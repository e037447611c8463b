-- Reads what the replay of a member is decided on.
--
-- $1 partition, $2 flow, $3 member
-- Locks: none.
SELECT f.version AS "version!", f.cancel_policy::text AS cancel_policy,
       m.outcome::text AS "noted?", g.policy::text AS "policy?", g.k AS "k?",
       g.cancel_remaining AS "cancel_remaining?", g.total AS "total?",
       g.satisfied AS "satisfied?", g.failed AS "failed?", g.skipped AS "skipped?",
       g.state::text AS "state?"
FROM flow f
JOIN flow_member m ON m.partition = $1 AND m.flow_id = $2 AND m.execution_id = $3
LEFT JOIN flow_group g ON g.partition = $1 AND g.execution_id = $3 AND g.wait = 0
WHERE f.partition = $1 AND f.id = $2
