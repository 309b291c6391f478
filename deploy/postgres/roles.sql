-- Three roles with the rights that each needs and no others. Run by an administrator, with psql, on Onya's database, once
-- before the first `onya migrate up` and again after each; it may be run at any time, and while servers work:
--
--     psql --set ON_ERROR_STOP=1 --file roles.sql postgres://admin@host/onya
--
-- onya_maintain  owns the tables: onya migrate, onya maintain
-- onya_serve     onya serve: no change of the schema, no deletion from the log
-- onya_read      people with SQL: the views of the schema `reporting`, nothing else
--
-- They cannot log in themselves. Make roles that can, as many as there are passwords (two in turn can be rotated):
--
--     CREATE ROLE onya_serve_1 LOGIN PASSWORD '…' IN ROLE onya_serve;
--     CREATE ROLE onya_migrate LOGIN PASSWORD '…' IN ROLE onya_maintain;
--     ALTER ROLE onya_migrate SET role = 'onya_maintain';    -- what it makes belongs to all of them

\set ON_ERROR_STOP 1

BEGIN;

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['onya_maintain', 'onya_serve', 'onya_read'] LOOP
        BEGIN
            IF to_regrole(role) IS NULL THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role);
            END IF;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL; -- made by somebody else just now
        END;
    END LOOP;
    IF NOT pg_has_role(current_user, 'onya_maintain', 'MEMBER') THEN
        EXECUTE format('GRANT onya_maintain TO %I', current_user);
    END IF;
END
$$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO onya_maintain;
GRANT USAGE ON SCHEMA public TO onya_serve;

DO $$
BEGIN
    -- The step that makes the schema of the views needs this.
    EXECUTE format('GRANT CONNECT, CREATE ON DATABASE %I TO onya_maintain', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO onya_serve, onya_read', current_database());
END
$$;

-- Everything of Onya's belongs to the maintaining role, whoever made it. Nothing is left of earlier grants.
DO $$
DECLARE
    relation record;
BEGIN
    -- First: views can only be given to a role that may make some there.
    IF to_regnamespace('reporting') IS NOT NULL THEN
        ALTER SCHEMA reporting OWNER TO onya_maintain;
    END IF;
    FOR relation IN
        SELECT c.oid::regclass AS name, c.relkind, n.nspname
        FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('public', 'reporting') AND c.relkind IN ('r', 'p', 'v')
          AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = c.oid AND deptype = 'e')
    LOOP
        EXECUTE format('ALTER %s %s OWNER TO onya_maintain',
                       CASE relation.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, relation.name);
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, onya_serve, onya_read', relation.name);
    END LOOP;
    -- What triggers run has the rights of its owner.
    IF to_regproc('public.raise_view_version') IS NOT NULL THEN
        ALTER FUNCTION public.raise_view_version() OWNER TO onya_maintain;
    END IF;
    IF to_regnamespace('reporting') IS NOT NULL THEN
        REVOKE ALL ON SCHEMA reporting FROM PUBLIC, onya_serve;
        GRANT USAGE ON SCHEMA reporting TO onya_read;
        GRANT SELECT ON ALL TABLES IN SCHEMA reporting TO onya_read;
    END IF;
END
$$;

-- What serving needs, table by table: rights, and the columns that it changes where it may not change all of them. A table
-- that is not here cannot be used by a server; of what a database does not have (yet), nothing is granted. Rights on a
-- partitioned table count for its partitions.
DO $$
DECLARE
    rights text[][] := ARRAY[
        ['schema_migrations', 'SELECT', ''],
        ['meta', 'SELECT, INSERT', 'history_epoch'],
        ['members', 'SELECT, INSERT', 'state standing heartbeat_at sockets conversations agents'],
        ['suspicions', 'SELECT, INSERT, UPDATE, DELETE', ''],
        ['conversations', 'SELECT, INSERT', 'owner epoch nonce last_seq control control_version closed_at turn_seq '
                          'turn_attempt next_deadline owed_by snapshot snapshot_seq link moved searched_seq erased_at'],
        -- An erasure replaces a body and takes its salt; positions and links stay as they are.
        ['entries', 'SELECT, INSERT', 'body salt erased'],
        ['turns', 'SELECT, INSERT', 'attempt outcome ended_seq'],
        ['queue_entries', 'SELECT, INSERT, UPDATE, DELETE', ''],
        ['crashes', 'SELECT, INSERT, DELETE', ''],
        ['dead_letters', 'SELECT, INSERT, DELETE', ''],
        ['audit_log', 'SELECT, INSERT', ''],
        ['audit_anchor_heads', 'SELECT', ''],
        ['audit_settings', 'SELECT, INSERT, DELETE', ''],
        ['search', 'SELECT, INSERT, DELETE', ''],
        ['legal_holds', 'SELECT, INSERT, UPDATE, DELETE', '']
    ];
    row     text[];
    changed text;
BEGIN
    FOREACH row SLICE 1 IN ARRAY rights LOOP
        CONTINUE WHEN to_regclass(row[1]) IS NULL;
        EXECUTE format('GRANT %s ON %I TO onya_serve', row[2], row[1]);
        SELECT string_agg(quote_ident(attname), ', ') INTO changed
        FROM pg_attribute
        WHERE attrelid = to_regclass(row[1]) AND attname = ANY (string_to_array(row[3], ' '));
        IF changed IS NOT NULL THEN
            EXECUTE format('GRANT UPDATE (%s) ON %I TO onya_serve', changed, row[1]);
        END IF;
    END LOOP;
END
$$;

COMMIT;
