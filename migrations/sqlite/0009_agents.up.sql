-- Customers who wait for an answer of an agent, as in ../postgres. There is one member, which knows by itself who is
-- connected.

ALTER TABLE conversations ADD COLUMN owed_by BLOB;

CREATE INDEX conversations_owed ON conversations (owed_by) WHERE owed_by IS NOT NULL;
