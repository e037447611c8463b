-- Creates an API key with its first text: nothing → accepted.
--
-- key: $1 id, $2 name, $3 role, $4 namespace?, $5 who asks, $6 lifetime (ms)?;
-- text: $7 hash, $8 its beginning.
-- Parameters marked ? are nullable. Nothing happens if a key that is not revoked has the
-- name, unless it has expired: such a key is revoked as of its end, and its name is taken.
-- Reads api_key_name_is_one. Locks: the row of the expired key.
WITH keys_ended AS (
    UPDATE api_key SET revoked_at = expires_at, revoked_by = 'its end'
    WHERE name = $2 AND revoked_at IS NULL AND expires_at <= clock_timestamp()
    RETURNING id
),
created AS (
    INSERT INTO api_key (id, name, role, namespace, created_by, expires_at)
    SELECT $1, $2, $3::text::role, $4, $5,
           clock_timestamp() + $6::bigint * interval '1 millisecond'
    -- The name is free only when the expired key has given it up.
    FROM (SELECT count(*) FROM keys_ended) AS freed
    ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING
    RETURNING id
),
texts_added AS (
    INSERT INTO api_key_secret (hash, key_id, shown)
    SELECT $7, id, $8 FROM created
    RETURNING key_id
)
SELECT key_id AS "id!" FROM texts_added
