-- Rotates waitpoint keys: active → retiring, and a new active one.
--
-- new key: $1 id, $2 encrypted secret, $3 id of the key that encrypted it;
-- rotation: $4 how long the old key is accepted (ms), $5 actor, $6 how many keys may be
--   accepted at the same time.
-- Nothing happens if there is a key with that id, there are too many keys, or no key is
-- active. Without a grace there are no more accepted keys than before, so a key that leaked
-- can always be replaced. Of several concurrent rotations one retires the active key; the
-- others find none and are tried again. Keys that ended more than an hour ago are deleted.
-- Locks: the row of the active key.
WITH retired AS (
    UPDATE waitpoint_key
    SET state = 'retiring', retired_by = $5,
        not_after = clock_timestamp() + $4::bigint * interval '1 millisecond'
    WHERE state = 'active'
      AND NOT EXISTS (SELECT FROM waitpoint_key WHERE kid = $1)
      AND ($4::bigint = 0 OR (SELECT count(*) FROM accepted_waitpoint_key) < $6::bigint)
    RETURNING kid
),
added AS (
    INSERT INTO waitpoint_key (kid, wrapped_secret, wrapped_under, created_by)
    SELECT $1, $2, $3, $5 FROM retired
    RETURNING kid
),
forgotten AS (
    DELETE FROM waitpoint_key
    WHERE not_after < clock_timestamp() - interval '1 hour' AND EXISTS (SELECT FROM added)
    RETURNING kid
)
SELECT kid AS "previous_kid!", (SELECT count(*) FROM forgotten) AS "forgotten!"
FROM retired
