CREATE SCHEMA IF NOT EXISTS doorward;
CREATE TABLE doorward.store (
    one boolean PRIMARY KEY DEFAULT true CHECK (one), identity text NOT NULL, layout bigint NOT NULL
);
CREATE TABLE doorward.session (
    id bytea PRIMARY KEY, universal_id text NOT NULL, user_name text NOT NULL,
    agent text NOT NULL, realm text NOT NULL,
    started bigint NOT NULL, last_access bigint NOT NULL, expires bigint NOT NULL,
    ends bigint NOT NULL, idle_timeout bigint NOT NULL, summary text NOT NULL
);
CREATE INDEX session_of_user ON doorward.session (universal_id);
CREATE INDEX session_of_name ON doorward.session (user_name);
CREATE INDEX session_by_start ON doorward.session (started, id);
CREATE INDEX session_by_end ON doorward.session (ends);
CREATE TABLE doorward.revoked_session (id bytea PRIMARY KEY, keep_until bigint NOT NULL);
CREATE INDEX revoked_session_by_end ON doorward.revoked_session (keep_until);
CREATE TABLE doorward.revoked_user (
    universal_id text PRIMARY KEY, through bigint NOT NULL, keep_until bigint NOT NULL
);
CREATE INDEX revoked_user_by_end ON doorward.revoked_user (keep_until);
CREATE TABLE doorward.revoked_all (
    one boolean PRIMARY KEY DEFAULT true CHECK (one), through bigint NOT NULL, keep_until bigint NOT NULL
);
-- Sessions without those that all ended at once: to delete a million rows takes longer than a call may.
CREATE VIEW doorward.live_session AS
    SELECT * FROM doorward.session
    WHERE started > (SELECT coalesce(max(through), -1) FROM doorward.revoked_all);
-- Names may be what somebody typed, and text cannot hold everything that can be typed.
CREATE TABLE doorward.record (
    kind text, name bytea, value bytea NOT NULL, version bigint NOT NULL, expires bigint,
    PRIMARY KEY (kind, name)
);
CREATE INDEX record_by_end ON doorward.record (expires) WHERE expires IS NOT NULL;
CREATE TABLE doorward.feed (sequence bigint PRIMARY KEY, event text NOT NULL);
-- A row that who appends keeps locked to the end of the transaction: numbers are in the order of the
-- commits, and have no holes. A sequence of PostgreSQL's has neither.
CREATE TABLE doorward.feed_end (
    one boolean PRIMARY KEY DEFAULT true CHECK (one), sequence bigint NOT NULL
);
INSERT INTO doorward.feed_end (sequence) VALUES (0);
