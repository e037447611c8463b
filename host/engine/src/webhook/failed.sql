-- Records that a try of a webhook failed, and ends the turn: active → active, paused (its
-- receiver is gone) or stalled (it failed for too long).
--
-- $1 webhook, $2 turn, $3 cursor it stands at; $4 status?, $5 error, $6 whether the receiver
-- is gone; $7 pause before another try (ms), $8 how long failures may last (ms).
-- Parameters marked ? are nullable. One that was paused in between stays paused.
-- Locks: the webhook.
UPDATE webhook w
SET failures = w.failures + 1,
    failed_since = coalesce(w.failed_since, clock_timestamp()),
    next_try_at = clock_timestamp() + $7::bigint * interval '1 millisecond',
    last_try_at = clock_timestamp(), last_status = $4, last_error = $5,
    turn = NULL, turn_until = NULL,
    state = outcome.state,
    reason = CASE
        WHEN w.state = outcome.state THEN w.reason
        WHEN outcome.state = 'paused' THEN 'the receiver answered 410: it wants no more events'
        ELSE 'the receiver failed for ' || ($8::bigint / 1000) || ' s: ' || $5::text
    END,
    changed_at = CASE WHEN w.state = outcome.state THEN w.changed_at ELSE clock_timestamp() END,
    changed_by = CASE WHEN w.state = outcome.state THEN w.changed_by ELSE 'delivery' END
FROM webhook b
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN b.state <> 'active' THEN b.state
        WHEN $6::boolean THEN 'paused'::webhook_state
        WHEN b.failed_since <= clock_timestamp() - $8::bigint * interval '1 millisecond'
            THEN 'stalled'::webhook_state
        ELSE b.state
    END AS state
) AS outcome
WHERE w.id = $1 AND w.turn = $2 AND w.cursor = $3 AND b.id = w.id
RETURNING w.state::text AS "state!"
