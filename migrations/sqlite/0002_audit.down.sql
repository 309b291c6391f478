DROP TABLE audit_settings;
DROP TABLE audit_anchor_heads;
DROP TABLE audit_log;
DROP INDEX conversations_moved;
ALTER TABLE conversations DROP COLUMN moved;
ALTER TABLE conversations DROP COLUMN link;
ALTER TABLE entries DROP COLUMN link;
ALTER TABLE entries DROP COLUMN body_commitment;
ALTER TABLE entries DROP COLUMN salt;
