-- What this incarnation owns and has not in memory is free.
UPDATE conversations SET owner = NULL WHERE id = $1 AND owner = $2
