-- Reads what operators did to an execution, oldest first.
--
-- $1 partition, $2 execution id
-- page: $3 after the operation of this number, $4 at most so many rows
--
-- Walks the primary key of operation. Locks nothing.
SELECT o.seq, o.at AS "at: StoredTime", o.verb, o.actor, o.reason, o.detail, o.epoch
FROM operation o
WHERE o.partition = $1 AND o.execution_id = $2 AND o.seq > $3
ORDER BY o.seq
LIMIT $4
