UPDATE members SET standing = 'draining' WHERE incarnation = $1 AND state = 'live' AND standing <> 'draining'
