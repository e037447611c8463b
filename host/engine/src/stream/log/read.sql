-- Reads logs of attempts of one partition after places in them.
--
-- $1 partition
-- logs: $2 execution ids, $3 attempts, $4 epochs, $5 bytes of that lease's log before
-- $6 most leases of one log, $7 most pieces of one lease
--
-- The leases of each, by their epochs, from the given one on. One of which a log was
-- recorded has its length, and its text after the place; of another there are the pieces
-- from the place on.
-- Walks attempt_pkey from the epoch on, and live_log_pkey. Locks nothing.
SELECT i.number AS "number!", h.epoch AS "epoch!", h.bytes AS "bytes?", h.text AS "text?",
       p.at_byte AS "at_byte?", p.text AS "piece?"
FROM unnest($2::uuid[], $3::integer[], $4::bigint[], $5::bigint[]) WITH ORDINALITY
    AS i(execution_id, attempt, epoch, at_byte, number)
CROSS JOIN LATERAL (
    (SELECT a.epoch, octet_length(a.log) AS bytes,
            substring(a.log FROM CASE WHEN a.epoch = i.epoch THEN i.at_byte::integer ELSE 0 END + 1)
                AS text
     FROM attempt a
     WHERE a.partition = $1 AND a.execution_id = i.execution_id
       AND a.epoch >= greatest(i.epoch, i.attempt) AND a.attempt = i.attempt
     ORDER BY a.epoch LIMIT $6)
    UNION ALL
    SELECT f.lease_epoch, octet_length(f.log),
           substring(f.log FROM CASE WHEN f.lease_epoch = i.epoch THEN i.at_byte::integer ELSE 0 END + 1)
    FROM finished f
    WHERE f.partition = $1 AND f.execution_id = i.execution_id
      AND f.lease_epoch >= i.epoch AND f.attempts - 1 = i.attempt
    UNION ALL
    SELECT l.epoch, NULL, NULL FROM lease l
    WHERE l.partition = $1 AND l.execution_id = i.execution_id AND l.epoch >= i.epoch
      AND l.attempt = i.attempt
    ORDER BY epoch LIMIT $6
) AS h
LEFT JOIN LATERAL (
    SELECT p.at_byte, p.text FROM live_log p
    WHERE h.bytes IS NULL AND p.partition = $1 AND p.execution_id = i.execution_id
      AND p.epoch = h.epoch
      -- The piece that has the place begins at it or before.
      AND p.at_byte >= coalesce((
          SELECT q.at_byte FROM live_log q
          WHERE q.partition = $1 AND q.execution_id = i.execution_id AND q.epoch = h.epoch
            AND q.at_byte <= CASE WHEN h.epoch = i.epoch THEN i.at_byte ELSE 0 END
          ORDER BY q.at_byte DESC LIMIT 1), 0)
    ORDER BY p.at_byte LIMIT $7
) AS p ON true
ORDER BY i.number, h.epoch, p.at_byte
