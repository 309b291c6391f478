-- Erasure, legal holds and retention. It mirrors ../postgres; see there for the reasons.

ALTER TABLE entries ADD COLUMN erased INTEGER NOT NULL DEFAULT 0 CHECK (erased IN (0, 1));

ALTER TABLE conversations ADD COLUMN erased_at INTEGER;

CREATE INDEX IF NOT EXISTS conversations_of_customer ON conversations (customer, id);

CREATE INDEX IF NOT EXISTS conversations_kept ON conversations (closed_at, id)
    WHERE closed_at IS NOT NULL AND erased_at IS NULL;

CREATE INDEX IF NOT EXISTS dead_letters_of_conversation ON dead_letters (conversation);

CREATE TABLE legal_holds (
    customer  BLOB    PRIMARY KEY,
    reason    TEXT    NOT NULL CHECK (instr(reason, char(0)) = 0),
    placed_by BLOB    NOT NULL,
    placed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
