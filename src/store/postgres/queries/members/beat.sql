-- A heartbeat, by the clock of the database. No row: this incarnation is dead.
UPDATE members
SET heartbeat_at = clock_timestamp(), sockets = $2, conversations = $3
WHERE incarnation = $1 AND state = 'live'
RETURNING standing,
          (SELECT view_version FROM meta WHERE id = 1),
          floor(extract(epoch FROM heartbeat_at) * 1000)::bigint
