SET LOCAL lock_timeout = '2s';

LOCK TABLE conversations, members IN ACCESS EXCLUSIVE MODE;

ALTER TABLE members DROP COLUMN agents;
DROP INDEX conversations_owed;
ALTER TABLE conversations DROP COLUMN owed_by;
