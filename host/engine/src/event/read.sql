-- Reads events after a place in the log.
--
-- Parameters:
-- cursor: $1 transaction id, $2 sequence, $3 position in the row (from one; zero before
--   the first)
-- $4 most events
--
-- Reads the primary key of event. A transaction id is bound as bigint: it counts up from
-- one and stays far below 2^63.
-- Locks nothing.
WITH candidate AS (
    SELECT * FROM event
    WHERE (xid, seq) >= ($1::bigint::text::xid8, $2)
      AND xid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY xid, seq
    LIMIT $4 + 1
)
SELECT c.xid::text::bigint AS "xid!", c.seq AS "seq!", c.at AS "at!", u.position AS "position!",
       u.kind::text AS "kind!", u.execution_id AS "execution_id!", u.namespace AS "namespace!",
       u.epoch AS "epoch!", u.attempt, u.lease_id, u.worker, u.signal_id
FROM candidate c
CROSS JOIN LATERAL unnest(c.kinds, c.execution_ids, c.namespaces, c.epochs, c.attempts,
                          c.lease_ids, c.workers, c.signal_ids)
    WITH ORDINALITY AS u(kind, execution_id, namespace, epoch, attempt, lease_id, worker, signal_id,
                               position)
WHERE (c.xid, c.seq) > ($1::bigint::text::xid8, $2) OR u.position > $3
ORDER BY c.xid, c.seq, u.position
LIMIT $4
