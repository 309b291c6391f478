-- The whole schema of the embedded database. It mirrors ../postgres; see there for the reasons.

CREATE TABLE meta (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    history_epoch BLOB    NOT NULL
) STRICT;

CREATE TABLE members (
    incarnation BLOB    PRIMARY KEY,
    name        TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('live', 'dead')),
    started_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX members_live_name ON members (name) WHERE state = 'live';

CREATE TABLE conversations (
    id              BLOB    PRIMARY KEY,
    customer        BLOB    NOT NULL,
    language        TEXT    NOT NULL CHECK (instr(language, char(0)) = 0),
    opened_at       INTEGER NOT NULL,
    closed_at       INTEGER,
    owner           BLOB,
    epoch           INTEGER NOT NULL DEFAULT 0,
    nonce           BLOB,
    last_seq        INTEGER NOT NULL CHECK (last_seq > 0),
    control         TEXT    NOT NULL,
    control_version INTEGER NOT NULL,
    turn_seq        INTEGER,
    turn_attempt    INTEGER,
    next_deadline   INTEGER,
    snapshot        TEXT,
    snapshot_seq    INTEGER,
    CHECK ((turn_seq IS NULL) = (turn_attempt IS NULL)),
    CHECK ((snapshot IS NULL) = (snapshot_seq IS NULL))
) STRICT;

CREATE UNIQUE INDEX conversations_open_of_customer ON conversations (customer) WHERE closed_at IS NULL;
CREATE INDEX conversations_next_deadline ON conversations (next_deadline) WHERE next_deadline IS NOT NULL;
CREATE INDEX conversations_open_turn ON conversations (next_deadline) WHERE turn_seq IS NOT NULL;

CREATE TABLE entries (
    conversation  BLOB    NOT NULL,
    seq           INTEGER NOT NULL CHECK (seq > 0),
    customer_prev INTEGER NOT NULL CHECK (customer_prev >= 0 AND customer_prev < seq),
    customer_sees INTEGER NOT NULL CHECK (customer_sees IN (0, 1)),
    at            INTEGER NOT NULL,
    epoch         INTEGER NOT NULL,
    kind          TEXT    NOT NULL,
    body          TEXT    NOT NULL,
    participant   BLOB,
    client_msg_id TEXT,
    commitment    BLOB,
    PRIMARY KEY (conversation, seq),
    CHECK ((participant IS NULL) = (client_msg_id IS NULL)),
    CHECK ((participant IS NULL) = (commitment IS NULL))
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX entries_key ON entries (conversation, participant, client_msg_id)
    WHERE client_msg_id IS NOT NULL;

CREATE TABLE turns (
    conversation BLOB    NOT NULL,
    turn         INTEGER NOT NULL,
    attempt      INTEGER NOT NULL CHECK (attempt > 0),
    outcome      TEXT,
    ended_seq    INTEGER CHECK (ended_seq > turn),
    PRIMARY KEY (conversation, turn),
    CHECK ((outcome IS NULL) = (ended_seq IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE queue_entries (
    conversation    BLOB    PRIMARY KEY,
    control_version INTEGER NOT NULL,
    since           INTEGER NOT NULL,
    queued          TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE crashes (
    conversation BLOB    NOT NULL,
    id           BLOB    NOT NULL,
    at           INTEGER NOT NULL,
    PRIMARY KEY (conversation, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE dead_letters (
    id           BLOB    PRIMARY KEY,
    conversation BLOB    NOT NULL,
    expected_seq INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    reason       TEXT    NOT NULL,
    entries      BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
