-- Reads webhooks, newest first: one of them, or a page; never their secrets.
--
-- $1 only this webhook?; $2 id to continue after?; $3 most rows; $4 namespace of the caller?,
-- null for all, and for webhooks of every namespace. Parameters marked ? are nullable.
-- Walks the primary key; webhooks are at most a thousand.
SELECT w.id, w.name, w.namespace, w.family, w.filter, w.url, w.state::text AS "state!", w.reason,
       w.cursor, w.failures, w.failed_since AS "failed_since: StoredTime",
       w.next_try_at AS "next_try_at: StoredTime", w.last_try_at AS "last_try_at: StoredTime",
       w.last_status, w.last_error, w.last_delivery_at AS "last_delivery_at: StoredTime",
       CASE WHEN w.old_secret_until > clock_timestamp() THEN w.old_secret_until END
           AS "old_secret_until: StoredTime",
       w.created_at AS "created_at: StoredTime", w.created_by,
       w.changed_at AS "changed_at: StoredTime", w.changed_by
FROM webhook w
WHERE ($1::uuid IS NULL OR w.id = $1) AND ($2::uuid IS NULL OR w.id < $2)
  AND ($4::text IS NULL OR w.namespace = $4)
ORDER BY w.id DESC
LIMIT $3
