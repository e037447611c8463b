-- Reads what leases of one partition come with that go on with an attempt.
--
-- $1 partition; arrays, one element per lease: $2 execution ids, $3 lease ids. A
-- lease that is gone is not in the answer. Locks nothing.
SELECT l.execution_id AS "execution_id!", l.lease_id AS "lease_id!", l.epoch AS "epoch!",
       l.attempt AS "attempt!", l.expires_at AS "expires_at!",
       l.attempt_type::text AS "attempt_type!", true AS "resumes!",
       l.namespace AS "namespace!", l.lane AS "lane!", e.kind AS "kind!", e.flow_id,
       e.traceparent, e.input AS "input!", e.input_type AS "input_type!", e.policy,
       e.attempt_timeout_ms, l.retries AS "retries!",
       -- Sorted outside, or the order might choose the index.
       CASE WHEN e.has_tags THEN ARRAY(
           SELECT unnest(ARRAY[label.key, label.value]) FROM (
               SELECT t.key, t.value FROM tag t
               WHERE t.partition = $1 AND t.execution_id = l.execution_id OFFSET 0
           ) AS label ORDER BY label.key)
       END AS tags
FROM unnest($2::uuid[], $3::uuid[]) AS w(execution_id, lease_id)
CROSS JOIN LATERAL (
    SELECT l.* FROM lease l
    WHERE l.partition = $1 AND l.execution_id = w.execution_id AND l.lease_id = w.lease_id
    OFFSET 0
) AS l
CROSS JOIN LATERAL (
    SELECT e.* FROM execution e WHERE e.partition = $1 AND e.id = w.execution_id OFFSET 0
) AS e
