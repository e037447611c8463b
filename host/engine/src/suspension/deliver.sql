-- Writes what was decided about boxes of one partition: signals that were
-- accepted, and suspensions that are over, suspended → waiting, delayed or, handed to a
-- worker that stands by, active.
--
-- A box is an open suspension with its active waitpoints, guarded by the parked
-- row, or one pending waitpoint, guarded by its own. What was decided on a box is
-- written whole if the box is as it was read and every token used on it holds, and
-- otherwise not at all: a box that is not in the answer is read again. Whoever
-- takes the parked row away first ends the suspension, so it ends once.
--
-- $1 partition; boxes, sorted by execution and waitpoint: $2 number, $3 execution id,
-- $4 suspension id?, $5 pending waitpoint id?, $6 expected changes or signals, $7
-- whether only past its timeout, $8 epoch, $9 namespace; and if it ends its
-- suspension: $10 whether it does, $11 close reason?, $12 satisfiers? (comma
-- separated), $13 spent signals? (likewise), $14 delay (ms)?, $15 why its
-- waitpoints close? (absent: they are pending again).
-- What operators asked for: $16 number of its box, $17 verb, $18 actor, $19 reason?,
-- $20 detail?.
-- Signals, in their order: $21 number of their box, $22 id, $23 waitpoint id,
-- $24 name, $25 category?, $26 source type, $27 source identity, $28 correlation
-- id?, $29 payload?, $30 its media type?, $31 effect, $32 idempotency key?, $33 for
-- how long it is remembered (ms)?, $34 kid of its token?, $35 expiry of that?.
-- For each box again: $36 worker that goes on with it at once?, $37 the life of its
-- lease (ms)?. What its handler goes on with comes with the answer: of the signals at
-- most $38, and most $39 bytes together, though the first is always there; see
-- `resumption.sql`.
--
-- Locks: pending waitpoints in the order of their executions and ids, then parked rows
-- likewise, then suspensions and their waitpoints.
WITH wanted AS MATERIALIZED (
    SELECT b.*
    FROM unnest($2::integer[], $3::uuid[], $4::uuid[], $5::uuid[], $6::integer[], $7::boolean[],
                $8::bigint[], $9::text[], $10::boolean[], $11::text[], $12::text[], $13::text[],
                $14::bigint[], $15::text[], $36::text[], $37::integer[])
        AS b(number, execution_id, suspension_id, waitpoint_id, expected, only_due, epoch,
             namespace, ends, close_reason, satisfiers, spent, delay_ms, waitpoint_reason,
             taker, lease_ms)
    WHERE NOT EXISTS (
        SELECT FROM unnest($21::integer[], $34::text[], $35::timestamptz[])
            AS u(box, kid, expires_at)
        WHERE u.box = b.number
          AND (u.expires_at <= clock_timestamp()
               OR u.kid IS NOT NULL AND NOT EXISTS (
                   SELECT FROM accepted_waitpoint_key a WHERE a.kid = u.kid)))
),
buffered AS (
    UPDATE waitpoint t SET signals = t.signals + n.signals, last_signal_at = clock_timestamp()
    FROM wanted w
    CROSS JOIN LATERAL (
        SELECT t.ctid AS address FROM waitpoint t
        WHERE t.partition = $1 AND t.execution_id = w.execution_id AND t.id = w.waitpoint_id
        OFFSET 0
    ) AS found
    CROSS JOIN LATERAL (
        SELECT count(*)::integer AS signals FROM unnest($21::integer[]) AS u(box)
        WHERE u.box = w.number
    ) AS n
    -- As text, or else a plan made while few waitpoints are pending reads them all.
    WHERE t.ctid = found.address AND t.state::text = 'pending' AND t.signals = w.expected
    RETURNING w.number
),
held AS MATERIALIZED (
    SELECT w.*, p.address
    FROM wanted w
    CROSS JOIN LATERAL (
        SELECT p.ctid AS address FROM parked p
        WHERE p.partition = $1 AND p.execution_id = w.execution_id
          AND p.suspension_id = w.suspension_id AND p.changes = w.expected
          AND (NOT w.only_due OR p.wake_at <= clock_timestamp())
        FOR UPDATE
    ) AS p
    WHERE w.suspension_id IS NOT NULL
      -- After every pending waitpoint is locked.
      AND (SELECT count(*) FROM buffered) >= 0
),
stirred AS (
    UPDATE parked p SET changes = p.changes + 1
    FROM held h WHERE p.ctid = h.address AND NOT h.ends
    RETURNING h.number
),
woken AS (
    DELETE FROM parked p USING held h WHERE p.ctid = h.address AND h.ends
    RETURNING h.number, h.execution_id, h.namespace, h.close_reason, h.satisfiers, h.spent,
              h.delay_ms, h.taker, h.lease_ms, p.lane, p.rank, p.epoch, p.attempts, p.retries,
              p.reclaims, p.replays, p.next_type
),
applied AS MATERIALIZED (
    SELECT w.* FROM wanted w WHERE w.number IN (
        SELECT number FROM stirred UNION ALL SELECT number FROM woken
        UNION ALL SELECT number FROM buffered)
),
kept AS (
    INSERT INTO signal (partition, execution_id, id, waitpoint_id, name, category, source_type,
                        source_identity, correlation_id, payload, payload_type, effect, spent,
                        idempotency_key, key_expires_at, token_kid)
    SELECT $1, a.execution_id, u.id, u.waitpoint_id, u.name, u.category, u.source_type,
           u.source_identity, u.correlation_id, u.payload, u.payload_type, u.effect,
           coalesce(u.id::text = ANY (string_to_array(a.spent, ',')), false), u.key,
           clock_timestamp() + u.dedup_ms * interval '1 millisecond', u.kid
    FROM unnest($21::integer[], $22::uuid[], $23::uuid[], $24::text[], $25::text[], $26::text[],
                $27::text[], $28::text[], $29::bytea[], $30::text[], $31::text[], $32::text[],
                $33::bigint[], $34::text[])
        WITH ORDINALITY
        AS u(box, id, waitpoint_id, name, category, source_type, source_identity,
             correlation_id, payload, payload_type, effect, key, dedup_ms, kid, number)
    JOIN applied a ON a.number = u.box
    ORDER BY u.number
    RETURNING execution_id, seq, id, waitpoint_id, name, category, source_type, source_identity,
              correlation_id, payload, payload_type, accepted_at
),
ended AS (
    UPDATE suspension s
    SET closed_at = clock_timestamp(), close_reason = k.close_reason,
        satisfiers = string_to_array(k.satisfiers, ',')::uuid[]
    FROM woken k
    CROSS JOIN LATERAL (
        SELECT s.ctid AS address FROM suspension s
        WHERE s.partition = $1 AND s.execution_id = k.execution_id AND s.closed_at IS NULL
        OFFSET 0
    ) AS found
    WHERE s.ctid = found.address
    RETURNING s.execution_id, s.closed_at, s.state, s.state_type
),
counted AS (
    -- Active waitpoints: they hear signals, close, or are pending again.
    UPDATE waitpoint t
    SET signals = t.signals + x.heard,
        last_signal_at = CASE WHEN x.heard > 0 THEN clock_timestamp() ELSE t.last_signal_at END,
        state = CASE WHEN NOT x.ends THEN t.state
                     WHEN x.waitpoint_reason IS NULL THEN 'pending'
                     ELSE 'closed' END,
        close_reason = CASE WHEN x.ends THEN x.waitpoint_reason END,
        closed_at = CASE WHEN x.ends AND x.waitpoint_reason IS NOT NULL THEN clock_timestamp() END
    FROM (
        SELECT found.address, a.ends, a.waitpoint_reason,
               (SELECT count(*)::integer FROM unnest($21::integer[], $23::uuid[])
                    AS u(box, waitpoint_id)
                WHERE u.box = a.number AND u.waitpoint_id = found.id) AS heard
        FROM applied a
        CROSS JOIN LATERAL (
            SELECT t.ctid AS address, t.id FROM waitpoint t
            WHERE t.partition = $1 AND t.execution_id = a.execution_id AND t.state = 'active'
            OFFSET 0
        ) AS found
        WHERE a.suspension_id IS NOT NULL
    ) AS x
    WHERE t.ctid = x.address AND (x.ends OR x.heard > 0)
),
used_up AS (
    UPDATE signal g SET spent = true
    FROM woken k
    CROSS JOIN LATERAL (SELECT string_to_array(k.spent, ',')::uuid[] AS ids OFFSET 0) AS list
    CROSS JOIN LATERAL (
        SELECT g.ctid AS address FROM signal g
        WHERE g.partition = $1 AND g.execution_id = k.execution_id AND g.id = ANY (list.ids)
        OFFSET 0
    ) AS found
    WHERE g.ctid = found.address AND k.spent IS NOT NULL
),
awake AS MATERIALIZED (
    SELECT k.*, e.kind, e.required_capabilities,
           -- What the lease that was suspended left of it.
           CASE WHEN k.taker IS NOT NULL AND e.attempt_timeout_ms IS NOT NULL
                THEN coalesce((SELECT a.left_ms FROM attempt a
                               WHERE a.partition = $1 AND a.execution_id = k.execution_id
                               ORDER BY a.epoch DESC LIMIT 1), e.attempt_timeout_ms)
           END AS attempt_timeout_ms, e.flow_id, e.traceparent,
           e.input, e.input_type, e.policy, e.has_tags, k.epoch + 1 AS new_epoch,
           k.attempts - 1 AS attempt,
           CASE WHEN k.taker IS NOT NULL THEN gen_random_uuid() END AS lease_id,
           clock_timestamp() + k.lease_ms * interval '1 millisecond' AS expires_at
    FROM woken k
    CROSS JOIN LATERAL (
        SELECT e.* FROM execution e WHERE e.partition = $1 AND e.id = k.execution_id OFFSET 0
    ) AS e
    WHERE k.delay_ms IS NULL
),
queued AS (
    INSERT INTO ready (partition, execution_id, lane, namespace, rank, kind,
                       required_capabilities, epoch, attempts, retries, reclaims, replays,
                       next_type, resumes)
    SELECT $1, execution_id, lane, namespace, rank, kind,
           string_to_array(required_capabilities, ','), epoch, attempts, retries, reclaims,
           replays, next_type, true
    FROM awake WHERE taker IS NULL
),
handed_over AS (
    INSERT INTO lease (partition, execution_id, lease_id, epoch, namespace, lane, rank,
                       worker_instance_id, attempt, attempt_type, retries, reclaims, replays,
                       expires_at, attempt_deadline_at)
    SELECT $1, execution_id, lease_id, new_epoch, namespace, lane, rank, taker, attempt,
           next_type, retries, reclaims, replays, expires_at,
           clock_timestamp() + attempt_timeout_ms * interval '1 millisecond'
    FROM awake WHERE taker IS NOT NULL
),
put_off AS (
    INSERT INTO parked (partition, execution_id, state, reason, wake_at, lane, rank, epoch,
                        attempts, retries, reclaims, replays, next_type, resumes)
    SELECT $1, execution_id, 'delayed', 'waiting_for_resume_delay',
           clock_timestamp() + delay_ms * interval '1 millisecond', lane, rank, epoch, attempts,
           retries, reclaims, replays, next_type, true
    FROM woken WHERE delay_ms IS NOT NULL
),
operated AS (
    INSERT INTO operation (partition, execution_id, verb, actor, reason, detail, epoch)
    SELECT $1, a.execution_id, o.verb, o.actor, o.why, o.detail, a.epoch
    FROM unnest($16::integer[], $17::text[], $18::text[], $19::text[], $20::text[])
        AS o(box, verb, actor, why, detail)
    JOIN applied a ON a.number = o.box
),
announced AS (
    INSERT INTO event (partition, kinds, execution_ids, namespaces, epochs, attempts, lease_ids,
                       workers, signal_ids)
    SELECT $1, array_agg(x.kind), array_agg(x.execution_id), array_agg(x.namespace),
           array_agg(x.epoch), array_agg(x.attempt), array_agg(x.lease_id), array_agg(x.taker),
           array_agg(x.signal_id)
    FROM (
        SELECT 'signalled'::event_kind AS kind, a.execution_id, a.namespace, a.epoch,
               NULL::integer AS attempt, NULL::uuid AS lease_id, NULL::text AS taker,
               u.id AS signal_id
        FROM unnest($21::integer[], $22::uuid[]) WITH ORDINALITY AS u(box, id, number)
        JOIN applied a ON a.number = u.box
        UNION ALL
        SELECT 'resumed', k.execution_id, k.namespace, k.epoch, NULL, NULL, NULL, NULL
        FROM woken k
        UNION ALL
        SELECT CASE next_type WHEN 'reclaim' THEN 'reclaimed'::event_kind
                              ELSE 'acquired'::event_kind END,
               execution_id, namespace, new_epoch, attempt, lease_id, taker, NULL
        FROM awake WHERE taker IS NOT NULL
    ) AS x
    HAVING count(*) > 0
)
SELECT a.number AS "number!", w.execution_id AS "execution_id?", w.lease_id AS "lease_id?",
       w.new_epoch AS "epoch?", w.attempt AS "attempt?", w.expires_at AS "expires_at?",
       w.next_type::text AS attempt_type, w.namespace AS "namespace?", w.lane AS "lane?",
       w.kind AS "kind?", w.flow_id AS "flow_id?", w.traceparent AS "traceparent?",
       w.input AS "input?", w.input_type AS "input_type?", w.policy AS "policy?",
       w.attempt_timeout_ms AS "attempt_timeout_ms?", w.retries AS "retries?",
       -- Sorted outside, or the order might choose the index.
       CASE WHEN w.has_tags THEN ARRAY(
           SELECT unnest(ARRAY[label.key, label.value]) FROM (
               SELECT t.key, t.value FROM tag t
               WHERE t.partition = $1 AND t.execution_id = w.execution_id OFFSET 0
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
LEFT JOIN awake w ON w.number = a.number AND w.taker IS NOT NULL
LEFT JOIN ended s ON s.execution_id = w.execution_id
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
                WHERE g.partition = $1 AND g.execution_id = w.execution_id
                  AND g.id = ANY (string_to_array(w.satisfiers, ',')::uuid[])
                UNION ALL
                SELECT k.seq, k.id, k.waitpoint_id, k.name, k.category, k.source_type,
                       k.source_identity, k.correlation_id, k.payload, k.payload_type,
                       k.accepted_at
                FROM kept k
                WHERE k.execution_id = w.execution_id
                  AND k.id = ANY (string_to_array(w.satisfiers, ',')::uuid[])
            ) AS g
            ORDER BY g.seq
            LIMIT $38
        ) AS g
        CROSS JOIN LATERAL (
            SELECT t.key FROM waitpoint t
            WHERE t.partition = $1 AND t.execution_id = w.execution_id AND t.id = g.waitpoint_id
            OFFSET 0
        ) AS t
        WHERE g.before < $39::bigint
        ORDER BY g.seq
    ) AS g
) AS g ON w.satisfiers IS NOT NULL
