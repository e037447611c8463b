-- Reads members that ended and that their flows have not taken note of.
--
-- $1 partition, $2 flows, $3 most members
-- Locks: none.
SELECT d.flow_id AS "flow_id!", d.execution_id AS "execution_id!", d.epoch AS "epoch!",
       f.version AS "version?", f.cancel_policy::text AS cancel_policy,
       f.default_policy::text AS "default_policy?", m.outcome::text AS known,
       t.outcome::text AS outcome
FROM (
    SELECT d.* FROM flow_due d
    WHERE d.partition = $1 AND d.flow_id = ANY ($2::uuid[])
    ORDER BY d.partition, d.flow_id, d.execution_id, d.epoch
    LIMIT $3
) AS d
LEFT JOIN LATERAL (
    SELECT f.version, f.cancel_policy, f.default_policy FROM flow f
    WHERE f.partition = $1 AND f.id = d.flow_id OFFSET 0
) AS f ON true
LEFT JOIN LATERAL (
    SELECT m.outcome FROM flow_member m
    WHERE m.partition = $1 AND m.flow_id = d.flow_id AND m.execution_id = d.execution_id OFFSET 0
) AS m ON true
LEFT JOIN LATERAL (
    SELECT f.outcome FROM finished f
    WHERE f.partition = $1 AND f.execution_id = d.execution_id OFFSET 0
) AS t ON true
