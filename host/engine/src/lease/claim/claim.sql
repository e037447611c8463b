-- Claims ready executions of one partition: waiting → active.
--
-- $1 partition
-- worker: $2 instance, $3 lease time to live (ms), $4 kinds, each once, or null for any,
-- $5 capabilities
-- shares, in the order to serve them: $6 lanes, $7 namespaces, $8 at most so many
-- executions of each
-- grants: $9 executions to take, $10 their grants
--
-- Reads ready_queue share by share and in each share kind by kind, so that its cost does
-- not grow with the backlog, neither of these kinds nor of others. `reading` merges the
-- kinds in the order of priority and time: each round reads some rows of each kind and
-- locks none. If a kind may have more of them, what comes after the last one read of it
-- is left to the next round (`rank`, `ready_at` and `place` are where that begins),
-- which reads more. `place` is the address: rows of a kind with the same priority and
-- time are in the order of their addresses. Rounds are read while rows are missing, and
-- rows are locked one by one in that order, none that is not taken: a locked row would
-- be hidden from the claims of others.
-- Rows another claim holds are skipped, and so are rows whose grant has not expired:
-- those are taken by their grant alone. Both ways are one statement, because a second
-- one would be a second place that grants leases. The arrays of row addresses are
-- computed once and leave the planner no second choice.
-- Locks: the ready rows taken; held until the statement ends.
WITH from_ready AS (
    DELETE FROM ready WHERE ctid = ANY (ARRAY(
        SELECT taken.ctid
        FROM unnest($6::text[], $7::text[], $8::integer[]) AS share(lane, namespace, max)
        CROSS JOIN LATERAL (
            WITH RECURSIVE present(kind) AS (
                SELECT '' COLLATE "C" WHERE $4::text[] IS NULL
                UNION ALL
                SELECT following.kind
                FROM present p
                CROSS JOIN LATERAL (
                    SELECT r.kind FROM ready r
                    WHERE r.partition = $1 AND r.lane = share.lane
                      AND r.namespace = share.namespace AND r.kind > p.kind
                    ORDER BY r.kind
                    LIMIT 1
                ) AS following
            ),
            reading(kinds, depth, behind, rank, ready_at, place, found) AS (
                SELECT asked.kinds,
                       least(share.max, 2 * share.max / greatest(cardinality(asked.kinds), 1) + 4),
                       NULL::text COLLATE "C", (-1)::smallint, '-infinity'::timestamptz,
                       '(0,0)'::tid, '{}'::tid[]
                FROM (SELECT coalesce($4, ARRAY(SELECT kind FROM present))) AS asked(kinds)
                UNION ALL
                SELECT round.kinds, b.depth, round.kind, round.rank, round.ready_at, round.place,
                       round.found
                FROM reading b
                CROSS JOIN LATERAL (
                    WITH candidate AS (
                        SELECT k.kind, h.rank, h.ready_at, h.place, h.number = k.most AS last
                        FROM (
                            SELECT kind, CASE kind WHEN b.behind THEN share.max ELSE b.depth END
                            FROM unnest(b.kinds) AS k(kind)
                        ) AS k(kind, most)
                        CROSS JOIN LATERAL (
                            SELECT r.rank, r.ready_at, r.ctid AS place,
                                   row_number() OVER () AS number
                            FROM ready r
                            WHERE r.partition = $1 AND r.lane = share.lane
                              AND r.namespace = share.namespace AND r.kind = k.kind
                              AND (r.rank, r.ready_at, r.ctid) > (b.rank, b.ready_at, b.place)
                              AND (r.required_capabilities IS NULL
                                   OR r.required_capabilities <@ $5::text[])
                              AND (r.granted_until IS NULL
                                   OR r.granted_until <= clock_timestamp())
                            ORDER BY r.rank, r.ready_at
                            LIMIT k.most
                        ) AS h
                    ),
                    horizon AS (
                        SELECT h.kind, h.rank, h.ready_at, h.place FROM candidate h WHERE h.last
                        ORDER BY h.rank, h.ready_at, h.place
                        LIMIT 1
                    )
                    SELECT z.*, ARRAY(
                               SELECT h.place FROM candidate h
                               WHERE z.rank IS NULL
                                  OR (h.rank, h.ready_at, h.place) <= (z.rank, z.ready_at, z.place)
                           ) AS found,
                           ARRAY(
                               SELECT DISTINCT h.kind FROM candidate h
                               WHERE (h.rank, h.ready_at, h.place) >= (z.rank, z.ready_at, z.place)
                           ) AS kinds
                    FROM (SELECT) AS always LEFT JOIN horizon z ON true
                ) AS round
                WHERE b.rank IS NOT NULL
            )
            SELECT locked.ctid
            FROM reading b
            CROSS JOIN LATERAL (
                SELECT r.ctid FROM ready r
                WHERE r.ctid = ANY (b.found)
                  AND (r.granted_until IS NULL OR r.granted_until <= clock_timestamp())
                ORDER BY r.rank, r.ready_at, r.ctid
                FOR UPDATE SKIP LOCKED
            ) AS locked
            LIMIT share.max
        ) AS taken
    ) || ARRAY(
        SELECT promised.ctid
        FROM unnest($9::uuid[], $10::uuid[]) AS g(execution_id, grant_id)
        CROSS JOIN LATERAL (
            SELECT r.ctid
            FROM ready r
            WHERE r.partition = $1 AND r.execution_id = g.execution_id
              AND r.grant_id = g.grant_id AND r.granted_until > clock_timestamp()
            FOR UPDATE
        ) AS promised
    ))
    RETURNING execution_id, lane, rank, ready_at, kind, epoch, attempts, retries, reclaims,
              replays, next_type, resumes
),
moved AS (
    SELECT r.*, gen_random_uuid() AS lease_id, r.epoch + 1 AS new_epoch,
           CASE WHEN r.resumes THEN r.attempts - 1 ELSE r.attempts END AS attempt,
           e.namespace, e.class_id, e.creator, e.input, e.input_type, e.flow_id, e.traceparent, e.has_tags, e.policy,
           time_left.ms AS attempt_timeout_ms,
           clock_timestamp() + $3::integer * interval '1 millisecond' AS expires_at,
           clock_timestamp() + time_left.ms * interval '1 millisecond' AS attempt_deadline_at
    FROM from_ready r
    CROSS JOIN LATERAL (
        SELECT e.* FROM execution e WHERE e.partition = $1 AND e.id = r.execution_id OFFSET 0
    ) AS e
    CROSS JOIN LATERAL (
        -- Of an attempt that resumes, what its last lease left.
        SELECT CASE WHEN r.resumes AND e.attempt_timeout_ms IS NOT NULL
                    THEN coalesce((SELECT a.left_ms FROM attempt a
                                   WHERE a.partition = $1 AND a.execution_id = r.execution_id
                                   ORDER BY a.epoch DESC LIMIT 1), e.attempt_timeout_ms)
                    ELSE e.attempt_timeout_ms END AS ms
    ) AS time_left
),
to_lease AS (
    INSERT INTO lease (partition, execution_id, lease_id, epoch, namespace, lane, class_id, rank,
                       worker_instance_id, attempt, attempt_type, retries, reclaims, replays,
                       expires_at, attempt_deadline_at, flow_id)
    SELECT $1, execution_id, lease_id, new_epoch, namespace, lane, class_id, rank, $2, attempt, next_type,
           retries, reclaims, replays, expires_at, attempt_deadline_at, flow_id
    FROM moved
),
happened AS (
    SELECT CASE next_type WHEN 'reclaim' THEN 'reclaimed'::event_kind
                          ELSE 'acquired'::event_kind END AS kind,
           execution_id, class_id, namespace, new_epoch AS epoch, attempt, lease_id,
           $2::text AS worker_instance_id, NULL::text AS detail
    FROM moved
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
SELECT execution_id AS "execution_id!", lease_id AS "lease_id!", new_epoch AS "epoch!",
       attempt AS "attempt!", expires_at AS "expires_at!",
       next_type::text AS "attempt_type!", resumes AS "resumes!",
       namespace AS "namespace!", lane AS "lane!", kind AS "kind!", creator, flow_id, traceparent,
       input AS "input!", input_type AS "input_type!", policy,
       attempt_timeout_ms, retries AS "retries!",
       -- Sorted outside, or the order might choose the index.
       CASE WHEN has_tags THEN ARRAY(
           SELECT unnest(ARRAY[tag.key, tag.value]) FROM (
               SELECT t.key, t.value FROM tag t
               WHERE t.partition = $1 AND t.execution_id = moved.execution_id OFFSET 0
           ) AS tag ORDER BY tag.key)
       END AS tags
FROM moved
ORDER BY rank, ready_at
