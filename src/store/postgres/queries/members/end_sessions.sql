-- Ends the sessions ($1: their name) of a dead incarnation, as far as this role may: a process that stands still in the
-- middle of a transaction would keep what it has locked.
SELECT count(*) FILTER (WHERE pg_terminate_backend(pid))
FROM pg_stat_activity
WHERE datname = current_database()
  AND application_name = $1
  AND pid <> pg_backend_pid()
  AND (pg_has_role(usesysid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE'))
