-- What a start of the process is listed with, as in ../postgres. There is one member, which the lock on the folder keeps:
-- no view, no heartbeats, nobody who suspects it.

ALTER TABLE members ADD COLUMN standing TEXT NOT NULL DEFAULT 'live'
    CHECK (standing IN ('joining', 'live', 'draining'));
ALTER TABLE members ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE members ADD COLUMN role TEXT NOT NULL DEFAULT 'both' CHECK (role IN ('both', 'edge', 'owner'));
ALTER TABLE members ADD COLUMN release TEXT NOT NULL DEFAULT '';
