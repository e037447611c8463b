-- Finds signals that were delivered before under the same key, while that is
-- remembered.
--
-- $1 partition; then arrays, one element per signal: $2 waitpoint ids, $3 keys?.
-- Locks nothing.
SELECT w.number AS "number!", k.id AS "id!", k.effect AS "effect!"
FROM unnest($2::uuid[], $3::text[]) WITH ORDINALITY AS w(waitpoint_id, key, number)
CROSS JOIN LATERAL (
    SELECT g.id, g.effect FROM signal g
    WHERE g.partition = $1 AND g.waitpoint_id = w.waitpoint_id
      AND g.idempotency_key = w.key AND g.key_expires_at > clock_timestamp()
    LIMIT 1
) AS k
