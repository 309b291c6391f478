-- A process ends in good order: what it owns is free.
UPDATE members SET state = 'dead' WHERE incarnation = $1
