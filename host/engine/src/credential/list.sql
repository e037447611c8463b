-- Reads API keys, newest first: one of them, or a page.
--
-- $1 only this key?; $2 id to continue after?; $3 only those accepted now; $4 most rows;
-- $5 namespaces of the caller?, null for all, and for keys of every namespace; $6 name?.
-- Parameters marked ? are nullable. Walks the primary key; keys are as many as people make.
SELECT k.id, k.name, k.role::text AS "role!", k.namespace,
       k.created_at AS "created_at: StoredTime", k.created_by,
       k.expires_at AS "expires_at: StoredTime", k.last_used_at AS "last_used_at: StoredTime",
       k.revoked_at AS "revoked_at: StoredTime", k.revoked_by, ends.accepted AS "accepted!",
       coalesce(t.shown, '{}') AS "shown!",
       coalesce(t.valid_until, '{}') AS "valid_until!: Vec<Option<StoredTime>>"
FROM api_key k
CROSS JOIN LATERAL (
    SELECT k.revoked_at IS NULL
       AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp()) AS accepted
) AS ends
CROSS JOIN LATERAL (
    SELECT array_agg(s.shown ORDER BY s.created_at DESC, s.hash) AS shown,
           array_agg(s.valid_until ORDER BY s.created_at DESC, s.hash) AS valid_until
    FROM api_key_secret s
    WHERE s.key_id = k.id
      AND (s.valid_until IS NULL OR s.valid_until > clock_timestamp())
) AS t
WHERE ($1::uuid IS NULL OR k.id = $1) AND ($2::uuid IS NULL OR k.id < $2)
  AND (NOT $3::boolean OR ends.accepted)
  AND ($5::text[] IS NULL OR k.namespace = ANY ($5))
  AND ($6::text IS NULL OR k.name = $6)
ORDER BY k.id DESC
LIMIT $4
