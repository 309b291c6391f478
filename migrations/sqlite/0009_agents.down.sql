DROP INDEX conversations_owed;
ALTER TABLE conversations DROP COLUMN owed_by;
