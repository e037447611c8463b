-- Finds signals that were delivered before with the same idempotency key, while that is
-- remembered.
--
-- $1 partition; then arrays, one element per signal: $2 waitpoint ids, $3 keys.
-- Locks: none.
SELECT i.number AS "number!", g.id AS "id!", g.effect AS "effect!"
FROM unnest($2::uuid[], $3::text[]) WITH ORDINALITY AS i(waitpoint_id, key, number)
CROSS JOIN LATERAL (
    SELECT g.id, g.effect FROM signal g
    WHERE g.partition = $1 AND g.waitpoint_id = i.waitpoint_id
      AND g.idempotency_key = i.key AND g.key_expires_at > clock_timestamp()
    LIMIT 1
) AS g
