-- Ends the sessions ($1: their name) of a dead incarnation that are in the middle of changing something, as far as this
-- role may: a process that stands still there would keep what it has locked.
SELECT count(*) FILTER (WHERE pg_terminate_backend(a.pid))
FROM pg_stat_activity AS a
WHERE a.datname = current_database()
  AND a.application_name = $1
  AND a.pid <> pg_backend_pid()
  AND EXISTS (SELECT 1 FROM pg_locks AS l WHERE l.pid = a.pid AND l.locktype = 'transactionid' AND l.granted)
  AND (pg_has_role(a.usesysid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE'))
