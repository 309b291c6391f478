UPDATE members SET standing = 'live' WHERE incarnation = $1 AND state = 'live' AND standing = 'joining'
