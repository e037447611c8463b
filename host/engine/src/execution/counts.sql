-- Counts the executions that are ready, running and parked, up to a bound, and reads how
-- many there are by the statistics of the database.
--
-- $1 most rows that are counted of each table
--
-- Locks nothing.
SELECT (SELECT count(*) FROM (SELECT FROM ready LIMIT $1) AS r) AS "waiting!",
       (SELECT count(*) FROM (SELECT FROM lease LIMIT $1) AS l) AS "active!",
       (SELECT count(*) FROM (SELECT FROM parked LIMIT $1) AS p) AS "parked!",
       pg_stat_get_live_tuples('ready'::regclass) AS "waiting_estimate!",
       pg_stat_get_live_tuples('lease'::regclass) AS "active_estimate!",
       pg_stat_get_live_tuples('parked'::regclass) AS "parked_estimate!",
       pg_relation_size('parked'::regclass) / current_setting('block_size')::bigint
           AS "parked_blocks!"
