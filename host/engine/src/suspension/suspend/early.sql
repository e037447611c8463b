-- Ends a suspension before it begins, because signals that were received early satisfy
-- its condition: the execution stays active under its lease, and the suspension is stored
-- as what its handler resumes with.
--
-- $1 partition;
-- lease: $2 execution id, $3 id, $4 epoch, $5 attempt;
-- suspension: $6 id, $7 reason, $8 requester, $9 condition, $10 resume policy?, $11
--   timeout behavior, $12 state?, $13 its media type?, $14 idempotency key?, $15
--   satisfiers, $16 signals that are consumed;
-- pending waitpoints: $17 ids, $18 how many signals each had when this was decided, $19
--   whether they close.
--
-- The lease row is written although nothing in it changes, so that no other write of its
-- holder comes in between. Without an answer nothing was done. The execution's state does not
-- change, so the log tells of the signals alone, which were buffered before: that they
-- satisfy.
-- Locks: the waitpoints, then the lease row.
WITH waitpoints_locked AS MATERIALIZED (
    SELECT w.address
    FROM unnest($17::uuid[], $18::integer[]) AS i(id, signals)
    CROSS JOIN LATERAL (
        SELECT w.ctid AS address, w.state, w.signals FROM waitpoint w
        WHERE w.partition = $1 AND w.execution_id = $2 AND w.id = i.id
        OFFSET 0 FOR UPDATE
    ) AS w
    WHERE w.state = 'pending' AND w.signals = i.signals
),
touched AS (
    UPDATE lease l SET renewals = l.renewals
    FROM (SELECT l.ctid AS address, l.xmin AS version FROM lease l
          WHERE l.partition = $1 AND l.execution_id = $2 OFFSET 0) AS found
    WHERE l.ctid = found.address AND l.xmin = found.version AND l.lease_id = $3
      AND l.epoch = $4 AND l.attempt = $5
      AND l.expires_at > clock_timestamp()
      AND cardinality($17::uuid[]) = (SELECT count(*) FROM waitpoints_locked)
    RETURNING l.replays, l.namespace, l.class_id
),
suspensions AS (
    INSERT INTO suspension (partition, execution_id, id, epoch, attempt, replays, reason,
                            requested_by, condition, resume_policy, timeout_behavior, state,
                            state_type, idempotency_key, at_once, closed_at, close_reason,
                            satisfiers)
    SELECT $1, $2, $6, $4, $5, replays, $7, $8, $9, $10, $11, $12, $13, $14, true,
           clock_timestamp(), 'satisfied', $15
    FROM touched
    RETURNING closed_at
),
waitpoints_bound AS (
    UPDATE waitpoint w
    SET state = CASE WHEN $19::boolean THEN 'closed' ELSE w.state END,
        close_reason = CASE WHEN $19::boolean THEN 'resumed' END,
        closed_at = CASE WHEN $19::boolean THEN clock_timestamp() END,
        activated_at = clock_timestamp(), suspension_id = $6
    FROM waitpoints_locked q, touched
    WHERE w.ctid = q.address
),
signals_consumed AS (
    UPDATE signal g SET spent = true
    FROM touched
    WHERE g.partition = $1 AND g.execution_id = $2 AND g.id = ANY ($16::uuid[])
),
happened AS (
    SELECT 'signalled'::event_kind AS kind, $2::uuid AS execution_id, t.class_id, t.namespace,
           $4::bigint AS epoch, NULL::integer AS attempt, NULL::uuid AS lease_id,
           NULL::text AS worker_instance_id,
           concat_ws(' ', g.id, g.waitpoint_id, 'satisfied', g.source_identity) AS detail
    FROM touched t
    CROSS JOIN LATERAL (
        SELECT g.* FROM signal g
        WHERE g.partition = $1 AND g.execution_id = $2 AND g.id = ANY ($15::uuid[])
        OFFSET 0
    ) AS g
),
events AS (
    INSERT INTO event (partition, stripe, kinds, execution_ids, classes, namespaces, epochs,
                       attempts, lease_ids, workers, details)
    SELECT $1, $1 / 256, array_agg(kind), array_agg(execution_id), array_agg(class_id),
           array_agg(CASE WHEN class_id IS NULL THEN namespace END), array_agg(epoch),
           array_agg(attempt), array_agg(lease_id), array_agg(worker_instance_id),
           CASE WHEN count(detail) > 0 THEN array_agg(detail) END
    FROM happened
    HAVING count(*) > 0
)
SELECT closed_at AS "closed_at!" FROM suspensions
