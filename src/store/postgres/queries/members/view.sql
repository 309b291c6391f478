-- Everybody who is not dead and beats, and the version of that: one row at least.
SELECT meta.view_version, m.incarnation, m.name, m.address, m.role, m.standing, m.release
FROM meta
LEFT JOIN members AS m ON m.state = 'live' AND m.heartbeat_at IS NOT NULL
WHERE meta.id = 1
ORDER BY m.name
