-- Writes what was decided about units of one partition: signals that were accepted, and
-- suspensions that end, suspended → waiting, delayed or, dispatched directly to an idle
-- worker, active.
--
-- A unit is an open suspension with its active waitpoints, guarded by the parked row, or
-- one pending waitpoint, guarded by its own. It is written whole if its guard is as it was
-- read and every token used on it is valid, and otherwise not at all: calls of a unit that
-- is not in the answer are decided again. Whichever statement deletes the parked row ends
-- the suspension, so it ends once.
--
-- $1 partition, $2 most signals and $3 most bytes of them that come with a lease, though
-- the first signal always comes; then arrays, nullable where marked?:
-- units, sorted by execution and waitpoint, numbered from 1: $4 execution ids, $5
--   suspension ids?, $6 pending waitpoint ids?, $7 expected changes or signals, $8 epochs,
--   $9 namespaces;
-- ends of their suspensions: $10 close reason? (absent: it stays open), $11 satisfiers?
--   (comma separated), $12 consumed signals? (likewise), $13 delay (ms)?, $14 close reason
--   of the waitpoints? (absent: they are pending again);
-- leases of units dispatched directly: $15 worker?, $16 time to live (ms)?;
-- operations: $17 number of the unit, $18 verb, $19 actor, $20 reason?, $21 detail?;
-- signals, in their order: $22 number of the unit, $23 id, $24 waitpoint id, $25 name, $26
--   category?, $27 source type, $28 source identity, $29 correlation id?, $30 payload?, $31
--   its media type?, $32 effect, $33 idempotency key?, $34 how long that is remembered
--   (ms)?, $35 key id of its token?, $36 expiry of that?.
--
-- Locks: pending waitpoints in the order of their executions and ids, then parked rows
-- likewise, then suspensions and their waitpoints.
WITH input AS MATERIALIZED (
    SELECT i.*
    FROM unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::integer[], $8::bigint[], $9::text[],
                $10::text[], $11::text[], $12::text[], $13::bigint[], $14::text[],
                $15::text[], $16::integer[])
        WITH ORDINALITY
        AS i(execution_id, suspension_id, waitpoint_id, expected, epoch, namespace,
             close_reason, satisfiers, consumed, delay_ms, waitpoint_reason,
             worker_instance_id, lease_ttl_ms, number)
    WHERE NOT EXISTS (
        SELECT FROM unnest($22::integer[], $35::text[], $36::timestamptz[])
            AS u(unit, kid, expires_at)
        WHERE u.unit = i.number
          AND (u.expires_at <= clock_timestamp()
               OR u.kid IS NOT NULL AND NOT EXISTS (
                   SELECT FROM accepted_waitpoint_key a WHERE a.kid = u.kid)))
),
buffered AS (
    UPDATE waitpoint w SET signals = w.signals + n.signals, last_signal_at = clock_timestamp()
    FROM input i
    CROSS JOIN LATERAL (
        SELECT w.ctid AS address FROM waitpoint w
        WHERE w.partition = $1 AND w.execution_id = i.execution_id AND w.id = i.waitpoint_id
        OFFSET 0
    ) AS found
    CROSS JOIN LATERAL (
        SELECT count(*)::integer AS signals FROM unnest($22::integer[]) AS u(unit)
        WHERE u.unit = i.number
    ) AS n
    -- As text, or else a plan made while few waitpoints are pending reads them all.
    WHERE w.ctid = found.address AND w.state::text = 'pending' AND w.signals = i.expected
    RETURNING i.number
),
locked AS MATERIALIZED (
    SELECT i.*, p.address
    FROM input i
    CROSS JOIN LATERAL (
        SELECT p.ctid AS address FROM parked p
        WHERE p.partition = $1 AND p.execution_id = i.execution_id
          AND p.suspension_id = i.suspension_id AND p.changes = i.expected
        FOR UPDATE
    ) AS p
    WHERE i.suspension_id IS NOT NULL
      -- After every pending waitpoint is locked.
      AND (SELECT count(*) FROM buffered) >= 0
),
touched AS (
    UPDATE parked p SET changes = p.changes + 1
    FROM locked q WHERE p.ctid = q.address AND q.close_reason IS NULL
    RETURNING q.number
),
from_parked AS (
    DELETE FROM parked p USING locked q WHERE p.ctid = q.address AND q.close_reason IS NOT NULL
    RETURNING q.number, q.execution_id, q.namespace, q.close_reason, q.satisfiers, q.consumed,
              q.delay_ms, q.worker_instance_id, q.lease_ttl_ms, p.lane, p.rank, p.epoch,
              p.attempts, p.retries, p.reclaims, p.replays, p.next_type
),
applied AS MATERIALIZED (
    SELECT i.* FROM input i WHERE i.number IN (
        SELECT number FROM touched UNION ALL SELECT number FROM from_parked
        UNION ALL SELECT number FROM buffered)
),
signals AS (
    INSERT INTO signal (partition, execution_id, id, waitpoint_id, name, category, source_type,
                        source_identity, correlation_id, payload, payload_type, effect, spent,
                        idempotency_key, key_expires_at, token_kid)
    SELECT $1, a.execution_id, u.id, u.waitpoint_id, u.name, u.category, u.source_type,
           u.source_identity, u.correlation_id, u.payload, u.payload_type, u.effect,
           coalesce(u.id::text = ANY (string_to_array(a.consumed, ',')), false), u.key,
           clock_timestamp() + u.key_ttl_ms * interval '1 millisecond', u.kid
    FROM unnest($22::integer[], $23::uuid[], $24::uuid[], $25::text[], $26::text[], $27::text[],
                $28::text[], $29::text[], $30::bytea[], $31::text[], $32::text[], $33::text[],
                $34::bigint[], $35::text[])
        WITH ORDINALITY
        AS u(unit, id, waitpoint_id, name, category, source_type, source_identity,
             correlation_id, payload, payload_type, effect, key, key_ttl_ms, kid, number)
    JOIN applied a ON a.number = u.unit
    ORDER BY u.number
    RETURNING execution_id, seq, id, waitpoint_id, name, category, source_type, source_identity,
              correlation_id, payload, payload_type, accepted_at
),
suspensions_closed AS (
    UPDATE suspension s
    SET closed_at = clock_timestamp(), close_reason = m.close_reason,
        satisfiers = string_to_array(m.satisfiers, ',')::uuid[]
    FROM from_parked m
    CROSS JOIN LATERAL (
        SELECT s.ctid AS address FROM suspension s
        WHERE s.partition = $1 AND s.execution_id = m.execution_id AND s.closed_at IS NULL
        OFFSET 0
    ) AS found
    WHERE s.ctid = found.address
    RETURNING s.execution_id, s.closed_at, s.state, s.state_type
),
waitpoints_updated AS (
    -- Active waitpoints: they receive signals, close, or are pending again.
    UPDATE waitpoint w
    SET signals = w.signals + x.received,
        last_signal_at = CASE WHEN x.received > 0 THEN clock_timestamp()
                              ELSE w.last_signal_at END,
        state = CASE WHEN NOT x.ends THEN w.state
                     WHEN x.waitpoint_reason IS NULL THEN 'pending'
                     ELSE 'closed' END,
        close_reason = CASE WHEN x.ends THEN x.waitpoint_reason END,
        closed_at = CASE WHEN x.ends AND x.waitpoint_reason IS NOT NULL THEN clock_timestamp() END
    FROM (
        SELECT found.address, a.close_reason IS NOT NULL AS ends, a.waitpoint_reason,
               (SELECT count(*)::integer FROM unnest($22::integer[], $24::uuid[])
                    AS u(unit, waitpoint_id)
                WHERE u.unit = a.number AND u.waitpoint_id = found.id) AS received
        FROM applied a
        CROSS JOIN LATERAL (
            SELECT w.ctid AS address, w.id FROM waitpoint w
            WHERE w.partition = $1 AND w.execution_id = a.execution_id AND w.state = 'active'
            OFFSET 0
        ) AS found
        WHERE a.suspension_id IS NOT NULL
    ) AS x
    WHERE w.ctid = x.address AND (x.ends OR x.received > 0)
),
signals_consumed AS (
    UPDATE signal g SET spent = true
    FROM from_parked m
    CROSS JOIN LATERAL (SELECT string_to_array(m.consumed, ',')::uuid[] AS ids OFFSET 0) AS list
    CROSS JOIN LATERAL (
        SELECT g.ctid AS address FROM signal g
        WHERE g.partition = $1 AND g.execution_id = m.execution_id AND g.id = ANY (list.ids)
        OFFSET 0
    ) AS found
    WHERE g.ctid = found.address AND m.consumed IS NOT NULL
),
moved AS MATERIALIZED (
    SELECT m.*, e.kind, e.class_id, e.creator, e.required_capabilities, e.flow_id, e.traceparent, e.input,
           e.input_type, e.policy, e.has_tags,
           -- What the lease that ended with the suspension left of it.
           CASE WHEN m.worker_instance_id IS NOT NULL AND e.attempt_timeout_ms IS NOT NULL
                THEN coalesce((SELECT a.left_ms FROM attempt a
                               WHERE a.partition = $1 AND a.execution_id = m.execution_id
                               ORDER BY a.epoch DESC LIMIT 1), e.attempt_timeout_ms)
           END AS attempt_timeout_ms,
           m.epoch + 1 AS new_epoch, m.attempts - 1 AS attempt,
           CASE WHEN m.worker_instance_id IS NOT NULL THEN gen_random_uuid() END AS lease_id,
           clock_timestamp() + m.lease_ttl_ms * interval '1 millisecond' AS expires_at
    FROM from_parked m
    CROSS JOIN LATERAL (
        SELECT e.* FROM execution e WHERE e.partition = $1 AND e.id = m.execution_id OFFSET 0
    ) AS e
    WHERE m.delay_ms IS NULL
),
to_ready AS (
    INSERT INTO ready (partition, execution_id, lane, namespace, rank, kind,
                       required_capabilities, epoch, attempts, retries, reclaims, replays,
                       next_type, resumes)
    SELECT $1, execution_id, lane, namespace, rank, kind,
           string_to_array(required_capabilities, ','), epoch, attempts, retries, reclaims,
           replays, next_type, true
    FROM moved WHERE worker_instance_id IS NULL
),
to_lease AS (
    INSERT INTO lease (partition, execution_id, lease_id, epoch, namespace, lane, class_id, rank,
                       worker_instance_id, attempt, attempt_type, retries, reclaims, replays,
                       expires_at, attempt_deadline_at, flow_id)
    SELECT $1, execution_id, lease_id, new_epoch, namespace, lane, class_id, rank, worker_instance_id,
           attempt, next_type, retries, reclaims, replays, expires_at,
           clock_timestamp() + attempt_timeout_ms * interval '1 millisecond', flow_id
    FROM moved WHERE worker_instance_id IS NOT NULL
),
to_parked AS (
    INSERT INTO parked (partition, execution_id, state, reason, wake_at, lane, rank, epoch,
                        attempts, retries, reclaims, replays, next_type, resumes)
    SELECT $1, execution_id, 'delayed', 'waiting_for_resume_delay',
           clock_timestamp() + delay_ms * interval '1 millisecond', lane, rank, epoch, attempts,
           retries, reclaims, replays, next_type, true
    FROM from_parked WHERE delay_ms IS NOT NULL
),
operations AS (
    INSERT INTO operation (partition, execution_id, verb, actor, reason, detail, epoch)
    SELECT $1, a.execution_id, u.verb, u.actor, u.reason, u.detail, a.epoch
    FROM unnest($17::integer[], $18::text[], $19::text[], $20::text[], $21::text[])
        AS u(unit, verb, actor, reason, detail)
    JOIN applied a ON a.number = u.unit
),
happened AS (
    SELECT 'signalled'::event_kind AS kind, a.execution_id, e.class_id, a.namespace, a.epoch,
           NULL::integer AS attempt, NULL::uuid AS lease_id, NULL::text AS worker_instance_id,
           concat_ws(' ', u.id, u.waitpoint_id, u.effect, u.source_identity) AS detail
    FROM unnest($22::integer[], $23::uuid[], $24::uuid[], $28::text[], $32::text[])
        AS u(unit, id, waitpoint_id, source_identity, effect)
    JOIN applied a ON a.number = u.unit
    CROSS JOIN LATERAL (
        SELECT e.class_id FROM execution e
        WHERE e.partition = $1 AND e.id = a.execution_id OFFSET 0
    ) AS e
    UNION ALL
    SELECT 'resumed', m.execution_id, e.class_id, m.namespace, m.epoch, NULL, NULL, NULL, NULL
    FROM from_parked m
    CROSS JOIN LATERAL (
        SELECT e.class_id FROM execution e
        WHERE e.partition = $1 AND e.id = m.execution_id OFFSET 0
    ) AS e
    UNION ALL
    SELECT CASE next_type WHEN 'reclaim' THEN 'reclaimed'::event_kind
                          ELSE 'acquired'::event_kind END,
           execution_id, class_id, namespace, new_epoch, attempt, lease_id, worker_instance_id,
           NULL
    FROM moved WHERE worker_instance_id IS NOT NULL
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
SELECT a.number AS "number!", m.execution_id AS "execution_id?", m.lease_id AS "lease_id?",
       m.new_epoch AS "epoch?", m.attempt AS "attempt?", m.expires_at AS "expires_at?",
       m.next_type::text AS attempt_type, m.namespace AS "namespace?", m.lane AS "lane?",
       m.kind AS "kind?", m.creator AS "creator?", m.flow_id AS "flow_id?",
       m.traceparent AS "traceparent?", m.input AS "input?", m.input_type AS "input_type?", m.policy AS "policy?",
       m.attempt_timeout_ms AS "attempt_timeout_ms?", m.retries AS "retries?",
       -- Sorted outside, or the order might choose the index.
       CASE WHEN m.has_tags THEN ARRAY(
           SELECT unnest(ARRAY[label.key, label.value]) FROM (
               SELECT t.key, t.value FROM tag t
               WHERE t.partition = $1 AND t.execution_id = m.execution_id OFFSET 0
           ) AS label ORDER BY label.key)
       END AS tags,
       s.closed_at AS "closed_at?", s.state AS "state?", s.state_type AS "state_type?",
       g.ids AS "signal_ids?", g.waitpoint_ids AS "waitpoint_ids?",
       g.waitpoint_keys AS "waitpoint_keys?", g.names AS "names?",
       g.categories AS "categories?: Vec<Option<String>>", g.source_types AS "source_types?",
       g.source_identities AS "source_identities?",
       g.correlation_ids AS "correlation_ids?: Vec<Option<String>>",
       g.payloads AS "payloads?: Vec<Option<Vec<u8>>>",
       g.payload_types AS "payload_types?: Vec<Option<String>>", g.accepted AS "accepted?"
FROM applied a
LEFT JOIN moved m ON m.number = a.number AND m.worker_instance_id IS NOT NULL
LEFT JOIN suspensions_closed s ON s.execution_id = m.execution_id
LEFT JOIN LATERAL (
    SELECT array_agg(g.id) AS ids, array_agg(g.waitpoint_id) AS waitpoint_ids,
           array_agg(g.waitpoint_key) AS waitpoint_keys, array_agg(g.name) AS names,
           array_agg(g.category) AS categories, array_agg(g.source_type) AS source_types,
           array_agg(g.source_identity) AS source_identities,
           array_agg(g.correlation_id) AS correlation_ids, array_agg(g.payload) AS payloads,
           array_agg(g.payload_type) AS payload_types, array_agg(g.accepted_at) AS accepted
    FROM (
        SELECT g.*, t.key AS waitpoint_key
        FROM (
            SELECT g.*,
                   sum(coalesce(octet_length(g.payload), 0)) OVER (ORDER BY g.seq)
                       - coalesce(octet_length(g.payload), 0) AS before
            FROM (
                SELECT g.seq, g.id, g.waitpoint_id, g.name, g.category, g.source_type,
                       g.source_identity, g.correlation_id, g.payload, g.payload_type,
                       g.accepted_at
                FROM signal g
                WHERE g.partition = $1 AND g.execution_id = m.execution_id
                  AND g.id = ANY (string_to_array(m.satisfiers, ',')::uuid[])
                UNION ALL
                SELECT k.seq, k.id, k.waitpoint_id, k.name, k.category, k.source_type,
                       k.source_identity, k.correlation_id, k.payload, k.payload_type,
                       k.accepted_at
                FROM signals k
                WHERE k.execution_id = m.execution_id
                  AND k.id = ANY (string_to_array(m.satisfiers, ',')::uuid[])
            ) AS g
            ORDER BY g.seq
            LIMIT $2
        ) AS g
        CROSS JOIN LATERAL (
            SELECT t.key FROM waitpoint t
            WHERE t.partition = $1 AND t.execution_id = m.execution_id AND t.id = g.waitpoint_id
            OFFSET 0
        ) AS t
        WHERE g.before < $3::bigint
        ORDER BY g.seq
    ) AS g
) AS g ON m.satisfiers IS NOT NULL
