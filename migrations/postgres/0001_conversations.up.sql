-- Times are milliseconds since the Unix epoch. JSON is kept as text: what was written is what is read, byte for
-- byte, and an escaped NUL is as good as any other character (jsonb refuses it).
-- Every unique key of what grows with the log begins with the conversation, so that these tables can be partitioned
-- by range of its identifier (a version 7 UUID: by month of creation).

CREATE TABLE meta (
    id            smallint PRIMARY KEY CHECK (id = 1),
    history_epoch uuid     NOT NULL
);

-- One row per start of a process. A name has at most one incarnation that lives.
CREATE TABLE members (
    incarnation uuid   PRIMARY KEY,
    name        text   NOT NULL,
    state       text   NOT NULL CHECK (state IN ('live', 'dead')),
    started_at  bigint NOT NULL
);

CREATE UNIQUE INDEX members_live_name ON members (name) WHERE state = 'live';

-- Ownership, the fence (epoch, nonce, last_seq) and what is needed to find a conversation without reading its log.
CREATE TABLE conversations (
    id              uuid   PRIMARY KEY,
    customer        uuid   NOT NULL,
    language        text   NOT NULL,
    opened_at       bigint NOT NULL,
    closed_at       bigint,
    owner           uuid,
    epoch           bigint NOT NULL DEFAULT 0,
    nonce           uuid,
    last_seq        bigint NOT NULL CHECK (last_seq > 0),
    control         text   NOT NULL,
    control_version bigint NOT NULL,
    turn_seq        bigint,
    turn_attempt    bigint,
    next_deadline   bigint,
    snapshot        text,
    snapshot_seq    bigint,
    CHECK ((turn_seq IS NULL) = (turn_attempt IS NULL)),
    CHECK ((snapshot IS NULL) = (snapshot_seq IS NULL))
);

CREATE UNIQUE INDEX conversations_open_of_customer ON conversations (customer) WHERE closed_at IS NULL;
CREATE INDEX conversations_next_deadline ON conversations (next_deadline) WHERE next_deadline IS NOT NULL;
CREATE INDEX conversations_open_turn ON conversations (next_deadline) WHERE turn_seq IS NOT NULL;

-- The log. A key stands beside the entry that answers for the command.
CREATE TABLE entries (
    conversation  uuid    NOT NULL,
    seq           bigint  NOT NULL CHECK (seq > 0),
    customer_prev bigint  NOT NULL CHECK (customer_prev >= 0 AND customer_prev < seq),
    customer_sees boolean NOT NULL,
    at            bigint  NOT NULL,
    epoch         bigint  NOT NULL,
    kind          text    NOT NULL,
    body          text    NOT NULL,
    participant   uuid,
    client_msg_id text,
    commitment    bytea,
    PRIMARY KEY (conversation, seq),
    CHECK ((participant IS NULL) = (client_msg_id IS NULL)),
    CHECK ((participant IS NULL) = (commitment IS NULL))
);

CREATE UNIQUE INDEX entries_key ON entries (conversation, participant, client_msg_id)
    WHERE client_msg_id IS NOT NULL;

-- Derived from the log in the statement that extends it: a turn has one row, and its end is written once.
CREATE TABLE turns (
    conversation uuid   NOT NULL,
    turn         bigint NOT NULL,
    attempt      bigint NOT NULL CHECK (attempt > 0),
    outcome      text,
    ended_seq    bigint CHECK (ended_seq > turn),
    PRIMARY KEY (conversation, turn),
    CHECK ((outcome IS NULL) = (ended_seq IS NULL))
);

-- Who waits for a person; derived like turns.
CREATE TABLE queue_entries (
    conversation    uuid   PRIMARY KEY,
    control_version bigint NOT NULL,
    since           bigint NOT NULL,
    queued          text   NOT NULL
);

-- When a conversation's actor crashed; older ones are pruned.
CREATE TABLE crashes (
    conversation uuid   NOT NULL,
    id           uuid   NOT NULL,
    at           bigint NOT NULL,
    PRIMARY KEY (conversation, id)
);

-- What could not be stored, for an operator to look at; `entries` is JSON as bytes, because text may be what is wrong.
CREATE TABLE dead_letters (
    id           uuid   PRIMARY KEY,
    conversation uuid   NOT NULL,
    expected_seq bigint NOT NULL,
    at           bigint NOT NULL,
    reason       text   NOT NULL,
    entries      bytea  NOT NULL
);
