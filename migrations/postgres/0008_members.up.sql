-- Who belongs to the cluster, where each member is reached, and who suspects whom.
--
-- `state` stays what it was, whether a start is over for good: 'live' stands for everybody who is not dead, and nobody
-- else may own what such a one owns. Programs of before this step know nothing else, so they rob no member that joins or
-- drains. How a member stands otherwise is in `standing`.
--
-- The locks are waited for shortly, so that nobody waits for long behind this; the step is then tried again.
SET LOCAL lock_timeout = '2s';

LOCK TABLE members, meta IN ACCESS EXCLUSIVE MODE;

ALTER TABLE members ADD COLUMN standing text NOT NULL DEFAULT 'live'
    CHECK (standing IN ('joining', 'live', 'draining'));
ALTER TABLE members ADD COLUMN address text NOT NULL DEFAULT '';
ALTER TABLE members ADD COLUMN role text NOT NULL DEFAULT 'both' CHECK (role IN ('both', 'edge', 'owner'));
ALTER TABLE members ADD COLUMN release text NOT NULL DEFAULT '';

-- By the clock of this database. Null: a program of before this step, which has no heartbeat. It is in no view, nothing
-- is placed on it, and nobody finds it dead.
ALTER TABLE members ADD COLUMN heartbeat_at timestamptz;

-- What it carried at its newest heartbeat.
ALTER TABLE members ADD COLUMN sockets bigint NOT NULL DEFAULT 0;
ALTER TABLE members ADD COLUMN conversations bigint NOT NULL DEFAULT 0;

-- Who has lately told that somebody seems dead; by the clock of this database.
CREATE TABLE suspicions (
    suspect  uuid        NOT NULL,
    observer uuid        NOT NULL,
    at       timestamptz NOT NULL,
    PRIMARY KEY (suspect, observer)
);

-- Higher with every change of the members, in the transaction that changes them. A trigger does it, so that no program of
-- before this step and nobody at a prompt can leave the others with a view that is old; it has the rights of whoever owns
-- the tables, because the role that serves need not have them yet.
ALTER TABLE meta ADD COLUMN view_version bigint NOT NULL DEFAULT 0;

CREATE FUNCTION raise_view_version() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE meta SET view_version = view_version + 1 WHERE id = 1;
    RETURN NULL;
END
$$;

CREATE TRIGGER members_come_and_go AFTER INSERT OR DELETE ON members
    FOR EACH ROW EXECUTE FUNCTION raise_view_version();

CREATE TRIGGER members_change AFTER UPDATE ON members
    FOR EACH ROW
    WHEN ((OLD.state, OLD.standing, OLD.address, OLD.role) IS DISTINCT FROM
          (NEW.state, NEW.standing, NEW.address, NEW.role))
    EXECUTE FUNCTION raise_view_version();
