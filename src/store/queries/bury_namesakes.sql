-- Earlier starts under the same name are over.
UPDATE members SET state = 'dead' WHERE name = $1 AND incarnation <> $2 AND state = 'live' RETURNING incarnation
