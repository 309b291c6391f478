-- Redacted bodies stay redacted; that they are is forgotten, and so are the holds.
DROP TABLE legal_holds;
DROP INDEX dead_letters_of_conversation;
DROP INDEX conversations_kept;
DROP INDEX conversations_of_customer;
ALTER TABLE conversations DROP COLUMN erased_at;
ALTER TABLE entries DROP COLUMN erased;
