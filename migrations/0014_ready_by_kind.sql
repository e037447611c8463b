-- The queue by kind: a claim reads the head of each kind it asks for, and never what
-- other kinds have waiting before it.
--
-- One index takes the place of another, so a row of the queue costs no more to write. A
-- host of the last version reads the new one as far as the namespace and sorts what it
-- finds: its claims are right, and slow behind a long queue until it is replaced.

-- As `namespace`: claims step along the index from one kind to the next.
ALTER TABLE ready ALTER COLUMN kind TYPE text COLLATE "C";
DROP INDEX ready_queue;
CREATE INDEX ready_queue ON ready (partition, lane, namespace, kind, rank, ready_at);
