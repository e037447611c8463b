-- Takes webhooks that are due for a turn: no other host delivers them until its end.
--
-- $1 id of the turn; $2 how long it lasts unless it is extended (ms); $3 most webhooks.
-- The least recently due first. Reads webhook_due. Locks: the webhooks taken.
UPDATE webhook
SET turn = $1, turn_until = clock_timestamp() + $2::bigint * interval '1 millisecond'
WHERE id = ANY (ARRAY(
    SELECT w.id FROM webhook w
    WHERE w.state = 'active' AND w.next_try_at <= clock_timestamp()
      AND (w.turn_until IS NULL OR w.turn_until <= clock_timestamp())
    ORDER BY w.next_try_at, w.id LIMIT $3 FOR UPDATE SKIP LOCKED))
RETURNING id
