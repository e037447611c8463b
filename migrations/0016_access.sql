-- API keys, what was done with them, and whom the door refused.

CREATE TYPE role AS ENUM ('viewer', 'submitter', 'worker', 'approver', 'operator', 'admin');

-- A name and what it may do. Its texts are in `api_key_secret`, so that a rotation changes
-- the text and nothing that refers to the key. Of no partition.
CREATE TABLE api_key (
    -- In the order in which keys were made.
    id           uuid PRIMARY KEY,
    name         text NOT NULL,
    role         role NOT NULL,
    -- Where the role is held; in every namespace, and for what belongs to none, when null.
    namespace    text,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by   text NOT NULL,
    expires_at   timestamptz,
    -- To the minute.
    last_used_at timestamptz,
    revoked_at   timestamptz,
    revoked_by   text,
    CONSTRAINT api_key_name_in_range CHECK (octet_length(name) BETWEEN 1 AND 64),
    CONSTRAINT api_key_is_revoked_by_someone CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
-- A name is free again once its key is revoked. One that expired is revoked by the creation
-- that takes its name.
CREATE UNIQUE INDEX api_key_name_is_one ON api_key (name) WHERE revoked_at IS NULL;

-- The texts of a key, of each of which only the hash is kept.
CREATE TABLE api_key_secret (
    -- SHA-256 of the text.
    hash        bytea PRIMARY KEY,
    key_id      uuid NOT NULL REFERENCES api_key (id) ON DELETE CASCADE,
    -- The beginning of the text, by which people recognize it.
    shown       text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Until when it is accepted; null for the one that was made last.
    valid_until timestamptz,
    CONSTRAINT api_key_secret_hash_is_sha256 CHECK (octet_length(hash) = 32),
    CONSTRAINT api_key_secret_shown_in_range CHECK (octet_length(shown) BETWEEN 1 AND 16)
);
CREATE INDEX api_key_secret_of_key ON api_key_secret (key_id);
CREATE UNIQUE INDEX api_key_secret_current_is_one ON api_key_secret (key_id) WHERE valid_until IS NULL;

-- The one place that says which texts are accepted now, of which key. Revoking a key, its
-- end and the end of a text count on every host from the moment they are written.
CREATE VIEW accepted_api_key AS
    SELECT s.hash, k.id, k.name, k.role, k.namespace, k.last_used_at
    FROM api_key_secret s JOIN api_key k ON k.id = s.key_id
    WHERE k.revoked_at IS NULL
      AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())
      AND (s.valid_until IS NULL OR s.valid_until > clock_timestamp());

-- What credentials did or were refused. A row is written before its verb runs and given its
-- outcome afterwards, so one without an outcome is of a host that ended in between.
CREATE TABLE audit (
    id          uuid PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Name of the credential; null where none was asked for.
    credential  text,
    -- The API key, if it was one.
    key_id      uuid,
    address     inet,
    -- Operation id of the API, or of the command line the command.
    verb        text NOT NULL,
    -- Null for what belongs to no namespace.
    namespace   text,
    -- What it was done to: the path of the request without its query.
    target      text,
    -- What the caller adds.
    note        text,
    -- W3C trace context of the request.
    traceparent text,
    -- `done`, or the code of the problem that was answered.
    outcome     text,
    CONSTRAINT audit_credential_in_range CHECK (octet_length(credential) BETWEEN 1 AND 512),
    CONSTRAINT audit_verb_in_range CHECK (octet_length(verb) BETWEEN 1 AND 64),
    CONSTRAINT audit_target_in_range CHECK (octet_length(target) <= 1024),
    CONSTRAINT audit_note_in_range CHECK (octet_length(note) <= 1024),
    CONSTRAINT audit_traceparent_in_range CHECK (octet_length(traceparent) <= 64),
    CONSTRAINT audit_outcome_in_range CHECK (octet_length(outcome) BETWEEN 1 AND 64)
);
CREATE INDEX audit_newest ON audit (at, id);
CREATE INDEX audit_of_credential ON audit (credential, at, id);

-- Requests whose credential was not accepted, summed: they may be many, and have no name.
CREATE TABLE audit_refusals (
    minute  timestamptz NOT NULL,
    -- An address, or `others` for those beyond the bound of a minute.
    address text NOT NULL,
    reason  text NOT NULL,
    count   bigint NOT NULL,
    PRIMARY KEY (minute, address, reason),
    CONSTRAINT audit_refusals_address_in_range CHECK (octet_length(address) BETWEEN 1 AND 45),
    CONSTRAINT audit_refusals_reason_in_range CHECK (octet_length(reason) BETWEEN 1 AND 64),
    CONSTRAINT audit_refusals_count_is_positive CHECK (count > 0)
);
