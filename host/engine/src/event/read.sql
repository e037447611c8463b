-- Reads events after a place in the log.
--
-- $1 transaction id, $2 sequence, $3 position in the batch (from one; zero before
-- the first), $4 most events. Reads the primary key. A transaction id is bound as
-- bigint: it counts up from one and stays far below 2^63.
WITH batch AS (
    SELECT * FROM event
    WHERE (xid, seq) >= ($1::bigint::text::xid8, $2)
      AND xid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY xid, seq
    LIMIT $4 + 1
)
SELECT b.xid::text::bigint AS "xid!", b.seq AS "seq!", b.at AS "at!", u.position AS "position!",
       u.kind::text AS "kind!", u.execution_id AS "execution_id!", u.namespace AS "namespace!",
       u.epoch AS "epoch!", u.attempt, u.lease_id, u.worker, u.signal_id
FROM batch b
CROSS JOIN LATERAL unnest(b.kinds, b.execution_ids, b.namespaces, b.epochs, b.attempts,
                          b.lease_ids, b.workers, b.signal_ids)
    WITH ORDINALITY AS u(kind, execution_id, namespace, epoch, attempt, lease_id, worker, signal_id,
                               position)
WHERE (b.xid, b.seq) > ($1::bigint::text::xid8, $2) OR u.position > $3
ORDER BY b.xid, b.seq, u.position
LIMIT $4
