-- Reads executions by their ids, as callers see them: rows of `execution`, each joined
-- with the one table that holds its state.
--
-- executions, one element each: $1 partitions, $2 ids
--
-- An id of no execution has no row in the answer, and the rows come in any order. Looks
-- up primary keys only, and a table only where the ones before leave something to find
-- there: `finished` first, since history is mostly that. A lookup is a range with an
-- order, which one index alone can serve: of equalities the planner, while a table is
-- empty, takes any index with one of the columns, and keeps to it as the table grows.
SELECT e.id AS "id!", e.namespace AS "namespace!", e.kind AS "kind!", e.lane AS "lane!",
       coalesce(9000 - coalesce(l.rank, p.rank, r.rank), e.priority)::smallint AS "priority!",
       e.flow_id, e.creator, e.idempotency_key, e.created_at AS "created_at!",
       -- A replay may have moved the deadline; there is none that creation did not set.
       CASE WHEN e.deadline_at IS NOT NULL THEN coalesce(
           (SELECT t.due_at FROM timer t
            WHERE t.partition = i.partition AND t.execution_id BETWEEN i.id AND i.id
              AND t.kind = 'execution_deadline'
            ORDER BY t.execution_id LIMIT 1), e.deadline_at)
       END AS "deadline_at?: StoredTime",
       e.input_type AS "input_type!", e.input_bytes AS "input_bytes!",
       CASE WHEN e.has_tags THEN ARRAY(
           SELECT unnest(ARRAY[t.key, t.value]) FROM tag t
           WHERE t.partition = i.partition AND t.execution_id BETWEEN i.id AND i.id
           ORDER BY t.execution_id, t.key)
       END AS tags,
       CASE WHEN f.outcome IS NOT NULL THEN 'terminal'
            WHEN l.lease_id IS NOT NULL THEN 'active'
            WHEN p.state IS NOT NULL THEN p.state::text
            ELSE 'waiting' END AS "state!",
       p.reason::text AS reason, p.reason_detail, p.wake_at AS "wake_at?: StoredTime",
       f.outcome::text AS outcome, f.finished_at AS "finished_at?", f.source,
       f.failure_class::text AS failure_class, f.failure_code, f.failure_message,
       f.result_type, f.result_bytes,
       coalesce(f.epoch, l.epoch, p.epoch, r.epoch, 0) AS "epoch!",
       coalesce(f.attempts, l.attempt + 1, p.attempts, r.attempts, 0) AS "attempts!",
       coalesce(f.retries, l.retries, p.retries, r.retries, 0) AS "retries!",
       coalesce(f.reclaims, l.reclaims, p.reclaims, r.reclaims, 0) AS "reclaims!",
       coalesce(f.replays, l.replays, p.replays, r.replays, 0) AS "replays!",
       coalesce(f.finished_at, l.acquired_at, p.parked_at, r.ready_at, e.created_at)
           AS "last_mutation_at!",
       coalesce(p.next_type, r.next_type, 'initial')::text AS "next_type!",
       coalesce(p.resumes, r.resumes, false) AS "resumes!",
       l.lease_id AS "lease_id?", l.worker_instance_id AS "worker_instance_id?",
       l.attempt AS "attempt?", l.acquired_at AS "acquired_at?", l.expires_at AS "expires_at?",
       l.renewals AS "renewals?", l.renewed_at AS "renewed_at?", l.progress_percent,
       l.progress_message,
       -- The first lease of an execution has no row before it in `attempt`.
       CASE WHEN coalesce(f.lease_epoch, l.epoch) = 1
                THEN coalesce(f.acquired_at, l.acquired_at)
            WHEN coalesce(f.attempts, l.attempt + 1, p.attempts, r.attempts) > 0 THEN coalesce(
                (SELECT a.acquired_at FROM attempt a
                 WHERE a.partition = i.partition AND a.execution_id = i.id
                 ORDER BY a.epoch LIMIT 1), f.acquired_at, l.acquired_at)
       END AS started_at
FROM unnest($1::smallint[], $2::uuid[]) AS i(partition, id)
CROSS JOIN LATERAL (
    SELECT e.id, e.namespace, e.kind, e.lane, coalesce(e.changed_priority, e.priority) AS priority,
           e.flow_id, e.creator, e.idempotency_key, e.created_at, e.deadline_at, e.input_type,
           octet_length(e.input) AS input_bytes, e.has_tags
    FROM execution e
    WHERE e.partition = i.partition AND e.id BETWEEN i.id AND i.id ORDER BY e.id LIMIT 1
) AS e
LEFT JOIN LATERAL (
    SELECT f.outcome, f.finished_at, f.source, f.failure_class, f.failure_code,
           f.failure_message, f.result_type, octet_length(f.result) AS result_bytes, f.epoch,
           f.attempts, f.retries, f.reclaims, f.replays, f.lease_epoch, f.acquired_at
    FROM finished f
    WHERE f.partition = i.partition AND f.execution_id BETWEEN i.id AND i.id
    ORDER BY f.execution_id LIMIT 1
) AS f ON true
LEFT JOIN LATERAL (
    SELECT l.* FROM lease l
    WHERE f.outcome IS NULL
      AND l.partition = i.partition AND l.execution_id BETWEEN i.id AND i.id
    ORDER BY l.execution_id LIMIT 1
) AS l ON true
LEFT JOIN LATERAL (
    SELECT p.* FROM parked p
    WHERE f.outcome IS NULL AND l.lease_id IS NULL
      AND p.partition = i.partition AND p.execution_id BETWEEN i.id AND i.id
    ORDER BY p.execution_id LIMIT 1
) AS p ON true
LEFT JOIN LATERAL (
    SELECT r.* FROM ready r
    WHERE f.outcome IS NULL AND l.lease_id IS NULL AND p.state IS NULL
      AND r.partition = i.partition AND r.execution_id BETWEEN i.id AND i.id
    ORDER BY r.execution_id LIMIT 1
) AS r ON true
