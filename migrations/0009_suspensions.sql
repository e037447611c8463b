-- Executions that wait for the world: suspensions, the waitpoints they wait at,
-- and the signals that arrive there.

ALTER TYPE event_kind ADD VALUE 'suspended';
ALTER TYPE event_kind ADD VALUE 'resumed';
ALTER TYPE event_kind ADD VALUE 'escalated';
ALTER TYPE event_kind ADD VALUE 'signalled';

-- Absent elements where no signal is concerned.
ALTER TABLE event ADD COLUMN signal_ids uuid[];
ALTER TABLE event ALTER COLUMN signal_ids SET STORAGE EXTERNAL;

-- Which suspension a suspended execution waits in, and how often anything changed
-- at it: what a signal does is decided on what was read, and written if `changes`
-- is what it was. All rows of an open suspension and its active waitpoints change
-- with this row only.
ALTER TABLE parked
    ADD COLUMN suspension_id uuid,
    ADD COLUMN changes integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT parked_suspended_in_one CHECK (
        (state = 'suspended') = (suspension_id IS NOT NULL));
ALTER TABLE parked SET (fillfactor = 80);

-- One time an execution waited for signals. The last one is also what its handler
-- goes on with, whatever happened since.
CREATE TABLE suspension (
    partition    smallint NOT NULL,
    execution_id uuid NOT NULL,
    seq          bigint GENERATED ALWAYS AS IDENTITY,
    id           uuid NOT NULL,
    -- Of the lease it was asked under.
    epoch        bigint NOT NULL,
    attempt      integer NOT NULL,
    replays      integer NOT NULL,
    reason       text NOT NULL,
    requested_by text NOT NULL,
    condition    text NOT NULL,
    -- Absent: every default.
    resume_policy text,
    timeout_at   timestamptz,
    timeout_behavior text NOT NULL,
    escalated_at timestamptz,
    -- What the handler goes on with.
    state        bytea,
    state_type   text,
    idempotency_key text,
    -- Whether it was satisfied when it was asked for, and the lease stayed.
    at_once      boolean NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at    timestamptz,
    close_reason text,
    -- In the order they were accepted; the last one closed it.
    satisfiers   uuid[],
    PRIMARY KEY (partition, execution_id, seq),
    CONSTRAINT suspension_closed_for_a_reason CHECK (
        (closed_at IS NULL) = (close_reason IS NULL)),
    CONSTRAINT suspension_state_has_a_type CHECK ((state IS NULL) = (state_type IS NULL)),
    CONSTRAINT suspension_satisfied_by_signals CHECK (
        (close_reason IS NOT DISTINCT FROM 'satisfied') = (satisfiers IS NOT NULL))
) WITH (fillfactor = 90);
CREATE UNIQUE INDEX suspension_open ON suspension (partition, execution_id)
    WHERE closed_at IS NULL;
CREATE UNIQUE INDEX suspension_by_key
    ON suspension (partition, execution_id, replays, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

CREATE TYPE waitpoint_state AS ENUM ('pending', 'active', 'closed', 'expired');

-- Where signals for an execution arrive. Pending: what arrives is kept for the
-- suspension to come; `signals` guards it as `changes` does a suspension. One that
-- is closed stays, so that whoever comes late is told so.
CREATE TABLE waitpoint (
    partition    smallint NOT NULL,
    execution_id uuid NOT NULL,
    id           uuid NOT NULL,
    key          text NOT NULL,
    state        waitpoint_state NOT NULL,
    -- The last suspension that waited at it.
    suspension_id uuid,
    -- Of its first token, which is kept nowhere.
    token_kid    text NOT NULL,
    token_fingerprint text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    activated_at timestamptz,
    closed_at    timestamptz,
    close_reason text,
    -- Until when a pending one waits for its suspension; absent: as long as its
    -- execution is there.
    expires_at   timestamptz,
    signals      integer NOT NULL DEFAULT 0,
    last_signal_at timestamptz,
    PRIMARY KEY (partition, execution_id, id),
    CONSTRAINT waitpoint_closed_for_a_reason CHECK (
        (state IN ('closed', 'expired')) = (close_reason IS NOT NULL)
        AND (close_reason IS NULL) = (closed_at IS NULL)),
    CONSTRAINT waitpoint_active_is_of_a_suspension CHECK (
        state <> 'active' OR suspension_id IS NOT NULL)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX waitpoint_open ON waitpoint (partition, execution_id, key)
    WHERE state IN ('pending', 'active');
CREATE INDEX waitpoint_pending ON waitpoint (coalesce(expires_at, 'infinity'), id)
    WHERE state = 'pending';

-- What arrived, in order.
CREATE TABLE signal (
    partition    smallint NOT NULL,
    execution_id uuid NOT NULL,
    seq          bigint GENERATED ALWAYS AS IDENTITY,
    id           uuid NOT NULL,
    waitpoint_id uuid NOT NULL,
    name         text NOT NULL,
    category     text,
    source_type  text NOT NULL,
    source_identity text NOT NULL,
    correlation_id text,
    payload      bytea,
    payload_type text,
    effect       text NOT NULL,
    -- Whether it counts for no suspension any more.
    spent        boolean NOT NULL DEFAULT false,
    idempotency_key text,
    key_expires_at timestamptz,
    -- Of the token it came with; absent for an operator's.
    token_kid    text,
    accepted_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (partition, execution_id, seq),
    CONSTRAINT signal_payload_has_a_type CHECK ((payload IS NULL) = (payload_type IS NULL)),
    CONSTRAINT signal_key_is_forgotten CHECK (
        (idempotency_key IS NULL) = (key_expires_at IS NULL))
);
CREATE INDEX signal_by_key ON signal (partition, waitpoint_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
