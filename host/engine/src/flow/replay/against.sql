-- Reads the edges into a member that came to nothing.
--
-- $1 partition, $2 member
-- Locks: none.
SELECT e.upstream AS "upstream!" FROM flow_edge e
WHERE e.partition = $1 AND e.downstream = $2 AND e.wait = 0 AND e.state = 'impossible'
