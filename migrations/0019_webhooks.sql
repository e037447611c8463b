-- Webhooks: subscriptions to events that hosts send to URLs.

CREATE TYPE webhook_state AS ENUM ('active', 'paused', 'stalled');

-- One row per webhook; of no partition. Its place in the log advances after each event that
-- its receiver accepted, so that every event is delivered at least once and in order.
CREATE TABLE webhook (
    -- In the order in which webhooks were made.
    id               uuid PRIMARY KEY,
    name             text NOT NULL,
    -- Whose events it gets; those of every namespace, and of none, when null.
    namespace        text,
    -- A text, so that a later version may add families.
    family           text NOT NULL,
    -- JSON of what else an event must fit.
    filter           text NOT NULL,
    url              text NOT NULL,
    -- Encrypted, each under the secrets key with the id beside it.
    secret           bytea NOT NULL,
    secret_under     bytea NOT NULL,
    -- The secret before, which signs too until its end.
    old_secret       bytea,
    old_secret_under bytea,
    old_secret_until timestamptz,
    state            webhook_state NOT NULL DEFAULT 'active',
    -- Why it is paused or stalled.
    reason           text,
    -- Cursor after the last event that was delivered or did not fit.
    cursor           text NOT NULL,
    -- The turn of a host that delivers, and until when no other may take it.
    turn             uuid,
    turn_until       timestamptz,
    -- Tries of the next event that failed, and the time of the first.
    failures         integer NOT NULL DEFAULT 0,
    failed_since     timestamptz,
    next_try_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The last try: what the receiver answered, or why it did not.
    last_try_at      timestamptz,
    last_status      integer,
    last_error       text,
    last_delivery_at timestamptz,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by       text NOT NULL,
    changed_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_by       text NOT NULL,
    CONSTRAINT webhook_name_in_range CHECK (octet_length(name) BETWEEN 1 AND 64),
    CONSTRAINT webhook_filter_in_range CHECK (octet_length(filter) <= 4096),
    CONSTRAINT webhook_url_in_range CHECK (octet_length(url) BETWEEN 1 AND 2048),
    CONSTRAINT webhook_reason_in_range CHECK (octet_length(reason) <= 1024),
    CONSTRAINT webhook_error_in_range CHECK (octet_length(last_error) <= 1024),
    CONSTRAINT webhook_failures_in_range CHECK (failures >= 0),
    CONSTRAINT webhook_active_has_no_reason CHECK ((state = 'active') = (reason IS NULL)),
    CONSTRAINT webhook_old_secret_is_whole CHECK
        ((old_secret IS NULL) = (old_secret_under IS NULL)
         AND (old_secret IS NULL) = (old_secret_until IS NULL)),
    CONSTRAINT webhook_turn_is_whole CHECK ((turn IS NULL) = (turn_until IS NULL)),
    CONSTRAINT webhook_name_is_one UNIQUE NULLS NOT DISTINCT (namespace, name)
);
CREATE INDEX webhook_due ON webhook (next_try_at, id) WHERE state = 'active';
