-- What makes a change behind the company's back visible: a chain through the entries of each conversation, a log of
-- acts that belong to no conversation's log, and the heads that anchors sign. docs/AUDIT.md says how it fits together.
-- Rows from before this step have no links; a conversation's chain then starts with its next entry.

ALTER TABLE entries ADD COLUMN salt bytea;
ALTER TABLE entries ADD COLUMN body_commitment bytea;
ALTER TABLE entries ADD COLUMN link bytea;

-- `link` is that of the newest entry. `moved` is the transaction that wrote it: an anchor reads what transactions wrote
-- that were not finished when the anchor before it looked, and so can miss none.
ALTER TABLE conversations ADD COLUMN link bytea;
ALTER TABLE conversations ADD COLUMN moved xid8;
ALTER TABLE conversations ALTER COLUMN moved SET DEFAULT pg_current_xact_id();

CREATE INDEX IF NOT EXISTS conversations_moved ON conversations (moved) WHERE moved IS NOT NULL;

-- Acts without an owner: log-ins, reads, refusals, exports, changes of the configuration. One chain per start of a
-- process. Rows are only ever inserted.
CREATE TABLE audit_log (
    chain        uuid   NOT NULL,
    n            bigint NOT NULL CHECK (n > 0),
    at           bigint NOT NULL,
    actor        text   NOT NULL,
    actor_role   text   NOT NULL,
    action       text   NOT NULL,
    conversation uuid,
    detail       text   NOT NULL,
    link         bytea  NOT NULL,
    moved        xid8   NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (chain, n)
);

CREATE INDEX audit_log_moved ON audit_log (moved);
CREATE INDEX audit_log_conversation ON audit_log (conversation, at) WHERE conversation IS NOT NULL;

-- The leaves of the anchors: what each of them signs. `kind` is `conversation` or `audit`.
CREATE TABLE audit_anchor_heads (
    anchor   bigint NOT NULL CHECK (anchor > 0),
    kind     text   NOT NULL,
    chain    uuid   NOT NULL,
    position bigint NOT NULL,
    link     bytea  NOT NULL,
    PRIMARY KEY (anchor, kind, chain)
);

CREATE INDEX audit_anchor_heads_chain ON audit_anchor_heads (kind, chain, position);

-- What each node was configured with at its last start, as salted digests: enough to name what has changed.
CREATE TABLE audit_settings (
    node    text  NOT NULL,
    setting text  NOT NULL,
    salt    bytea NOT NULL,
    digest  bytea NOT NULL,
    PRIMARY KEY (node, setting)
);
