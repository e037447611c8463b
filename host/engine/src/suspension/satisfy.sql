-- Ends a suspension before it begins, because what came before satisfies its
-- condition: the execution stays active under its lease, and the suspension is kept
-- as what its handler goes on with.
--
-- $1 partition, $2 execution id, $3 lease id, $4 epoch, $5 attempt; $6 suspension
-- id, $7 reason, $8 requester, $9 condition, $10 resume policy?, $11 timeout
-- behaviour, $12 state?, $13 its media type?, $14 idempotency key?, $15 satisfiers;
-- pending waitpoints bound: $16 ids, $17 signals they had when it was decided, $18
-- whether they close; $19 signals that count no more.
--
-- The lease row is written anew, so that no other write of its holder comes in
-- between. Without an answer nothing was done.
-- Locks: the waitpoints, then the lease row.
WITH bound AS MATERIALIZED (
    SELECT t.address
    FROM unnest($16::uuid[], $17::integer[]) AS b(id, signals)
    CROSS JOIN LATERAL (
        SELECT t.ctid AS address, t.state, t.signals FROM waitpoint t
        WHERE t.partition = $1 AND t.execution_id = $2 AND t.id = b.id
        OFFSET 0 FOR UPDATE
    ) AS t
    WHERE t.state = 'pending' AND t.signals = b.signals
),
held AS (
    UPDATE lease l SET renewals = l.renewals
    FROM (SELECT l.ctid AS address, l.xmin AS version FROM lease l
          WHERE l.partition = $1 AND l.execution_id = $2 OFFSET 0) AS found
    WHERE l.ctid = found.address AND l.xmin = found.version AND l.lease_id = $3
      AND l.epoch = $4 AND l.attempt = $5
      AND l.expires_at > clock_timestamp()
      AND cardinality($16::uuid[]) = (SELECT count(*) FROM bound)
    RETURNING l.replays
),
begun AS (
    INSERT INTO suspension (partition, execution_id, id, epoch, attempt, replays, reason,
                            requested_by, condition, resume_policy, timeout_behavior, state,
                            state_type, idempotency_key, at_once, closed_at, close_reason,
                            satisfiers)
    SELECT $1, $2, $6, $4, $5, replays, $7, $8, $9, $10, $11, $12, $13, $14, true,
           clock_timestamp(), 'satisfied', $15
    FROM held
    RETURNING closed_at
),
left_open AS (
    UPDATE waitpoint t
    SET state = CASE WHEN $18::boolean THEN 'closed' ELSE t.state END,
        close_reason = CASE WHEN $18::boolean THEN 'resumed' END,
        closed_at = CASE WHEN $18::boolean THEN clock_timestamp() END,
        activated_at = clock_timestamp(), suspension_id = $6
    FROM bound b, held
    WHERE t.ctid = b.address
),
used_up AS (
    UPDATE signal g SET spent = true
    FROM held
    WHERE g.partition = $1 AND g.execution_id = $2 AND g.id = ANY ($19::uuid[])
)
SELECT closed_at AS "closed_at!" FROM begun
