-- Each row names an invariant and counts the rows that break it. Events
-- are counted once for every execution, so that millions can be checked.
WITH place AS (
    SELECT partition, execution_id, epoch, replays, 'ready' AS place FROM ready
    UNION ALL SELECT partition, execution_id, epoch, replays, 'lease' FROM lease
    UNION ALL SELECT partition, execution_id, epoch, replays, 'parked' FROM parked
    UNION ALL SELECT partition, execution_id, epoch, replays, 'finished' FROM finished
),
logged AS (
    SELECT u.kind, u.execution_id, u.epoch, u.detail, e.xid, e.seq
    FROM event e CROSS JOIN LATERAL unnest(e.kinds, e.execution_ids, e.epochs, e.details)
        AS u(kind, execution_id, epoch, detail)
),
counted AS (
    SELECT execution_id,
           count(*) FILTER (WHERE kind = 'created') AS created,
           count(*) FILTER (WHERE kind = 'replayed') AS replayed,
           count(*) FILTER (WHERE kind = 'suspended') AS suspended,
           count(*) FILTER (WHERE kind = 'resumed') AS resumed,
           count(*) FILTER (WHERE kind = 'signalled'
                              -- Told of a signal that has its event already.
                              AND split_part(detail, ' ', 3) NOT IN ('deduped', 'satisfied')) AS signalled,
           count(*) FILTER (WHERE kind IN ('success', 'failed', 'cancelled', 'execution_expired',
                                           'skipped')) AS ended
    FROM logged GROUP BY execution_id
),
granted AS (
    SELECT DISTINCT execution_id, epoch FROM logged WHERE kind IN ('acquired', 'reclaimed')
),
last_ended AS (
    SELECT partition, execution_id, max(attempt) AS attempt FROM attempt
    GROUP BY partition, execution_id
)
SELECT 'an execution is in exactly one place', count(*) FROM (
    SELECT e.id FROM execution e LEFT JOIN place p ON p.execution_id = e.id
    GROUP BY e.id HAVING count(p.place) <> 1) AS broken
UNION ALL
SELECT 'a place belongs to an execution', count(*) FROM place p
WHERE NOT EXISTS (SELECT FROM execution e WHERE e.partition = p.partition AND e.id = p.execution_id)
UNION ALL
SELECT 'epochs of attempts are below or at the present epoch', count(*) FROM ended_lease a
JOIN place p USING (partition, execution_id) WHERE a.epoch > p.epoch
UNION ALL
SELECT 'a lease has a newer epoch than every ended one', count(*) FROM lease l
JOIN attempt a USING (partition, execution_id) WHERE a.epoch >= l.epoch
UNION ALL
SELECT 'an involuntary end raised the epoch', count(*) FROM ended_lease a
JOIN place p USING (partition, execution_id)
WHERE a.ended IN ('lease_expired', 'lease_revoked') AND p.epoch <= a.epoch
UNION ALL
SELECT 'every grant has its event', count(*) FROM (
    SELECT execution_id, epoch FROM lease UNION ALL SELECT execution_id, epoch FROM ended_lease) AS held
LEFT JOIN granted g USING (execution_id, epoch) WHERE g.execution_id IS NULL
UNION ALL
SELECT 'every execution has exactly one created event', count(*) FROM execution e
LEFT JOIN counted t ON t.execution_id = e.id WHERE t.created IS DISTINCT FROM 1
UNION ALL
SELECT 'every end has exactly one event', count(*) FROM place p
LEFT JOIN counted t USING (execution_id)
WHERE t.ended IS DISTINCT FROM p.replays + (p.place = 'finished')::integer
UNION ALL
SELECT 'every replay has exactly one event', count(*) FROM place p
LEFT JOIN counted t USING (execution_id) WHERE t.replayed IS DISTINCT FROM p.replays
UNION ALL
SELECT 'attempts are numbered without gaps', count(*) FROM (
    SELECT execution_id FROM ended_lease GROUP BY execution_id
    HAVING max(attempt) + 1 <> count(DISTINCT attempt)) AS broken
UNION ALL
SELECT 'a running execution belongs to the attempt after the ended ones', count(*) FROM lease l
JOIN last_ended a USING (partition, execution_id) WHERE l.attempt < a.attempt
UNION ALL
SELECT 'an idempotency key and its execution share a partition', count(*) FROM idempotency i
WHERE NOT EXISTS (SELECT FROM execution e
                  WHERE e.partition = i.partition AND e.id = i.execution_id)
UNION ALL
SELECT 'a ready execution is in the queue of its namespace', count(*) FROM ready r
JOIN execution e ON e.partition = r.partition AND e.id = r.execution_id
WHERE e.namespace <> r.namespace OR e.lane <> r.lane
UNION ALL
SELECT 'of waitpoint keys, if there are any, exactly one signs', count(*) FROM (
    SELECT FROM waitpoint_key HAVING count(*) > 0 AND count(*) FILTER (WHERE state = 'active') <> 1
) AS broken
UNION ALL
SELECT 'a suspended execution has an open suspension', count(*) FROM parked p
LEFT JOIN suspension s ON s.partition = p.partition AND s.execution_id = p.execution_id
                      AND s.id = p.suspension_id AND s.closed_at IS NULL
WHERE p.state = 'suspended' AND s.id IS NULL
UNION ALL
SELECT 'an open suspension has a suspended execution', count(*) FROM suspension s
LEFT JOIN parked p ON p.partition = s.partition AND p.execution_id = s.execution_id
                  AND p.suspension_id = s.id
WHERE s.closed_at IS NULL AND p.execution_id IS NULL
UNION ALL
SELECT 'an active waitpoint is of an open suspension', count(*) FROM waitpoint t
LEFT JOIN suspension s ON s.partition = t.partition AND s.execution_id = t.execution_id
                      AND s.id = t.suspension_id AND s.closed_at IS NULL
WHERE t.state = 'active' AND s.id IS NULL
UNION ALL
SELECT 'a waitpoint counts its signals', count(*) FROM (
    SELECT FROM waitpoint t LEFT JOIN signal g USING (partition, execution_id)
    GROUP BY t.partition, t.execution_id, t.id, t.signals
    HAVING t.signals <> count(*) FILTER (WHERE g.waitpoint_id = t.id)) AS broken
UNION ALL
SELECT 'a suspension has one event for its begin and one for its resumption', count(*) FROM (
    SELECT s.execution_id,
           count(*) FILTER (WHERE NOT s.at_once) AS begun,
           count(*) FILTER (WHERE NOT s.at_once AND s.close_reason IN (
               'satisfied', 'operator_resume', 'timed_out_auto_resume')) AS resumed
    FROM suspension s GROUP BY s.execution_id) AS x
LEFT JOIN counted t USING (execution_id)
WHERE (t.suspended, t.resumed) IS DISTINCT FROM (x.begun, x.resumed)
UNION ALL
SELECT 'a signal has one event', count(*) FROM (
    SELECT execution_id, count(*) AS signals FROM signal GROUP BY execution_id) AS x
LEFT JOIN counted t USING (execution_id) WHERE t.signalled IS DISTINCT FROM x.signals
UNION ALL
SELECT 'the log says of what class an execution is', count(*) FROM event e
CROSS JOIN LATERAL unnest(e.execution_ids, e.classes, e.kinds) AS u(execution_id, class_id, kind)
JOIN execution x ON x.partition = e.partition AND x.id = u.execution_id
LEFT JOIN execution_class c ON c.id = u.class_id
WHERE (c.namespace, c.lane, c.kind) IS DISTINCT FROM (x.namespace, x.lane, x.kind)
  -- A flow may have the id of an execution.
  AND u.kind NOT IN ('flow_ended', 'flow_cancel_requested')
UNION ALL
SELECT 'a stream has the frames that it counts', count(*) FROM (
    SELECT FROM stream s
    CROSS JOIN LATERAL (VALUES
        ('durable'::frame_mode, s.durable, s.durable_removed),
        ('durable_summary', s.summary, s.summary_removed),
        ('best_effort', s.best_effort, s.best_effort_removed)) AS m(mode, appended, removed)
    LEFT JOIN stream_frame f USING (partition, execution_id, attempt, mode)
    GROUP BY s.partition, s.execution_id, s.attempt, s.place, m.mode, m.appended, m.removed
    HAVING count(f.place) <> m.appended - m.removed
        OR count(DISTINCT f.ordinal) <> m.appended - m.removed
        OR min(f.ordinal) <> m.removed + 1 OR max(f.ordinal) <> m.appended
        OR max(f.place) > s.place) AS broken
UNION ALL
SELECT 'a summary has the version that its stream counts', count(*) FROM stream_summary d
LEFT JOIN stream s USING (partition, execution_id, attempt)
WHERE d.version IS DISTINCT FROM s.summary
