-- Expires waitpoints that no execution suspended on in time: pending → expired. No event.
--
-- Parameters:
-- $1 most waitpoints
--
-- Reads waitpoint_pending. Rows that another statement locks are skipped.
-- Locks: the waitpoints taken.
UPDATE waitpoint
SET state = 'expired', close_reason = 'never_committed', closed_at = clock_timestamp()
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM waitpoint
    WHERE state = 'pending'
      AND coalesce(expires_at, 'infinity') <= statement_timestamp()
    ORDER BY coalesce(expires_at, 'infinity')
    LIMIT $1
    FOR UPDATE SKIP LOCKED
))
RETURNING id
