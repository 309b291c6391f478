SET LOCAL lock_timeout = '2s';

LOCK TABLE members, meta IN ACCESS EXCLUSIVE MODE;

DROP TRIGGER members_change ON members;
DROP TRIGGER members_come_and_go ON members;
DROP FUNCTION raise_view_version();
ALTER TABLE meta DROP COLUMN view_version;
DROP TABLE suspicions;
ALTER TABLE members DROP COLUMN conversations;
ALTER TABLE members DROP COLUMN sockets;
ALTER TABLE members DROP COLUMN heartbeat_at;
ALTER TABLE members DROP COLUMN release;
ALTER TABLE members DROP COLUMN role;
ALTER TABLE members DROP COLUMN address;
ALTER TABLE members DROP COLUMN standing;
