-- Erasure: entries whose bodies are redacted and whose salts are gone, who may not be erased, and which conversations
-- are still to be.

ALTER TABLE entries ADD COLUMN erased boolean NOT NULL DEFAULT false;

-- When the content was erased; the newest entry says so too, and by whom.
ALTER TABLE conversations ADD COLUMN erased_at bigint;

-- All conversations of a customer, open and closed.
CREATE INDEX IF NOT EXISTS conversations_of_customer ON conversations (customer, id);

-- What the retention looks through, in the order in which it ends.
CREATE INDEX IF NOT EXISTS conversations_kept ON conversations (closed_at, id)
    WHERE closed_at IS NOT NULL AND erased_at IS NULL;

CREATE INDEX IF NOT EXISTS dead_letters_of_conversation ON dead_letters (conversation);

-- Customers of whom nothing is erased. An erasure and a change of this table exclude each other by an advisory lock.
CREATE TABLE legal_holds (
    customer  uuid   PRIMARY KEY,
    reason    text   NOT NULL,
    placed_by uuid   NOT NULL,
    placed_at bigint NOT NULL
);
