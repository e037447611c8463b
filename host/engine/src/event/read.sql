-- Reads events after a place in the log, of some rows.
--
-- Parameters, nullable where marked?:
-- cursor: $1 transaction id, $2 sequence, $3 position in the row (from one; zero before
--   the first)
-- $4 first transaction that cannot be read yet, $5 last stripe
-- $6 most rows, $7 most events
-- filters: $8 kinds of events that are left out?, $9 namespace?, $10 lane?, $11 kind of executions?,
--   $12 execution?
--
-- Reads the primary key of event in each stripe. A transaction id is bound as bigint: it
-- counts up from one and stays far below 2^63. The last row of the answer has no kind: it
-- is the place up to which events were looked at.
-- Locks nothing.
WITH candidate AS MATERIALIZED (
    SELECT e.*
    FROM generate_series(0, $5::integer) AS stripes(stripe)
    CROSS JOIN LATERAL (
        SELECT e.* FROM event e
        WHERE e.stripe = stripes.stripe::smallint
          AND (e.xid, e.seq) >= ($1::bigint::text::xid8, $2::bigint)
          AND e.xid < $4::bigint::text::xid8
        ORDER BY e.xid, e.seq
        LIMIT $6
    ) AS e
    ORDER BY e.xid, e.seq
    LIMIT $6
),
happened AS (
    SELECT c.xid, c.seq, c.at, u.*,
           coalesce(u.element_namespace, s.namespace) AS namespace, s.lane,
           s.kind AS execution_kind
    FROM candidate c
    CROSS JOIN LATERAL unnest(c.kinds, c.execution_ids, c.classes, c.namespaces, c.epochs,
                              c.attempts, c.lease_ids, c.workers, c.signal_ids, c.details)
        WITH ORDINALITY
        AS u(kind, execution_id, class_id, element_namespace, epoch, attempt, lease_id, worker,
             signal_id, detail, position)
    LEFT JOIN LATERAL (
        SELECT s.namespace, s.lane, s.kind FROM execution_class s
        WHERE s.id = u.class_id
        UNION ALL
        -- Of hosts of the version before, or without its class.
        (SELECT e.namespace, e.lane, e.kind FROM execution e
         WHERE e.partition = c.partition AND e.id BETWEEN u.execution_id AND u.execution_id
         ORDER BY e.id LIMIT 1)
        LIMIT 1
    ) AS s ON true
    WHERE ((c.xid, c.seq) > ($1::bigint::text::xid8, $2::bigint) OR u.position > $3)
      AND ($8::text[] IS NULL OR u.kind::text <> ALL ($8::text[]))
      AND ($12::uuid IS NULL OR u.execution_id = $12::uuid)
      AND ($9::text IS NULL OR coalesce(u.element_namespace, s.namespace) = $9::text)
      AND ($10::text IS NULL OR s.lane = $10::text)
      AND ($11::text IS NULL OR s.kind = $11::text)
    ORDER BY c.xid, c.seq, u.position
    LIMIT $7
)
SELECT xid::text::bigint AS "xid!", seq AS "seq!", position AS "position!", at AS "at!",
       kind::text AS kind, execution_id, namespace, lane, execution_kind, epoch, attempt,
       lease_id, worker, signal_id, detail, 0::bigint AS "rows!"
FROM happened
UNION ALL
(SELECT xid::text::bigint, seq, cardinality(kinds)::bigint, at, NULL, NULL, NULL, NULL, NULL,
        NULL, NULL, NULL, NULL, NULL, NULL, (SELECT count(*) FROM candidate)
 FROM candidate ORDER BY xid DESC, seq DESC LIMIT 1)
ORDER BY 1, 2, 3, "rows!"
