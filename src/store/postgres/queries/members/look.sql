-- How this incarnation ($1) stands, null if it is dead, and how old the heartbeats of others ($2) are that are not.
SELECT me.standing,
       meta.view_version,
       floor(extract(epoch FROM now()) * 1000)::bigint,
       other.incarnation,
       floor(extract(epoch FROM now() - other.heartbeat_at) * 1000)::bigint
FROM meta
LEFT JOIN members AS me ON me.incarnation = $1 AND me.state = 'live'
LEFT JOIN members AS other ON other.incarnation = ANY ($2) AND other.state = 'live' AND other.heartbeat_at IS NOT NULL
WHERE meta.id = 1
