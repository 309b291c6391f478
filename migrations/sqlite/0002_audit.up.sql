-- Chains, the log of acts and the heads that anchors sign. It mirrors ../postgres; see there for the reasons. `moved`
-- counts instead of naming a transaction: there is one writer.

ALTER TABLE entries ADD COLUMN salt BLOB;
ALTER TABLE entries ADD COLUMN body_commitment BLOB;
ALTER TABLE entries ADD COLUMN link BLOB;

ALTER TABLE conversations ADD COLUMN link BLOB;
ALTER TABLE conversations ADD COLUMN moved INTEGER;

CREATE INDEX IF NOT EXISTS conversations_moved ON conversations (moved) WHERE moved IS NOT NULL;

CREATE TABLE audit_log (
    chain        BLOB    NOT NULL,
    n            INTEGER NOT NULL CHECK (n > 0),
    at           INTEGER NOT NULL,
    actor        TEXT    NOT NULL,
    actor_role   TEXT    NOT NULL,
    action       TEXT    NOT NULL,
    conversation BLOB,
    detail       TEXT    NOT NULL,
    link         BLOB    NOT NULL,
    moved        INTEGER NOT NULL,
    PRIMARY KEY (chain, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_log_moved ON audit_log (moved);
CREATE INDEX audit_log_conversation ON audit_log (conversation, at) WHERE conversation IS NOT NULL;

CREATE TABLE audit_anchor_heads (
    anchor   INTEGER NOT NULL CHECK (anchor > 0),
    kind     TEXT    NOT NULL,
    chain    BLOB    NOT NULL,
    position INTEGER NOT NULL,
    link     BLOB    NOT NULL,
    PRIMARY KEY (anchor, kind, chain)
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_anchor_heads_chain ON audit_anchor_heads (kind, chain, position);

CREATE TABLE audit_settings (
    node    TEXT NOT NULL,
    setting TEXT NOT NULL,
    salt    BLOB NOT NULL,
    digest  BLOB NOT NULL,
    PRIMARY KEY (node, setting)
) STRICT, WITHOUT ROWID;
