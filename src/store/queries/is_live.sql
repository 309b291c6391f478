SELECT EXISTS (SELECT 1 FROM members WHERE incarnation = $1 AND state = 'live')
