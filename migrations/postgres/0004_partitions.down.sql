-- One table each again. What lies in the partitions of months is copied, which takes its time on a large database: stop
-- the servers first.
LOCK TABLE entries, turns IN ACCESS EXCLUSIVE MODE;

ALTER TABLE entries DETACH PARTITION entries_default;
ALTER TABLE turns DETACH PARTITION turns_default;

-- The columns are listed by their names, whatever later steps have added; generated ones make themselves.
DO $$
DECLARE
    partitioned text;
    columns     text;
BEGIN
    FOREACH partitioned IN ARRAY ARRAY['entries', 'turns'] LOOP
        SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns
        FROM pg_attribute
        WHERE attrelid = partitioned::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
        EXECUTE format('INSERT INTO %I (%s) SELECT %s FROM %I', partitioned || '_default', columns, columns, partitioned);
        EXECUTE format('DROP TABLE %I', partitioned);
        EXECUTE format('ALTER TABLE %I RENAME TO %I', partitioned || '_default', partitioned);
    END LOOP;
END
$$;
