-- Has another key sign: active → retiring, and a new active one.
--
-- $1 kid, $2 wrapped secret, $3 what it was wrapped under, $4 how long the old key
-- is accepted (ms), $5 who asks, $6 most keys accepted at once.
-- Nothing happens if the name is known, there are too many keys, or no key is
-- active. Without a grace there are no more keys than before, so a key that leaked
-- can always be replaced. Of several rotations at once one retires the active key; the others find
-- none and are tried again. Keys whose end is an hour past are forgotten.
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
