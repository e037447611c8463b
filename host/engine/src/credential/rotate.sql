-- Rotates an API key: gives it another text, and the texts before an end.
--
-- $1 key; text: $2 hash, $3 its beginning; $4 how long the texts before are accepted (ms);
-- $5 most texts that are accepted at the same time; $6 namespaces of the caller?, null for
-- all.
-- Nothing happens if the key is not accepted, there are too many texts, or another rotation
-- came first (api_key_secret_current_is_one lets one text be without an end); what it may
-- have ended then would be ended by the next try. Without an overlap there are no more texts
-- than before, so a text that leaked can always be replaced. Texts past their end are deleted.
-- Reads api_key_secret_of_key. Locks: the key, then its texts.
WITH locked AS (
    SELECT id FROM api_key
    WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())
      AND ($6::text[] IS NULL OR namespace = ANY ($6))
    FOR NO KEY UPDATE
),
candidate AS (
    SELECT l.id FROM locked l
    WHERE $4::bigint = 0
       OR (SELECT count(*) FROM api_key_secret s
           WHERE s.key_id = l.id
             AND (s.valid_until IS NULL OR s.valid_until > clock_timestamp())) < $5::bigint
),
texts_ended AS (
    UPDATE api_key_secret s
    SET valid_until = least(s.valid_until, clock_timestamp() + $4::bigint * interval '1 millisecond')
    FROM candidate r
    WHERE s.key_id = r.id AND (s.valid_until IS NULL OR s.valid_until > clock_timestamp())
    RETURNING s.hash
),
texts_removed AS (
    DELETE FROM api_key_secret s USING candidate r
    WHERE s.key_id = r.id AND s.valid_until <= clock_timestamp()
),
texts_added AS (
    INSERT INTO api_key_secret (hash, key_id, shown)
    -- The place of the current text is free only when that has got its end.
    SELECT $2, r.id, $3 FROM candidate r CROSS JOIN (SELECT count(*) FROM texts_ended) AS freed
    ON CONFLICT (key_id) WHERE valid_until IS NULL DO NOTHING
    RETURNING key_id
)
SELECT key_id AS "id!" FROM texts_added
